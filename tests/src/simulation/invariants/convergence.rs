//! Invariant 7: when the faults have stopped, every reachable instance becomes `mapped`, or `unmapped` with its true
//! cause, and what we provably drained is given back.
//!
//! Excepted are hosts whose script gives no result, because it hangs or is too slow: their record may be anything that
//! was true before. If the parameter's password stays wrong, all instances wait for it, and nothing is checked here.

use std::time::Duration;

use jiff::SignedDuration;
use shared::config::{Mode, Policy, ROW_GAP};
use shared::state::{Drain, State};

use crate::fleet::{Agent, Hang, Host, Letter, Power, REMOTE, World};
use crate::local_aws::LocalAws;
use crate::local_aws::ecs::Status;
use crate::simulation::causes::is_refused_logon;
use crate::simulation::ground_truth::{Actor, DEADLINE, GroundTruth, Registration};

/// How one host must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Mapped,
    Unmapped(&'static str),
    /// Unmapped, with a refused log-on as its cause.
    Refused,
    Anything,
}

/// The longest time that convergence may take. It adds up:
/// - twice the longest wait of an instance (for a check, a canary, a lost command), since one may follow another;
/// - 31 minutes for the refusals before, and again for every host that is refused: each may be found alone;
/// - the same and the deadline for every host without results: each may delay a check or be the canary, and then counts as
///   refused.
pub(in crate::simulation) fn bound(policy: &Policy, world: &World) -> SignedDuration {
    let verify = policy.verify_every.unwrap_or_default();
    let is_refused = |host: &&Host| match &host.letter {
        _ if world.account.refuses_alone.contains_key(&host.id) || host.lies.is_some() => true,
        Letter::Smb(mapping) => mapping.names(REMOTE) && mapping.password != world.account.password,
        Letter::Disk | Letter::Free => false,
    };
    let count = |which: &dyn Fn(&&Host) -> bool| {
        i32::try_from(world.hosts.values().filter(which).count()).expect("few hosts")
    };
    (verify + policy.reprobe * 2 + DEADLINE + policy.base * 20) * 2
        + ROW_GAP * (1 + count(&is_refused))
        + (ROW_GAP + DEADLINE) * count(&|host| gives_no_result(host))
}

/// Its script hangs, or is slower than the pace of checks believes.
pub(super) fn gives_no_result(host: &Host) -> bool {
    matches!(host.hang, Some(Hang::Process | Hang::Child)) || host.script_delay > Duration::from_secs(360)
}

/// The instances that are not as they must be.
pub(in crate::simulation) fn not_converged(aws: &LocalAws, ground_truth: &GroundTruth) -> Vec<String> {
    if ground_truth.policy.mode == Mode::Report || !password_is_right(&aws.world) {
        return Vec::new();
    }
    let reachable = ground_truth.registrations.values().filter(|one| is_reachable(aws, one));
    let wrong = reachable.filter_map(|one| {
        let host = &aws.world.hosts[&one.ec2];
        let expected = expected(&aws.world, host);
        let is_right = match expected {
            Expected::Anything => true,
            // Without checks nobody looks behind an open gate.
            _ if ground_truth.policy.verify_every.is_none() && one.is_open() => true,
            Expected::Mapped => {
                one.is_mapped() && host.is_mapped_to(REMOTE) && !must_be_given_back(ground_truth, one)
            }
            Expected::Unmapped(expected) => is_unmapped(one, |cause| cause == expected),
            Expected::Refused => is_unmapped(one, is_refused_logon),
        };
        (!is_right)
            .then(|| format!("{} must be {expected:?}; {:?}, {:?}", one.ec2, one.status, one.attributes))
    });
    wrong.collect()
}

/// A `map` fails on it, for another reason than what the drive letter holds.
pub(super) fn has_a_fault(world: &World, host: &Host) -> bool {
    !host.domain_joined
        || !world.may_be_sent_to(host)
        || host.dns_broken
        || host.port_445_blocked
        || host.hang.is_some()
        || host.is_liar()
        || world.account.refuses_alone.contains_key(&host.id)
}

fn is_reachable(aws: &LocalAws, one: &Registration) -> bool {
    let host = &aws.world.hosts[&one.ec2];
    let is_newest = aws.container_instance(&one.ec2).is_some_and(|newest| newest.id == one.id);
    one.counts() && is_newest && host.power == Power::Running && host.agent == Agent::Online
}

fn password_is_right(world: &World) -> bool {
    world.parameters.fetch().is_ok_and(|(_, password)| password == world.account.password)
}

/// What a `map` would find, in the order in which the script looks.
fn expected(world: &World, host: &Host) -> Expected {
    match &host.letter {
        _ if !world.may_be_sent_to(host) => Expected::Unmapped("refused-by-ssm"),
        // A host that is refused alone stays mapped while its session lives.
        _ if gives_no_result(host) || host.lies.is_some() => Expected::Anything,
        Letter::Smb(_) if world.account.refuses_alone.contains_key(&host.id) => Expected::Anything,
        _ if !host.domain_joined => Expected::Unmapped("not-domain-joined"),
        _ if host.dns_broken || !world.file_server.resolves => Expected::Unmapped("dns"),
        _ if host.port_445_blocked || !world.file_server.up => Expected::Unmapped("port-445"),
        _ if host.hang == Some(Hang::Call) => Expected::Unmapped("call-hung"),
        Letter::Disk => Expected::Unmapped("drive-in-use"),
        Letter::Smb(mapping) if !mapping.names(REMOTE) => Expected::Unmapped("mapped-elsewhere"),
        Letter::Free if world.account.refuses_alone.contains_key(&host.id) => Expected::Refused,
        Letter::Smb(_) | Letter::Free => Expected::Mapped,
    }
}

fn is_unmapped(one: &Registration, is_expected: impl Fn(&str) -> bool) -> bool {
    !one.is_open()
        && matches!(one.state(), Some(State::Unmapped { cause, .. }) if is_expected(cause.as_str()))
}

/// We provably drained it, and nobody holds it.
fn must_be_given_back(ground_truth: &GroundTruth, one: &Registration) -> bool {
    let is_our_drain =
        matches!(one.attributes.drain, Drain::Done { .. }) && matches!(one.status_by, Actor::Run(_));
    one.status == Status::Draining
        && is_our_drain
        && one.held_since.is_none()
        && ground_truth.policy.mode == Mode::Enforce
}
