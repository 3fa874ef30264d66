//! AWS calls of reconcile runs, compared with the fewest that pages allow: 5,000 instances in steady state, one broken.
//!
//! `make bench-calls` prints the table. It fails above 1.15 × the fewest.

use tests::reconcile_runs::steady;

#[allow(clippy::print_stdout, reason = "a bench prints")]
fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runs = runtime.expect("a runtime").block_on(steady(5_000, 40));
    println!("\n{runs}");
    assert!(runs.ratio() <= 1.15, "{} calls, {} are enough", runs.calls(), runs.fewest());
}
