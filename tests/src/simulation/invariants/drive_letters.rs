//! Invariant 10: `check` changes nothing, `map` on a readable mapping changes nothing, and nothing that is not ours is
//! removed.
//!
//! Letters are compared from step to step. What the world itself changed is accepted.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{CheckResult, Step, ensure};
use crate::fleet::{Host, InstanceId, Letter, REMOTE};
use crate::local_aws::LocalAws;

/// More than the slowest host of a plan takes.
const LONGEST_SCRIPT: SignedDuration = SignedDuration::from_mins(30);

/// Every host's drive letter at the last step.
#[derive(Default)]
pub(super) struct Letters {
    letters: BTreeMap<InstanceId, Letter>,
    seen_at: Option<Timestamp>,
}

impl Letters {
    /// The world itself changed something.
    pub(super) fn accept(&mut self, aws: &LocalAws) {
        for (id, host) in &aws.world.hosts {
            self.letters.insert(id.clone(), host.letter.clone());
        }
        self.seen_at = Some(aws.now());
    }

    pub(super) fn check(&mut self, step: &Step<'_>) -> CheckResult {
        let since = self.seen_at.replace(step.aws.now()).unwrap_or(Timestamp::MIN);
        for (id, host) in &step.aws.world.hosts {
            let Some(before) = self.letters.get_mut(id) else {
                self.letters.insert(id.clone(), host.letter.clone());
                continue;
            };
            if is_same(before, &host.letter) {
                continue;
            }
            let before = std::mem::replace(before, host.letter.clone());
            check_change(step, host, &before, since).map_err(|what| format!("{id}: {what}"))?;
        }
        Ok(())
    }
}

/// Sessions come and go, and are not compared.
fn is_same(a: &Letter, b: &Letter) -> bool {
    match (a, b) {
        (Letter::Smb(a), Letter::Smb(b)) => {
            a.password == b.password && a.remote == b.remote && a.user == b.user && a.status == b.status
        }
        (a, b) => a == b,
    }
}

fn check_change(step: &Step<'_>, host: &Host, before: &Letter, since: Timestamp) -> CheckResult {
    let (world, now) = (&step.aws.world, step.aws.now());
    let ran_map = step.ground_truth.history(step.aws, &host.id).any(|(command, invocation)| {
        let is_recent = invocation.started.is_some_and(|at| now.duration_since(at) < LONGEST_SCRIPT);
        // A script may go on after its command has expired.
        let may_run = invocation
            .finished()
            .is_none_or(|at| at >= since || !invocation.stopped && invocation.stdout.is_empty());
        command.parameter("Action") == Some("map") && is_recent && may_run
    });
    ensure(ran_map, || format!("{before:?} became {:?} without a `map`", host.letter))?;
    match before {
        Letter::Free => {
            ensure(host.is_mapped_to(REMOTE), || format!("a free letter became {:?}", host.letter))
        }
        Letter::Smb(mapping) if mapping.names(REMOTE) => {
            let server = &world.file_server;
            let is_served =
                server.up && server.resolves && server.read_error.is_none() && server.offers(REMOTE);
            let is_refused =
                world.account.refuses_with.is_some() || world.account.refuses_alone.contains_key(&host.id);
            let can_log_on = !is_refused && !world.account.is_locked(now);
            let is_readable = is_served && can_log_on && mapping.password == world.account.password;
            ensure(!is_readable, || "a readable mapping was replaced")
        }
        Letter::Smb(_) | Letter::Disk => Err(format!("{before:?}, which is not ours, was removed")),
    }
}
