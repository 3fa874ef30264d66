//! AWS calls compared with the fewest possible, in virtual time.

use crate::burst::{self, scale_out};
use crate::local_aws::in_process::in_virtual_time;
use crate::reconcile_runs::steady;

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Calls {
    /// What was done.
    pub what: String,
    /// Instances.
    pub instances: usize,
    /// AWS calls made.
    pub made: usize,
    /// The fewest AWS calls with which it can be done.
    pub fewest: usize,
}

impl Calls {
    /// Calls made for each that is needed; 1 where none is made and none is needed.
    pub fn ratio(&self) -> f64 {
        if self.made == self.fewest { 1.0 } else { self.made as f64 / self.fewest as f64 }
    }
}

/// Scale-outs of these sizes, reconcile runs over fleets of these sizes, and a batch of events that need no call.
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
    for (instances, runs) in fleets {
        let figures = in_virtual_time(steady(*instances, *runs));
        let what = format!("drain-unmapped: {runs} reconcile runs, one host broken");
        rows.push(Calls { what, instances: *instances, made: figures.calls(), fewest: figures.fewest() });
    }
    rows
}
