//! The report's rows: one for each instance.

use jiff::Timestamp;
use serde::Serialize;
use shared::cause::Class;
use shared::config::Policy;
use shared::ecs::Status;
use shared::state::{Drain, State, StateAttribute};
use shared::time;

use super::survey::{is_stale, is_unproven, is_unreachable};
use crate::decide::{Plan, Rule, Triggers, next_attempt};
use crate::fleet::{AgentState, Instance};
use crate::statistics::{privacy, script};

/// One instance.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The cluster's name.
    pub cluster: String,
    /// The EC2 instance.
    pub instance: String,
    /// The container instance's ARN.
    pub container_instance: String,
    /// ECS's status.
    pub status: Status,
    /// The ECS agent is connected.
    pub connected: bool,
    /// `mapped` or `shut`.
    pub gate: &'static str,
    /// The state's first word; `none` where there is no state, `unreadable` where it could not be read, `other-share` where
    /// it is a proof of another share.
    pub state: &'static str,
    /// Mapped or failing since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Request time of the last command whose result was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judged: Option<String>,
    /// Failures since the last proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Why it is not mapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<CauseRow>,
    /// When it is due next. Its agent or the credentials may delay that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_try: Option<String>,
    /// A command is on its way or running.
    pub in_flight: bool,
    /// Its SSM agent has been offline too long.
    pub unreachable: bool,
    /// Whether the drain attribute is `ours`, `requested`, `released`, `not-ours`, `other-stack`, or `none`.
    pub drain: &'static str,
    /// It is draining, and it cannot be proven that we did it.
    pub ownership_unproven: bool,
    /// Another stack wrote the state or the drain: two stacks use the letter on this cluster.
    pub of_other_stack: bool,
    /// It has the attribute `smb.hold`.
    pub hold: bool,
    /// The newest proof says that the mapping was made without privacy.
    pub without_privacy: bool,
    /// The version of the mapping script that answered last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script_version: Option<String>,
    /// Its mapping logged on before the parameters last changed.
    pub stale_credential: bool,
    /// Why it is not drained though it has failed long enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_drained_because: Option<Rule>,
}

/// A cause with its meaning.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CauseRow {
    /// The Win32 code or word.
    pub code: String,
    /// What kind of failure it is.
    pub class: Class,
    /// What it means.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// The row of one instance.
pub(crate) fn row(
    policy: &Policy,
    instance: &Instance,
    plan: &Plan,
    triggers: &Triggers,
    now: Timestamp,
) -> Row {
    let (record, attributes) = (&instance.record, &instance.record.attributes);
    let (state, since, attempts, cause) = match &attributes.state {
        StateAttribute::Absent => ("none", None, None, None),
        StateAttribute::Unreadable => ("unreadable", None, None, None),
        StateAttribute::OtherShare(_) => ("other-share", None, None, None),
        StateAttribute::Known(State::Restarted { at, .. }) => ("restarted", Some(*at), None, None),
        StateAttribute::Known(State::Mapped { since, .. }) => ("mapped", Some(*since), None, None),
        StateAttribute::Known(State::Doubtful { since, cause, .. }) => {
            ("doubtful", Some(*since), None, Some(cause))
        }
        StateAttribute::Known(State::Unmapped { attempts, cause, failing_since, .. }) => {
            ("unmapped", Some(*failing_since), Some(*attempts), Some(cause))
        }
    };
    Row {
        cluster: record.cluster.name().to_owned(),
        instance: instance.id.to_string(),
        container_instance: record.arn.to_string(),
        status: record.status,
        connected: record.is_connected,
        gate: attributes.gate.as_str(),
        state,
        since: since.map(time::format),
        judged: attributes.state.state().map(|state| time::format(state.judged())),
        attempts,
        cause: cause.map(|cause| CauseRow {
            code: cause.to_string(),
            class: cause.class(),
            meaning: cause.meaning(),
            remedy: cause.remedy(),
        }),
        next_try: next_try(policy, instance, plan, triggers).map(time::format),
        in_flight: instance.is_in_flight(),
        unreachable: instance.agent != AgentState::Unasked && is_unreachable(policy, instance, now),
        drain: match attributes.drain {
            Drain::Absent => "none",
            Drain::Requested { .. } => "requested",
            Drain::Done { .. } => "ours",
            Drain::Released { .. } => "released",
            Drain::Foreign => "not-ours",
            Drain::OtherStack => "other-stack",
        },
        ownership_unproven: is_unproven(record),
        of_other_stack: attributes.is_of_other_stack,
        hold: attributes.hold,
        without_privacy: privacy(instance) == Some(false),
        script_version: script(instance).map(|version| version.to_string()),
        stale_credential: is_stale(&plan.fleet, instance),
        not_drained_because: plan.withheld.get(&record.arn).copied(),
    }
}

/// When it is due; an instance that was refused the current password not before the row of refusals is over.
fn next_try(policy: &Policy, instance: &Instance, plan: &Plan, triggers: &Triggers) -> Option<Timestamp> {
    let due = next_attempt(instance, triggers, policy).map(|(at, _)| at)?;
    let is_refused = plan.budget.refused_instances.contains(&instance.id);
    Some(plan.budget.row_ends().filter(|_| is_refused).map_or(due, |ends| ends.max(due)))
}
