//! Invariant 10: `check` changes nothing, `map` on a readable mapping changes nothing, nothing that is not ours is removed.
//!
//! Letters are compared from step to step; what the world itself changed is looked at anew after each of its deeds.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Holds, Step, must};
use crate::fleet::{Host, InstanceId, Letter};
use crate::local_aws::LocalAws;
use crate::simulation::stage::REMOTE;

/// The slowest host of a plan, and a margin.
const LONGEST_SCRIPT: SignedDuration = SignedDuration::from_mins(30);

/// Every host's letter at the last step.
#[derive(Default)]
pub struct Watch {
    letters: BTreeMap<InstanceId, Letter>,
    looked_at: Option<Timestamp>,
}

impl Watch {
    /// The world itself has changed something.
    pub(crate) fn look(&mut self, aws: &LocalAws) {
        for (id, host) in &aws.world.hosts {
            self.letters.insert(id.clone(), host.letter.clone());
        }
        self.looked_at = Some(aws.now());
    }

    pub(super) fn check(&mut self, step: &Step<'_>) -> Holds {
        let since = self.looked_at.replace(step.aws.now()).unwrap_or(Timestamp::MIN);
        for (id, host) in &step.aws.world.hosts {
            let Some(before) = self.letters.get_mut(id) else {
                self.letters.insert(id.clone(), host.letter.clone());
                continue;
            };
            if is_same(before, &host.letter) {
                continue;
            }
            let before = std::mem::replace(before, host.letter.clone());
            may_change(step, host, &before, since).map_err(|what| format!("{id}: {what}"))?;
        }
        Ok(())
    }
}

/// But for its session, which comes and goes.
fn is_same(a: &Letter, b: &Letter) -> bool {
    match (a, b) {
        (Letter::Smb(a), Letter::Smb(b)) => {
            a.password == b.password && a.remote == b.remote && a.user == b.user && a.status == b.status
        }
        (a, b) => a == b,
    }
}

fn may_change(step: &Step<'_>, host: &Host, before: &Letter, since: Timestamp) -> Holds {
    // A script may go on after its command has expired.
    let ran_map = step.ground.history(step.aws, &host.id).any(|(command, invocation)| {
        let is_recent =
            invocation.started.is_some_and(|at| step.aws.now().duration_since(at) < LONGEST_SCRIPT);
        command.parameter("Action") == Some("map")
            && is_recent
            && invocation
                .finished()
                .is_none_or(|at| at >= since || !invocation.stopped && invocation.stdout().is_empty())
    });
    must(ran_map, || format!("{before:?} became {:?} without a `map`", host.letter))?;
    let (world, now) = (&step.aws.world, step.aws.now());
    match before {
        Letter::Free => must(host.is_mapped_to(REMOTE), || format!("a free letter became {:?}", host.letter)),
        Letter::Smb(mapping) if mapping.names(REMOTE) => {
            let server = &world.file_server;
            let is_served =
                server.up && server.resolves && server.read_error.is_none() && server.offers(REMOTE);
            let lets_in = world.account.refuses_with.is_none() && !world.account.is_locked(now);
            let readable = is_served && lets_in && mapping.password == world.account.password;
            must(!readable, || "a readable mapping was replaced".to_owned())
        }
        Letter::Smb(_) | Letter::Disk => Err(format!("{before:?}, which is not ours, was removed")),
    }
}
