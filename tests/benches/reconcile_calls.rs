//! AWS calls of reconcile runs, compared with the fewest that pages allow: 5,000 instances in steady state, one broken.
//!
//! `make bench-calls` prints the table. It fails above 1.15 × the fewest.

use tests::local_aws::in_process::in_virtual_time;
use tests::reconcile_runs::steady;

#[allow(clippy::print_stdout, reason = "a bench prints")]
fn main() {
    let runs = in_virtual_time(steady(5_000, 40));
    println!("\n{runs}");
    assert!(runs.ratio() <= 1.15, "{} calls, {} are enough", runs.calls(), runs.fewest());
}
