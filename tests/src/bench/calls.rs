//! AWS calls beside the fewest that would do, in virtual time.

use crate::burst::{self, scale_out};
use crate::reconcile_runs::steady;

/// A row: what was done, over how many instances, with how many calls, where so many would do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Calls {
    /// What was done.
    pub what: String,
    /// Instances.
    pub instances: usize,
    /// AWS calls made.
    pub made: usize,
    /// AWS calls without which it cannot be done.
    pub fewest: usize,
}

impl Calls {
    /// Calls made for each that is needed. Nothing for nothing is as it should be.
    pub fn ratio(&self) -> f64 {
        if self.made == self.fewest { 1.0 } else { self.made as f64 / self.fewest as f64 }
    }
}

/// Scale-outs of these sizes, sweeps over a fleet of these sizes, and a batch of events that ask for nothing.
pub fn measure(scale_outs: &[usize], fleets: &[(usize, usize)]) -> Vec<Calls> {
    let mut rows = Vec::new();
    for instances in scale_outs {
        let burst::Burst { calls, bound, records, .. } = in_virtual_time(scale_out(*instances, 100));
        let what = format!("map-share: a scale-out, {records} records a batch, every event twice");
        rows.push(Calls { what, instances: *instances, made: calls, fewest: bound });
    }
    let records = 1_000;
    let made = in_virtual_time(burst::task_noise(records));
    let what = format!("map-share: {records} events about tasks of mapped instances");
    rows.push(Calls { what, instances: 20, made, fewest: 0 });
    for (instances, sweeps) in fleets {
        let figures = in_virtual_time(steady(*instances, *sweeps));
        let what = format!("drain-unmapped: {sweeps} sweeps, one host broken");
        rows.push(Calls { what, instances: *instances, made: figures.calls(), fewest: figures.fewest() });
    }
    rows
}

fn in_virtual_time<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(future)
}
