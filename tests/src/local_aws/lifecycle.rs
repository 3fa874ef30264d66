//! The lifecycle of hosts as EC2, ECS and SSM see it: launch, stop, start, reboot, terminate, register again.

use std::time::Duration;

use jiff::Timestamp;

use super::LocalAws;
use super::advance::Timer;
use super::ecs::Status;
use super::ecs::task_definitions::register;
use crate::fleet::{Agent, Host, InstanceId, Letter, Platform, Power};

impl LocalAws {
    /// Creates the clusters, task definitions, services and registrations that the world describes.
    pub(crate) fn register_world(&mut self) {
        // The initial state emits no events.
        let keep_events = std::mem::replace(&mut self.keep_events, false);
        for cluster in self.world.clusters.clone() {
            self.ecs.create_cluster(cluster);
        }
        for definition in std::mem::take(&mut self.world.task_definitions) {
            register(self, &definition).expect("the world's task definitions can be registered");
        }
        for (cluster, service) in std::mem::take(&mut self.world.services) {
            self.create_service(&cluster, service);
        }
        let ids: Vec<_> = self.world.hosts.keys().cloned().collect();
        for id in ids {
            let host = &self.world.hosts[&id];
            let (booted, cluster, drained) = (host.booted, host.cluster.clone(), host.drained_by_operator);
            let (agent, late) = (host.agent, host.agent_late_by);
            if agent == Agent::Starting {
                self.after(late, Timer::SsmAgent(id.clone(), booted));
            }
            if let Some(cluster) = cluster {
                let id = self.register(&cluster, &id, booted);
                if drained {
                    let instances = &mut self.ecs.cluster_mut(&cluster).instances;
                    instances.get_mut(&id).expect("registered").status = Status::Draining;
                }
            }
        }
        self.keep_events = keep_events;
    }

    /// Launches a host: EC2 `pending`, then `running`, then its agents come online, at the world's pace.
    pub fn launch(
        &mut self,
        platform: Platform,
        cluster: Option<&str>,
        with: impl FnOnce(Host) -> Host,
    ) -> InstanceId {
        let now = self.now;
        let id = self.world.add(platform, cluster, now, with);
        let host = self.world.host(&id);
        if host.agent == Agent::Online {
            host.agent = Agent::Starting;
        }
        self.boot(&id);
        id
    }

    /// EC2 stops the instance: its agents disconnect; its registration and attributes stay.
    pub fn stop(&mut self, id: &str) {
        self.go_down(id, Power::Stopping, Power::Stopped);
    }

    /// EC2 terminates the instance: as a stop, and then its registration becomes `INACTIVE`.
    pub fn terminate(&mut self, id: &str) {
        self.go_down(id, Power::ShuttingDown, Power::Terminated);
    }

    /// EC2 starts a stopped instance. Windows restores persistent mappings, without a session.
    pub fn start(&mut self, id: &str) {
        let id = self.world.host(id).id.clone();
        self.boot(&id);
    }

    /// The operating system reboots: EC2 emits no event, and running scripts are lost.
    pub fn reboot(&mut self, id: &str) {
        let id = self.world.host(id).id.clone();
        self.silence(&id);
        self.world.host(&id).power = Power::Pending;
        self.booting(&id);
        let delay = self.world.vary(self.world.pace.power, &id, self.now);
        self.after(delay, Timer::Power(id, Power::Running));
    }

    /// The ECS agent lost its state and registers the host again: the old registration stays behind, stale.
    pub fn register_again(&mut self, id: &str) {
        let now = self.now;
        let host = self.world.host(id);
        let (id, Some(cluster)) = (host.id.clone(), host.cluster.clone()) else { return };
        self.connect(&id, false);
        self.register(&cluster, &id, now);
    }

    /// The ECS agent connects or disconnects, which happens several times an hour.
    pub fn set_ecs_connected(&mut self, id: &str, connected: bool) {
        let id = self.world.host(id).id.clone();
        self.connect(&id, connected);
    }

