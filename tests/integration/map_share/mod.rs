//! The whole of `map-share`, with the real SDK clients over the local AWS: its input, its calls and its responses.

#![allow(clippy::unwrap_used, reason = "the helpers belong to the tests")]

mod answers;
mod budget;
mod calls;
mod order;
mod property;
mod rows;
pub(crate) mod samples;
mod sending;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use shared::metrics::Metrics;
use tests::fleet::{Host, World};
use tests::local_aws::LocalAws;
use tests::local_aws::in_process::Process;
use tests::map_share::*;

/// How a host stands when an event about it arrives.
#[derive(Debug, Clone, Copy, PartialEq)]
enum HostKind {
    /// Windows, in the watched cluster, without our attributes.
    New,
    /// The same, with an agent that never registered.
    AgentLate,
    Mapped,
    Failing,
    DrainedByUs,
    DrainedByOperator,
    Linux,
    /// Windows, in a cluster that is not watched.
    OtherCluster,
    /// Windows, in no cluster.
    NotRegistered,
}

impl HostKind {
    /// Adds such a host. `mapped` makes it a mapped one.
    fn add(self, world: World, mapped: impl FnOnce(Host) -> Host) -> World {
        let failing = "unmapped 2 2026-03-01T11:50:00.000Z - 53 2026-03-01T11:45:00.000Z";
        match self {
            HostKind::New => world.windows_instances("apps", 1),
            HostKind::AgentLate => world.windows_instance("apps", |host| host.without_agent()),
            HostKind::Mapped => world.windows_instance("apps", mapped),
            HostKind::Failing => world.windows_instance("apps", |host| {
                host.attribute("smb.G", "shut").attribute("smb.G.state", failing)
            }),
            HostKind::DrainedByUs => world.windows_instance("apps", drained_by_us),
            HostKind::DrainedByOperator => world.windows_instance("apps", Host::drained_by_operator),
            HostKind::Linux => world.linux_instance("apps", |host| host),
            HostKind::OtherCluster => world.windows_instances("others", 1),
            HostKind::NotRegistered => world.foreign_instance(|host| host),
        }
    }
}

fn drained_by_us(host: Host) -> Host {
    host.attribute("smb.G.drain", "done 1130 2026-03-01T11:55:00.000Z").drained_by_operator()
}
