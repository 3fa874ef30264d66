//! AWS calls a sweep makes, beside the fewest that pages allow: 5,000 instances in steady state, one of them broken.
//!
//! `make bench-calls` prints the table. It fails above 1.15 × the fewest.

use tests::reconcile_runs::steady;

#[allow(clippy::print_stdout, reason = "a bench prints")]
fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let sweeps = runtime.expect("a runtime").block_on(steady(5_000, 40));
    println!("\n{sweeps}");
    assert!(sweeps.ratio() <= 1.15, "{} calls, {} would do", sweeps.calls(), sweeps.fewest());
}
