//! Sending to many instances: what is done when SSM or IAM refuses a call for one of its targets.

use std::collections::BTreeSet;

use aws_sdk_ssm::Client;

use super::command::{CommandRequest, SendError, TARGETS_A_COMMAND, send_command};
use crate::aws::AwsError;
use crate::ids::{CommandId, InstanceId};
use crate::ssm;

/// What became of the targets.
#[derive(Debug, Default)]
pub struct Sent {
    /// Commands that SSM accepted, with their targets.
    pub commands: Vec<(CommandId, Vec<InstanceId>)>,
    /// Not online any more, or rejected as the only target: left to the reconcile run.
    pub not_online: Vec<InstanceId>,
    /// IAM does not allow the command for these, with what it said.
    pub denied: Vec<(InstanceId, String)>,
    /// Calls that failed, with their targets.
    pub failed: Vec<(SendError, Vec<InstanceId>)>,
    /// Not sent to, because they have to wait until the command is over.
    pub left: Vec<InstanceId>,
}

/// Calls in a row that IAM refused. After so many nothing more is sent: the role, not a target, is at fault.
#[derive(Debug, Default)]
pub struct Denials(u32);

impl Denials {
    /// Halving fifty targets down to one takes as many.
    const MOST: u32 = 6;

    /// Whether enough calls were refused.
    pub fn are_enough(&self) -> bool {
        self.0 >= Self::MOST
    }
}

/// Sends to any number of instances, in groups. When SSM rejects a group, its agents are read once and the ones that are not
/// online are dropped. If all are online, the group is split until the rejected instance is alone. When IAM refuses a group,
/// which it does for one target that the policy does not allow, the target that it names is left out; where it names none, the
/// group is split.
///
/// SSM's rate control covers the targets of one command only. So where targets have to wait for each other, nothing more is
/// sent after the first command that SSM accepted, or may have accepted.
pub async fn send_in_groups(
    client: &Client,
    request: &CommandRequest<'_>,
    targets: &[InstanceId],
    group: usize,
    denials: &mut Denials,
) -> Sent {
    let mut sent = Sent::default();
    let mut alone: Vec<(InstanceId, String)> = Vec::new();
    // A stack: both halves of a group come before the next group.
    let mut waiting: Vec<Group> = targets
        .chunks(group.clamp(1, TARGETS_A_COMMAND))
        .rev()
        .map(|chunk| Group { targets: chunk.to_vec(), is_looked_up: false })
        .collect();
    while let Some(Group { targets: group, is_looked_up }) = waiting.pop() {
        let answer = send_command(client, request, &group).await;
        match &answer {
            Ok(_) => denials.0 = 0,
            Err(SendError::Denied(_)) => denials.0 += 1,
            Err(_) => {}
        }
        match answer {
            Ok(command) => sent.commands.push((command, group)),
            Err(SendError::InvalidInstance(_)) if group.len() == 1 => sent.not_online.extend(group),
            Err(SendError::InvalidInstance(_)) if is_looked_up => split(&mut waiting, group),
            Err(SendError::InvalidInstance(_)) => match without_offline(client, group).await {
                Ok((online, offline)) if !offline.is_empty() || online.is_empty() => {
                    sent.not_online.extend(offline);
                    waiting.extend(
                        (!online.is_empty()).then_some(Group { targets: online, is_looked_up: true }),
                    );
                }
                Ok((online, _)) => split(&mut waiting, online),
                Err((error, group)) => sent.failed.push((error.into(), group)),
            },
            Err(SendError::Denied(detail)) => {
                match group.iter().find(|id| names(&detail, id)).cloned() {
                    Some(culprit) => {
                        let rest: Vec<InstanceId> = group.into_iter().filter(|id| *id != culprit).collect();
                        sent.denied.push((culprit, detail.clone()));
                        waiting.extend((!rest.is_empty()).then_some(Group { targets: rest, is_looked_up }));
                    }
                    None if group.len() == 1 => {
                        alone.extend(group.into_iter().map(|id| (id, detail.clone())));
                    }
                    None => split(&mut waiting, group),
                }
                if denials.are_enough() && !waiting.is_empty() {
                    let rest = waiting.drain(..).rev().flat_map(|group| group.targets).collect();
                    sent.failed.push((SendError::Denied(detail), rest));
                }
            }
            Err(error) => sent.failed.push((error, group)),
        }
        let is_maybe_at_work = !sent.commands.is_empty() || !sent.failed.is_empty();
        if request.rate_control.is_staggered() && is_maybe_at_work {
            sent.left.extend(waiting.drain(..).rev().flat_map(|group| group.targets));
        }
    }
    sent.settle_alone(alone);
    sent
}

impl Sent {
    /// Targets that IAM refused alone, without a name, are at fault only where it allows the call for another.
    fn settle_alone(&mut self, alone: Vec<(InstanceId, String)>) {
        if self.commands.is_empty() {
            self.failed.extend(alone.into_iter().map(|(id, why)| (SendError::Denied(why), vec![id])));
        } else {
            self.denied.extend(alone);
        }
    }
}

type Agents = (Vec<InstanceId>, Vec<InstanceId>);

/// The targets whose agents are online, and the others.
async fn without_offline(
    client: &Client,
    group: Vec<InstanceId>,
) -> Result<Agents, (AwsError, Vec<InstanceId>)> {
    let ids: BTreeSet<InstanceId> = group.iter().cloned().collect();
    match ssm::describe_agents(client, &ids).await {
        Ok(agents) => {
            Ok(group.into_iter().partition(|id| agents.get(id).is_some_and(|agent| agent.is_online)))
        }
        Err(error) => Err((error, group)),
    }
}

/// The targets of one command.
struct Group {
    targets: Vec<InstanceId>,
    /// Its agents were read already, so that it is split when SSM rejects it again.
    is_looked_up: bool,
}

/// Splits a group at random. With fixed halves an instance that SSM always rejects would be with the same others each time,
/// and where only one command may be sent, these would never get one.
fn split(waiting: &mut Vec<Group>, mut group: Vec<InstanceId>) {
    fastrand::shuffle(&mut group);
    let second = group.split_off(group.len() / 2);
    waiting.push(Group { targets: second, is_looked_up: true });
    waiting.push(Group { targets: group, is_looked_up: true });
}

/// Whether IAM's message names the instance as the resource.
fn names(message: &str, id: &InstanceId) -> bool {
    let resource = format!("instance/{id}");
    let after = |(at, _): (usize, &str)| message[at + resource.len()..].chars().next();
    message.match_indices(&resource).map(after).any(|next| next.is_none_or(|c| !c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> InstanceId {
        InstanceId::parse(text).unwrap()
    }

    #[test]
    fn the_instance_that_iam_names_is_the_whole_id() {
        let message = "not authorized to perform: ssm:SendCommand on resource: arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0 because no identity-based policy allows it";
        assert!(names(message, &id("i-0123456789abcdef0")));
        assert!(!names(message, &id("i-01234567")) && !names(message, &id("i-0123456789abcdef1")));
        assert!(names("instance/i-01234567", &id("i-01234567")));
        assert!(!names("arn:aws:ssm:eu-west-1:111122223333:document/smb-g", &id("i-01234567")));
    }

    #[test]
    fn a_rejected_group_is_halved() {
        let id = |n: u32| InstanceId::parse(&format!("i-{n:08x}")).unwrap();
        let mut waiting = Vec::new();
        split(&mut waiting, vec![id(1), id(2), id(3)]);
        let sizes: Vec<usize> = waiting.iter().map(|group| group.targets.len()).collect();
        assert_eq!(sizes, [2, 1]);
    }
}
