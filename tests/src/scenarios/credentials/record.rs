//! What is recorded of a fleet while a scenario plays, a look a second.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use shared::cause::Cause;
use shared::state::State;
use tokio::time::sleep;

use crate::fleet::{Agent, InstanceId};
use crate::local_aws::LocalAws;
use crate::local_aws::ecs::instances::{ContainerInstance, Status};
use crate::local_aws::in_process::Local;

/// Between two looks.
const STEP: Duration = Duration::from_secs(1);

/// One host's gate and state since a time.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) at: Timestamp,
    pub(super) is_open: bool,
    pub(super) state: Option<State>,
    attributes: [Option<Arc<str>>; 2],
}

/// The histories of all hosts.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Every change of gate or state, by EC2 instance.
    pub(super) seen: BTreeMap<InstanceId, Vec<Seen>>,
    /// When both agents of a host were first online.
    pub(super) ready: BTreeMap<InstanceId, Timestamp>,
    /// When a host was first draining.
    pub(super) drained: BTreeMap<InstanceId, Timestamp>,
    /// The age in seconds of the oldest proof behind an open gate, at each look.
    pub(super) oldest: Vec<(Timestamp, i64)>,
}

/// Looks for ever.
pub(super) async fn watch(local: Local, record: Rc<RefCell<Record>>) {
    loop {
        {
            let mut aws = local.aws();
            record.borrow_mut().look(&aws);
            aws.forget_calls();
        }
        sleep(STEP).await;
    }
}

impl Record {
    fn look(&mut self, aws: &LocalAws) {
        let now = aws.now();
        let mut oldest = 0;
        for (id, host) in &aws.world.hosts {
            let Some(instance) = aws.container_instance(id) else { continue };
            if host.agent == Agent::Online && instance.agent_connected {
                self.ready.entry(id.clone()).or_insert(now);
            }
            if instance.status == Status::Draining {
                self.drained.entry(id.clone()).or_insert(now);
            }
            let last = self.note(id, instance, now);
            if let (true, Some(State::Mapped { judged, .. })) = (last.is_open, &last.state) {
                oldest = oldest.max(now.duration_since(*judged).as_secs());
            }
        }
        self.oldest.push((now, oldest));
    }

    fn note(&mut self, id: &InstanceId, instance: &ContainerInstance, now: Timestamp) -> &Seen {
        let attribute = |name: &str| instance.attributes.get(name).cloned().flatten();
        let attributes = [attribute("smb.G"), attribute("smb.G.state")];
        let seen = self.seen.entry(id.clone()).or_default();
        if seen.last().is_none_or(|last| last.attributes != attributes) {
            let is_open = attributes[0].as_deref() == Some("mapped");
            let state = attributes[1].as_deref().and_then(State::parse);
            seen.push(Seen { at: now, is_open, state, attributes });
        }
        seen.last().expect("one was seen")
    }

    /// Whether the gate is open now.
    pub(super) fn is_open(&self, id: &InstanceId) -> bool {
        self.last(id).is_some_and(|last| last.is_open)
    }

    /// The request time of the last judged command.
    pub(super) fn judged(&self, id: &InstanceId) -> Option<Timestamp> {
        self.last(id)?.state.as_ref().map(State::judged)
    }

    fn last(&self, id: &InstanceId) -> Option<&Seen> {
        self.seen.get(id)?.last()
    }

    /// Seconds from a host being ready to its gate being open; `None` where it never opened.
    pub(super) fn wait(&self, id: &InstanceId) -> Option<i64> {
        let opened = self.seen.get(id)?.iter().find(|seen| seen.is_open)?.at;
        Some(opened.duration_since(*self.ready.get(id)?).as_secs())
    }

    /// The hosts whose gate was shut since then, of a cause if one is given.
    pub(super) fn shut(&self, since: Timestamp, cause: Option<Cause>) -> usize {
        let is_of = |seen: &Seen| match (&seen.state, cause) {
            (_, None) => true,
            (Some(State::Unmapped { cause: of, .. }), Some(cause)) => *of == cause,
            _ => false,
        };
        let is_shut =
            |pair: &[Seen]| pair[0].is_open && !pair[1].is_open && pair[1].at > since && is_of(&pair[1]);
        self.seen.values().filter(|seen| seen.windows(2).any(is_shut)).count()
    }

    /// The ages of the oldest proof since then, one a look.
    pub(super) fn oldest_since(&self, since: Timestamp) -> Vec<i64> {
        self.oldest.iter().filter(|(at, _)| *at >= since).map(|(_, age)| *age).collect()
    }
}
