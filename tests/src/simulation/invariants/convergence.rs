//! Invariant 7: once faults stop, every reachable instance ends `mapped`, or `unmapped` with its true cause, and what we
//! drained and can prove is given back.
//!
//! Left out are hosts whose script never speaks (it hangs, or is slower than its limit): what is recorded of them may be
//! anything that was true before. Where the password stays wrong for good, instances wait for it, and only the brake is
//! looked at.

use std::time::Duration;

use jiff::SignedDuration;
use shared::config::{Mode, Policy};
use shared::state::{Drain, State};

use crate::fleet::{Agent, Hang, Host, Letter, Power, World};
use crate::local_aws::LocalAws;
use crate::local_aws::ecs::Status;
use crate::simulation::ground::{Actor, DEADLINE, Ground, Registration};
use crate::simulation::stage::REMOTE;

/// What is promised of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Mapped,
    Unmapped(&'static str),
    /// Its script never says a word.
    Unknowable,
}

/// The longest that it may take: the longest of what an instance can wait for (a check, a canary, an unanswered command),
/// twice, since one may follow from another; a canary's pause for every host that Windows kept another password for,
/// since each may be found on its own, and speaks against the password until a canary has proven it again; and the
/// deadline for every host whose scripts hang, since each may hold up a check or be the canary.
pub fn bound(policy: &Policy, world: &World) -> SignedDuration {
    let verify = policy.verify_every.unwrap_or_default();
    let keeps_another = |host: &&Host| match &host.letter {
        Letter::Smb(mapping) => mapping.names(REMOTE) && mapping.password != world.account.password,
        Letter::Disk | Letter::Free => false,
    };
    let count = |which: &dyn Fn(&&Host) -> bool| {
        i32::try_from(world.hosts.values().filter(which).count()).expect("few hosts")
    };
    (verify + policy.reprobe * 2 + DEADLINE + policy.base * 20) * 2
        + policy.reprobe * 2 * count(&keeps_another)
        + DEADLINE * count(&|host| never_speaks(host))
}

/// Its script hangs, or is slower than it may be.
fn never_speaks(host: &Host) -> bool {
    matches!(host.hang, Some(Hang::Process | Hang::Child)) || host.script_delay > Duration::from_secs(500)
}

/// Whoever has not ended as promised, and how it stands.
pub fn unsettled(aws: &LocalAws, ground: &Ground) -> Vec<String> {
    if ground.policy.mode == Mode::Report || !password_is_right(&aws.world) {
        return Vec::new();
    }
    let reachable = ground.registrations.values().filter(|one| is_reachable(aws, one));
    let open = reachable.filter_map(|one| {
        let host = &aws.world.hosts[&one.ec2];
        let expected = expected(&aws.world, host);
        let ends_well = match expected {
            Expected::Unknowable => true,
            // Where checks are off nobody looks behind an open gate.
            _ if ground.policy.verify_every.is_none() && one.is_open() => true,
            Expected::Mapped => is_mapped(one, host) && !is_owed(ground, one),
            Expected::Unmapped(cause) => is_unmapped(one, cause),
        };
        (!ends_well)
            .then(|| format!("{} must be {expected:?}; {:?}, {:?}", one.ec2, one.status, one.attributes))
    });
    open.collect()
}

fn is_reachable(aws: &LocalAws, one: &Registration) -> bool {
    let host = &aws.world.hosts[&one.ec2];
    let newest = aws.container_instance(&one.ec2).is_some_and(|newest| newest.id == one.id);
    one.counts() && newest && host.power == Power::Running && host.agent == Agent::Online
}

fn password_is_right(world: &World) -> bool {
    world.parameters.fetch().is_ok_and(|(_, password)| password == world.account.password)
}

/// What a `map` would find: in the order in which the script looks.
fn expected(world: &World, host: &Host) -> Expected {
    match &host.letter {
        _ if never_speaks(host) => Expected::Unknowable,
        _ if !host.domain_joined => Expected::Unmapped("not-domain-joined"),
        _ if host.dns_broken || !world.file_server.resolves => Expected::Unmapped("dns"),
        _ if host.port_445_blocked || !world.file_server.up => Expected::Unmapped("port-445"),
        _ if host.hang == Some(Hang::Call) => Expected::Unmapped("call-hung"),
        Letter::Disk => Expected::Unmapped("drive-in-use"),
        Letter::Smb(mapping) if !mapping.names(REMOTE) => Expected::Unmapped("mapped-elsewhere"),
        Letter::Smb(_) | Letter::Free => Expected::Mapped,
    }
}

fn is_mapped(one: &Registration, host: &Host) -> bool {
    one.is_open() && matches!(one.state(), Some(State::Mapped { .. })) && host.is_mapped_to(REMOTE)
}

fn is_unmapped(one: &Registration, expected: &str) -> bool {
    !one.is_open() && matches!(one.state(), Some(State::Unmapped { cause, .. }) if cause.as_str() == expected)
}

/// We drained it, can prove it, and nobody holds it: it must be given back.
fn is_owed(ground: &Ground, one: &Registration) -> bool {
    let ours = matches!(one.attributes.drain, Drain::Done { .. }) && matches!(one.status_by, Actor::Run(_));
    one.status == Status::Draining && ours && one.held_since.is_none() && ground.policy.mode == Mode::Enforce
}
