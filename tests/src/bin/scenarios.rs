//! Runs the shared faults at many random moments: `scenarios MOMENTS INSTANCES`.

use std::process::ExitCode;

use tests::local_aws::in_process::in_virtual_time;
use tests::scenarios::{Herd, Silence, herd, silence};

#[allow(clippy::print_stdout, reason = "a command line")]
fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let (moments, instances) = (arguments.next().unwrap_or(20), arguments.next().unwrap_or(100));
    let n = usize::try_from(instances).unwrap_or(100);
    let mut failed = 0;
    let mut report = |what: String, seed: u64, result: Result<(), String>| {
        if let Err(wrong) = result {
            failed += 1;
            println!("{what}, seed {seed}: {wrong}");
        }
    };
    for kind in Herd::ALL {
        for seed in 1..=moments {
            report(format!("{kind:?}"), seed, in_virtual_time(herd(kind, seed, n)));
        }
        println!("{kind:?}: {moments} moments of {n} instances");
    }
    for kind in [Silence::AgentsSilent, Silence::NothingDelivered, Silence::NoResultLine] {
        for seed in 1..=moments {
            report(format!("{kind:?}"), seed, in_virtual_time(silence(kind, seed, n)));
        }
        println!("{kind:?}: {moments} moments of {n} instances");
    }
    println!("{failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
