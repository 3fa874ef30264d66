//! Draws single disturbances, each with its end.

use std::time::Duration;

use super::deed::{ByOperator, Corruption, Deed, Disturbance, Flaw, HostNumber, Kind, Server};
use super::dictated::DICTATED;
use super::plan::MOST_HOSTS;
use crate::fleet::{Hang, Readable};
use crate::local_aws::faults::{Fault, FaultRule};

/// What has been drawn so far.
pub(super) struct Draw<'r> {
    pub(super) rng: &'r mut fastrand::Rng,
    /// Hosts that were launched and not terminated.
    pub(super) there: Vec<HostNumber>,
    pub(super) next: HostNumber,
    /// How many passwords there have been.
    pub(super) passwords: u32,
}

const CALLS: [&str; 9] = [
    "ListContainerInstances",
    "DescribeContainerInstances",
    "ListCommands",
    "ListCommandInvocations",
    "DescribeInstanceInformation",
    "DescribeParameters",
    "PutAttributes",
    "SendCommand",
    "UpdateContainerInstancesState",
];

impl Draw<'_> {
    /// One disturbance of that kind that begins then; `None` where there is nobody whom it could befall.
    pub(super) fn disturbance(&mut self, at: Duration, kind: Kind) -> Option<Disturbance> {
        let deeds = match kind {
            Kind::ScaleOut => self.scale_out(at),
            Kind::ScaleIn => self.scale_in(at)?,
            Kind::Restart => self.restart(at)?,
            Kind::Letter => {
                let how = self.corruption();
                self.some_hosts()?.into_iter().map(|host| (at, Deed::Corrupt(host, how))).collect()
            }
            Kind::Host => self.host(at)?,
            Kind::FileServer => self.file_server(at),
            Kind::Directory => {
                let code = self.one_of(&[1355, 1311, 1331, 1907, 1385]);
                vec![(at, Deed::Refuse(Some(code))), (at + self.minutes(1, 40), Deed::Refuse(None))]
            }
            Kind::Password => self.password(at),
            Kind::Parameter => {
                let how = self.one_of(&[
                    Readable::Missing,
                    Readable::Denied,
                    Readable::KmsDenied,
                    Readable::Unreachable,
                ]);
                let end = at + self.minutes(1, 40);
                vec![(at, Deed::Parameter(how)), (end, Deed::Parameter(Readable::Yes))]
            }
            Kind::Ssm => self.ssm(at)?,
            Kind::Ecs => self.ecs(at)?,
            Kind::Operator => self.operator(at)?,
            Kind::Tasks => match self.rng.u8(0..4) {
                0 => vec![(at, Deed::StopTasks(self.rng.usize(1..=3)))],
                _ => vec![(at, Deed::RunTasks(self.rng.usize(1..=4), self.rng.u8(0..4) > 0))],
            },
            Kind::Cloud => self.cloud(at),
        };
        Some(Disturbance { kind, deeds })
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.rng.usize(0..values.len())]
    }

    /// Seconds from so many to so many minutes.
    fn minutes(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_secs(self.rng.u64(least * 60..=most * 60))
    }

    fn host_number(&mut self) -> Option<HostNumber> {
        if self.there.is_empty() { None } else { Some(self.there[self.rng.usize(0..self.there.len())]) }
    }

    /// One, a few, or sometimes all.
    fn some_hosts(&mut self) -> Option<Vec<HostNumber>> {
        let first = self.host_number()?;
        let mut some = vec![first];
        match self.rng.u8(0..10) {
            0 => some.clone_from(&self.there),
            1..=3 => some.extend((0..3).filter_map(|_| self.host_number())),
            _ => {}
        }
        some.sort_unstable();
        some.dedup();
        Some(some)
    }

    fn corruption(&mut self) -> Corruption {
        use Corruption::{Disk, Elsewhere, Lost, OldPassword, WrongStatus};
        self.one_of(&[Lost, Lost, Lost, Elsewhere, Disk, OldPassword, WrongStatus])
    }

    fn flaw(&mut self) -> Flaw {
        let slow = Flaw::Slow(Duration::from_secs(self.rng.u64(10..700)));
        let hangs = self.one_of(&[Hang::Call, Hang::Process, Hang::Child]);
        self.one_of(&[Flaw::Port445, Flaw::Port445, Flaw::Dns, Flaw::Hangs(hangs), slow, Flaw::OutsideDomain])
    }

    fn scale_out(&mut self, at: Duration) -> Vec<(Duration, Deed)> {
        let room = MOST_HOSTS.saturating_sub(self.there.len());
        let wave = self.rng.usize(1..=8).min(room);
        // SSM registers herds late, and then all at once.
        let late = if self.rng.u8(0..4) == 0 { self.minutes(1, 12) } else { Duration::ZERO };
        let mut deeds = Vec::new();
        for _ in 0..wave {
            let host = self.next;
            self.next += 1;
            self.there.push(host);
            let at = at + Duration::from_millis(self.rng.u64(0..20_000));
            let late = late + Duration::from_secs(self.rng.u64(0..90));
            match self.rng.u8(0..12) {
                0 => {
                    deeds.push((at, Deed::Launch(host, late, Some(Flaw::OutsideDomain), None)));
                    deeds.push((at + self.minutes(1, 9), Deed::JoinDomain(host)));
                }
                1 => {
                    let flaw = self.flaw();
                    deeds.push((at, Deed::Launch(host, late, Some(flaw), None)));
                    if self.rng.bool() {
                        deeds.push((at + self.minutes(10, 80), Deed::Mend(host, flaw)));
                    }
                }
                2 => {
                    let letter = self.corruption();
                    deeds.push((at, Deed::Launch(host, late, None, Some(letter))));
                }
                _ => deeds.push((at, Deed::Launch(host, late, None, None))),
            }
        }
        deeds
    }

    fn scale_in(&mut self, at: Duration) -> Option<Vec<(Duration, Deed)>> {
        let hosts = self.some_hosts()?;
        self.there.retain(|host| !hosts.contains(host));
        let notice = self.rng.u8(0..4);
        let end = at + self.minutes(1, 5);
        let mut deeds = Vec::new();
        for host in hosts {
            match notice {
                0 => deeds.push((at, Deed::WarnOfSpot(host))),
                1 => deeds.push((at, Deed::TerminateAction(host))),
                // Managed draining: the capacity provider drains before the host ends.
                2 => {
                    deeds.push((at, Deed::TerminateAction(host)));
                    deeds.push((at, Deed::Operator(host, ByOperator::Drain)));
                }
                _ => {}
            }
            deeds.push((if notice == 3 { at } else { end }, Deed::Terminate(host)));
        }
        Some(deeds)
    }

    fn restart(&mut self, at: Duration) -> Option<Vec<(Duration, Deed)>> {
        let hosts = self.some_hosts()?;
        let back = at + self.minutes(1, 20);
        let reboot = self.rng.bool();
        let forgets = self.rng.u8(0..3) == 0;
        let mut deeds = Vec::new();
        for host in hosts {
            if reboot {
                deeds.push((at, Deed::Reboot(host)));
            } else {
                deeds.extend([(at, Deed::Stop(host)), (back, Deed::Start(host))]);
            }
            if forgets {
                deeds.push((at, Deed::Corrupt(host, Corruption::Lost)));
            }
        }
        Some(deeds)
    }

    fn host(&mut self, at: Duration) -> Option<Vec<(Duration, Deed)>> {
        let flaw = self.flaw();
        let ends = self.rng.u8(0..4) > 0;
        let end = at + self.minutes(2, 80);
        let mut deeds = Vec::new();
        for host in self.some_hosts()? {
            deeds.push((at, Deed::Break(host, flaw)));
            if ends {
                deeds.push((end, Deed::Mend(host, flaw)));
            }
        }
        Some(deeds)
    }

    fn file_server(&mut self, at: Duration) -> Vec<(Duration, Deed)> {
        let code = self.one_of(&[5, 2, 53, 59, 64]);
        let what = self.one_of(&[
            Server::Down,
            Server::Down,
            Server::SessionsEnd,
            Server::Unresolved,
            Server::Renamed,
            Server::ReadError(code),
        ]);
        // A fail-over takes half a minute or two, a maintenance half an hour.
        let lasts =
            if self.rng.bool() { Duration::from_secs(self.rng.u64(20..150)) } else { self.minutes(10, 40) };
        vec![(at, Deed::FileServer(what)), (at + lasts, Deed::FileServer(Server::Well))]
    }

    fn password(&mut self, at: Duration) -> Vec<(Duration, Deed)> {
        self.passwords += 1;
        let new = self.passwords;
        let later = at + self.minutes(0, 50);
        let (directory, parameter) = (Deed::DirectoryPassword(new), Deed::ParameterPassword(new));
        match self.rng.u8(0..4) {
            0 => vec![(at, directory), (at, parameter)],
            1 => vec![(at, directory), (later, parameter)],
            2 => vec![(at, parameter), (later, directory)],
            // A mistake, and the right one again.
            _ => vec![(at, Deed::ParameterPassword(1000 + new)), (later, Deed::ParameterPassword(new - 1))],
        }
    }

    fn ssm(&mut self, at: Duration) -> Option<Vec<(Duration, Deed)>> {
        let end = at + self.minutes(2, 100);
        let dictated = self.rng.usize(0..DICTATED.len());
        let times = self.rng.usize(1..=4);
        let silent = self.rng.bool();
        let mut deeds = Vec::new();
        for host in self.some_hosts()? {
            if silent {
                deeds.extend([(at, Deed::SilenceAgent(host)), (end, Deed::AgentReturns(host))]);
            } else {
                deeds.extend((0..times).map(|_| (at, Deed::Dictate(host, dictated))));
            }
        }
        Some(deeds)
    }

    fn ecs(&mut self, at: Duration) -> Option<Vec<(Duration, Deed)>> {
        let back = at + Duration::from_secs(self.rng.u64(2..900));
        let again = self.rng.u8(0..4) == 0;
        let mut deeds = Vec::new();
        for host in self.some_hosts()? {
            if again {
                deeds.push((at, Deed::RegisterAgain(host)));
            } else {
                deeds.extend([(at, Deed::Connect(host, false)), (back, Deed::Connect(host, true))]);
            }
        }
        Some(deeds)
    }

    fn operator(&mut self, at: Duration) -> Option<Vec<(Duration, Deed)>> {
        let host = self.host_number()?;
        let number = self.rng.usize(0..3);
        let by = |deed| Deed::Operator(host, deed);
        let later = at + self.minutes(1, 40);
        Some(match self.rng.u8(0..12) {
            0 | 1 => vec![(at, by(ByOperator::Drain))],
            2 | 3 => vec![(at, by(ByOperator::Activate))],
            4 => vec![(at, by(ByOperator::Drain)), (later, by(ByOperator::Activate))],
            5 => vec![(at, by(ByOperator::Hold))],
            6 => vec![(at, by(ByOperator::Hold)), (later, by(ByOperator::ReleaseHold))],
            7 => vec![(at, by(ByOperator::Deregister))],
            8 => vec![(at, by(ByOperator::Delete(number)))],
            9 => vec![(at, by(ByOperator::Scribble(number)))],
            10 => vec![(at, by(self.one_of(&[ByOperator::OpenGate, ByOperator::ShutGate])))],
            _ => vec![(at, Deed::AskByHand(self.some_hosts()?))],
        })
    }

    fn cloud(&mut self, at: Duration) -> Vec<(Duration, Deed)> {
        let operation = self.one_of(&CALLS);
        let fault = match self.rng.u8(0..6) {
            0 => Fault::Throttle,
            1 => Fault::ErrorBefore(500),
            2 => Fault::ErrorAfter(503),
            3 => Fault::AnswerLost,
            4 => Fault::NotReached,
            _ => Fault::Late(Duration::from_secs(6)),
        };
        let times = self.rng.u32(1..60);
        match self.rng.u8(0..5) {
            0 => vec![(at, Deed::Recycle)],
            1 => {
                let rate = self.rng.u32(10..39);
                vec![(at, Deed::CustomerTakes(rate)), (at + self.minutes(1, 30), Deed::CustomerTakes(0))]
            }
            _ => vec![(at, Deed::Outage(FaultRule::once(operation, fault).times(times)))],
        }
    }
}
