//! Plays scenarios of a whole fleet. `scenarios MOMENTS INSTANCES` runs the shared faults at many random moments;
//! `scenarios credentials [--seeds 3] [--write PAGE] [--lines] [NAME…]` measures the budget of refused log-ons, and with
//! `--lines` also prints every command and log-on.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use tests::local_aws::in_process::in_virtual_time;
use tests::scenarios::credentials::{Measured, Played, SCENARIOS, Scenario, page, play, row};
use tests::scenarios::{Herd, Silence, herd, silence};

#[allow(clippy::print_stderr, reason = "a command line")]
fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() != Some("credentials") {
        return faults();
    }
    match options() {
        Ok(options) => credentials(&options),
        Err(error) => {
            eprintln!("{error}\nusage: scenarios credentials [--seeds 3] [--write PAGE] [--lines] [NAME…]");
            ExitCode::from(2)
        }
    }
}

struct Options {
    seeds: u64,
    write: Option<PathBuf>,
    lines: bool,
    names: Vec<String>,
}

fn options() -> Result<Options, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options { seeds: 3, write: None, lines: false, names: Vec::new() };
    let mut arguments = lexopt::Parser::from_args(std::env::args_os().skip(2));
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("seeds") => options.seeds = arguments.value()?.parse()?,
            Long("write") => options.write = Some(arguments.value()?.into()),
            Long("lines") => options.lines = true,
            Value(name) => options.names.push(name.string()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

#[allow(clippy::print_stdout, reason = "a command line")]
fn credentials(options: &Options) -> ExitCode {
    let is_asked = |scenario: &&Scenario| {
        options.names.is_empty() || options.names.iter().any(|name| name == scenario.name)
    };
    let mut measured = Vec::new();
    for scenario in SCENARIOS.iter().filter(is_asked) {
        let histories = play_seeds(scenario, options.seeds);
        for line in histories.iter().flat_map(|one| &one.lines).filter(|_| options.lines) {
            println!("{line}");
        }
        let sum = Measured::of(&histories);
        print!("{}", row(scenario, &sum));
        // Each row when it is there: all of them take minutes.
        let _ = std::io::stdout().flush();
        measured.push((scenario, sum));
    }
    if let Some(path) = &options.write {
        std::fs::write(path, page(measured)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        println!("{}", path.display());
    }
    ExitCode::SUCCESS
}

/// Each seed in a thread of its own.
fn play_seeds(scenario: &Scenario, seeds: u64) -> Vec<Played> {
    std::thread::scope(|scope| {
        let running: Vec<_> = (1..=seeds).map(|seed| scope.spawn(move || play(scenario, seed))).collect();
        running.into_iter().map(|one| one.join().expect("no history panics")).collect()
    })
}

#[allow(clippy::print_stdout, reason = "a command line")]
fn faults() -> ExitCode {
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
