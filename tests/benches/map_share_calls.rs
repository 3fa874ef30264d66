//! AWS calls that `map-share` makes for a scale-out, beside the fewest that would do.
//!
//! `make bench-calls` prints the table. It fails above 1.15 × the fewest, and for any call at all about tasks of mapped
//! instances.

use tests::burst::{Burst, scale_out, task_noise};
use tests::local_aws::in_process::in_virtual_time;

#[allow(clippy::print_stdout, reason = "a bench prints")]
fn main() {
    println!("{}", Burst::HEADING);
    for instances in [1, 50, 500, 5_000] {
        for records in [10, 100, 1_000] {
            let burst = in_virtual_time(scale_out(instances, records));
            println!("{burst}");
            assert!(burst.ratio() <= 1.15, "{burst:?}");
        }
    }
    println!("\n| task events of mapped instances in one batch | AWS calls |\n|---:|---:|");
    for records in [10, 100, 1_000] {
        let calls = in_virtual_time(task_noise(records));
        println!("| {records} | {calls} |");
        assert_eq!(calls, 0);
    }
}
