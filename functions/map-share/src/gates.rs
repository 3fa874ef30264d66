//! Writes what an event alone can tell: shuts a restarted instance's gate, releases an ending instance's drain.
//!
//! It opens no gate and records no verdict: that takes a proof, and only `drain-unmapped` does it.

use std::collections::BTreeMap;

use shared::ecs::{AttributeWrite, AttributeWrites, ContainerInstance, NewAttribute, WriteResult};
use shared::ids::{ClusterRef, ContainerInstanceArn, InstanceId};
use shared::pace::Pace;

use crate::app::Run;
use crate::batch::RecordId;
use crate::lookup::Found;
use crate::outcome::{Effect, Outcome, Reason};
use crate::plan::{self, Dated, Work};

/// What is to be written on one registration.
struct Write<'a> {
    record: RecordId,
    effect: Effect,
    cluster: &'a ClusterRef,
    arn: &'a ContainerInstanceArn,
    attributes: Vec<NewAttribute>,
}

/// Shuts the gates of restarted instances, and releases the drains of those about to end.
pub(crate) async fn write(run: &mut Run<'_>, work: &Work, found: &Found) {
    let (names, now) = (run.app.names(), run.now());
    let mut planned: Vec<(RecordId, Result<Vec<Write>, Outcome>)> = Vec::new();
    for (id, &Dated { record, at }) in &work.restarts {
        let shut = |live: &ContainerInstance| plan::shut(live, &names, at, now);
        planned.push((record, plan_writes(found, id, (record, Effect::GateShut), shut)));
    }
    for (id, &Dated { record, at }) in &work.endings {
        // A time ahead of our clock would be written as if it were true.
        let release = |live: &ContainerInstance| plan::release(live, &names, at.min(now));
        planned.push((record, plan_writes(found, id, (record, Effect::Released), release)));
    }
    let mut writes = Vec::new();
    for (record, planned) in planned {
        match planned {
            Ok(planned) => writes.extend(planned),
            Err(outcome) => run.batch.settle(record, outcome),
        }
    }
    if run.may_act() {
        put_all(run, &writes).await;
    } else {
        let records = writes.iter().map(|write| write.record);
        run.batch.settle_all(records, &Outcome::Not(Reason::ReportMode));
    }
}

/// Plans the writes for one instance, at least one; or what becomes of its record where there is nothing to write.
fn plan_writes<'a>(
    found: &'a Found,
    id: &InstanceId,
    (record, effect): (RecordId, Effect),
    plan: impl Fn(&ContainerInstance) -> Result<Vec<NewAttribute>, Reason>,
) -> Result<Vec<Write<'a>>, Outcome> {
    let mut writes = Vec::new();
    let mut reason = Reason::NotWindows;
    for live in found.registrations(id)?.iter().filter(|live| live.is_windows) {
        match plan(live) {
            Ok(attributes) => {
                writes.push(Write { record, effect, cluster: &live.cluster, arn: &live.arn, attributes });
            }
            Err(why) => reason = why,
        }
    }
    if writes.is_empty() { Err(Outcome::Not(reason)) } else { Ok(writes) }
}

/// Writes as many registrations a call as ECS takes attributes, at our share of the account's rate.
async fn put_all(run: &mut Run<'_>, writes: &[Write<'_>]) {
    let mut pace = Pace::new(run.app.config.policy.ecs_writes_per_second);
    // A record may need several writes: it is done when all are, and fails when one does.
    let mut outcomes: BTreeMap<RecordId, Outcome> = BTreeMap::new();
    let mut note = |record: RecordId, outcome: Outcome| {
        let noted = outcomes.entry(record).or_insert_with(|| outcome.clone());
        if !matches!(noted, Outcome::Failed(_)) && !matches!(outcome, Outcome::Not(_)) {
            *noted = outcome;
        }
    };
    for alike in writes.chunk_by(|a, b| a.cluster == b.cluster && a.effect == b.effect) {
        let (cluster, effect) = (alike[0].cluster, alike[0].effect);
        let alike = alike.iter().map(|write| AttributeWrite {
            arn: write.arn,
            attributes: write.attributes.clone(),
            subject: write.record,
        });
        let mut alike = AttributeWrites::pack(cluster, alike);
        while let Some((group, result)) = alike.write_next(run.app.clients.ecs(), &mut pace).await {
            let outcome = match result {
                WriteResult::Written => Outcome::Did(effect),
                WriteResult::Gone => Outcome::Not(Reason::Gone),
                WriteResult::Failed(error) => Outcome::Failed(run.batch.failed(error)),
            };
            group.iter().for_each(|write| note(write.subject, outcome.clone()));
        }
    }
    for (record, outcome) in outcomes {
        run.batch.settle(record, outcome);
    }
}