    /// The SSM agent stops answering, until it [returns](Self::ssm_agent_returns).
    pub fn ssm_agent_falls_silent(&mut self, id: &str) {
        let now = self.now;
        let host = self.world.host(id);
        if host.agent == Agent::Online {
            host.agent = Agent::Silent(now);
        }
    }

    /// A silent, absent or dead SSM agent comes online and takes the invocations that wait for it.
    pub fn ssm_agent_returns(&mut self, id: &str) {
        let host = self.world.host(id);
        let (id, booted) = (host.id.clone(), host.booted);
        host.agent = Agent::Starting;
        self.ssm_agent_online(&id, booted);
    }

    fn boot(&mut self, id: &InstanceId) {
        self.world.host(id).power = Power::Pending;
        self.booting(id);
        self.emit_power(id, Power::Pending);
        let delay = self.world.vary(self.world.pace.power, id, self.now);
        self.after(delay, Timer::Power(id.clone(), Power::Running));
    }

    fn booting(&mut self, id: &InstanceId) {
        let now = self.now;
        let host = self.world.host(id);
        host.booted = now;
        host.script_ends = now;
        if let Letter::Smb(mapping) = &mut host.letter {
            mapping.session = None;
        }
    }

    fn go_down(&mut self, id: &str, first: Power, then: Power) {
        let id = self.world.host(id).id.clone();
        self.world.host(&id).power = first;
        self.emit_power(&id, first);
        self.silence(&id);
        let delay = self.world.vary(self.world.pace.power, &id, self.now);
        self.after(delay, Timer::Power(id, then));
    }

    fn silence(&mut self, id: &InstanceId) {
        let now = self.now;
        let host = self.world.host(id);
        if host.agent == Agent::Online {
            host.agent = Agent::Silent(now);
        }
        self.connect(id, false);
        self.stop_tasks_of(id);
    }

    pub(crate) fn power(&mut self, id: &InstanceId, power: Power) {
        let host = self.world.host(id);
        let before = host.power;
        let follows = match power {
            Power::Running => before == Power::Pending,
            Power::Stopped => before == Power::Stopping,
            _ => before == Power::ShuttingDown,
        };
        // Otherwise it was started, stopped or terminated in the meantime.
        if !follows {
            return;
        }
        host.power = power;
        let (booted, in_cluster, late) = (host.booted, host.cluster.is_some(), host.agent_late_by);
        let comes_back = matches!(host.agent, Agent::Starting | Agent::Silent(_));
        self.emit_power(id, power);
        match power {
            Power::Running => {
                if in_cluster {
                    let delay = self.world.vary(self.world.pace.ecs_agent, id, self.now);
                    self.after(delay, Timer::EcsAgent(id.clone(), booted));
                }
                if comes_back {
                    let delay = self.world.vary(self.world.pace.ssm_agent, id, self.now);
                    self.after(delay + late, Timer::SsmAgent(id.clone(), booted));
                }
            }
            Power::Terminated => self.deregister(id),
            _ => {}
        }
    }

    pub(crate) fn ecs_agent_connects(&mut self, id: &InstanceId, boot: Timestamp) {
        let now = self.now;
        let host = self.world.host(id);
        let Some(cluster) = host.cluster.clone() else { return };
        if host.booted != boot || host.power != Power::Running {
            return;
        }
        if self.ecs.newest_registration(id).is_some() {
            self.connect(id, true);
        } else {
            self.register(&cluster, id, now);
        }
    }

    pub(crate) fn ssm_agent_online(&mut self, id: &InstanceId, boot: Timestamp) {
        let host = self.world.host(id);
        if host.booted != boot || !matches!(host.agent, Agent::Starting | Agent::Silent(_)) {
            return;
        }
        host.agent = Agent::Online;
        let lost = std::mem::take(&mut host.runs);
        let waiting = std::mem::take(&mut host.inbox);
        for (command, target) in lost {
            self.run_was_lost(command, target);
        }
        for (command, target) in waiting {
            self.after(Duration::from_millis(200), Timer::PickUp(command, target));
        }
    }
}
