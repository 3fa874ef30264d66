//! The model of the mapping script: what it finds, does and reports on a host.
//!
//! The rules are those of the PowerShell script. `check` changes nothing and does not use the parameters; but reading an
//! idle mapping makes Windows log on with the kept credential. `map` leaves a readable mapping alone, creates a missing
//! one, and replaces only our own unreadable one, after it has read the parameters. Time limits of single calls are not
//! modelled; [`Hang`] stands for them.

use std::time::Duration;

use jiff::Timestamp;
use shared::cause::{self, Cause, Row};
use shared::fingerprint::SCRIPT_VERSION;
use shared::invocation::Step;

use super::{
    Account, FileServer, Hang, Host, Letter, Lie, LogOn, Mapping, MappingSettings, Parameters, Presented,
    World,
};

/// How a run ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The exit code: 0, 75 (a later run may succeed) or 78 (it will not).
    pub exit_code: i64,
    /// The result line on standard output.
    pub line: String,
}

/// The document's parameter `Action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptAction {
    /// `check`: read the mapping.
    Check,
    /// `map`: also create or replace it.
    Map,
}

impl ScriptAction {
    pub(crate) fn parse(text: Option<&str>) -> Self {
        if text == Some("map") { Self::Map } else { Self::Check }
    }
}

struct RunFailure {
    cause: String,
    step: Step,
    message: &'static str,
}

fn fail<T>(cause: impl ToString, step: Step, message: &'static str) -> Result<T, RunFailure> {
    Err(RunFailure { cause: cause.to_string(), step, message })
}

/// How long a run that starts now takes; `None` where it never ends by itself.
pub fn duration(
    world: &World,
    host: &Host,
    settings: &MappingSettings,
    action: ScriptAction,
    now: Timestamp,
) -> Option<Duration> {
    let pace = &world.pace;
    let own = match host.hang {
        Some(Hang::Process) => return None,
        Some(Hang::Call) => pace.unreachable * 3,
        _ if host.dns_broken || !world.file_server.resolves => pace.unreachable,
        _ if host.port_445_blocked || !world.file_server.up => pace.unreachable,
        _ => match (&host.letter, action) {
            (Letter::Free, ScriptAction::Map) => pace.map,
            (Letter::Smb(mapping), ScriptAction::Map)
                if mapping.names(&settings.remote) && mapping.password != world.account.password =>
            {
                pace.reread + pace.map
            }
            _ => return Some(world.vary_check(pace.check, &host.id, now) + host.script_delay),
        },
    };
    Some(world.vary(own, &host.id, now) + host.script_delay)
}

/// The effect and the report of a run, at the time at which it ends.
pub fn run(
    world: &mut World,
    id: &str,
    settings: &MappingSettings,
    action: ScriptAction,
    now: Timestamp,
) -> Finished {
    let World { hosts, file_server, account, parameters, .. } = world;
    let Some(host) = hosts.get_mut(id) else {
        return report(fail("unlisted", Step::Script, "no such host"), 0, settings);
    };
    let (boot, earlier) = (host.booted, account.log_ons.len());
    match (host.lies, action) {
        (Some(Lie::Mapped), ScriptAction::Check) => {
            return report(Ok((true, Mapping::new(&settings.remote, "", ""), boot)), 0, settings);
        }
        (Some(Lie::Refused), _) => return report(fail(1326, Step::Create, "not true"), 1, settings),
        _ => {}
    }
    let outcome = Run { host, file_server, account, parameters, settings, now }.carry_out(action);
    // SSM stops a check at the first error, so one that answered succeeds unless a log-on may have been refused.
    let may_be_refused = |failure: &RunFailure| {
        failure.step == Step::Read && Cause::new(&failure.cause).may_be_refused_logon()
    };
    let refused_by_a_check = outcome.as_ref().is_err_and(may_be_refused);
    let is_refused = |one: &&LogOn| one.result.is_err_and(is_refused_logon);
    let refused = account.log_ons[earlier..].iter().filter(is_refused).count();
    let mut finished = report(outcome.map(|(changed, mapping)| (changed, mapping, boot)), refused, settings);
    if action == ScriptAction::Check && !refused_by_a_check {
        finished.exit_code = 0;
    }
    finished
}

/// The report of a run that waited too long for another run on the same host.
pub fn busy(settings: &MappingSettings, action: ScriptAction) -> Finished {
    let finished = report(fail("busy", Step::Mutex, "another run holds the mutex"), 0, settings);
    if action == ScriptAction::Check { Finished { exit_code: 0, ..finished } } else { finished }
}

struct Run<'a> {
    host: &'a mut Host,
    file_server: &'a FileServer,
    account: &'a mut Account,
    parameters: &'a Parameters,
    settings: &'a MappingSettings,
    now: Timestamp,
}

impl Run<'_> {
    /// Whether the run changed the mapping, and the mapping.
    fn carry_out(mut self, action: ScriptAction) -> Result<(bool, Mapping), RunFailure> {
        if self.settings.require_domain && !self.host.domain_joined {
            return fail("not-domain-joined", Step::Domain, "the computer is not joined to a domain");
        }
        if self.host.dns_broken || !self.file_server.resolves {
            return fail("dns", Step::Dns, "the file server's name does not resolve");
        }
        if self.host.port_445_blocked || !self.file_server.up {
            return fail("port-445", Step::Port, "no address answers on port 445");
        }
        if self.host.hang == Some(Hang::Call) {
            return fail("call-hung", Step::Look, "a call did not return within its limit");
        }
        let ours = match &self.host.letter {
            Letter::Disk => return fail("drive-in-use", Step::Look, "the drive letter holds something else"),
            Letter::Smb(mapping) if !mapping.names(&self.settings.remote) => {
                return fail("mapped-elsewhere", Step::Look, "the drive letter is mapped to another path");
            }
            Letter::Smb(mapping) => Some(mapping.clone()),
            Letter::Free => None,
        };
        match (ours, action) {
            (None, ScriptAction::Check) => fail("not-mapped", Step::Look, "the drive letter is free"),
            (None, ScriptAction::Map) => {
                let (user, password) = self.credentials()?;
                self.create(&user, &password)
            }
            (Some(mapping), _) => self.adopt_or_replace(mapping, action),
        }
    }

    fn adopt_or_replace(
        &mut self,
        mut mapping: Mapping,
        action: ScriptAction,
    ) -> Result<(bool, Mapping), RunFailure> {
        let tries = if action == ScriptAction::Map { READS_BEFORE_REPLACING } else { 1 };
        let mut error = 0;
        for _ in 0..tries {
            match self.read(&mut mapping) {
                Ok(()) => {
                    self.host.letter = Letter::Smb(mapping.clone());
                    return Ok((false, mapping));
                }
                Err(code) => error = code,
            }
            // Another log-on would be refused too, and each counts towards locking the account.
            if is_refused_logon(error) {
                break;
            }
        }
        let replaceable = REPLACEABLE.contains(&error) || mapping.status != "OK";
        if action == ScriptAction::Check || !replaceable {
            return fail(error, Step::Read, "the mapped root cannot be read");
        }
        // The mapping is removed only after the parameters were read.
        let (user, password) = self.credentials()?;
        self.host.letter = Letter::Free;
        self.create(&user, &password)
    }

    fn credentials(&self) -> Result<(String, String), RunFailure> {
        if self.host.asks_until.is_some_and(|until| until <= self.now) {
            return fail("parameter-store", Step::Parameters, "Rate exceeded");
        }
        match self.parameters.fetch() {
            Ok((user, password)) => Ok((user.to_owned(), password.to_owned())),
            Err(cause) => fail(cause, Step::Parameters, "the credential parameters cannot be used"),
        }
    }

    fn create(&mut self, user: &str, password: &str) -> Result<(bool, Mapping), RunFailure> {
        let message = "New-SmbGlobalMapping failed";
        if let Err(code) = self.account.log_on(self.now, &self.host.id, Presented::Parameters, user, password)
        {
            return fail(code, Step::Create, message);
        }
        if !self.file_server.offers(&self.settings.remote) {
            return fail(67, Step::Create, message);
        }
        let mut mapping = Mapping::new(&self.settings.remote, user, password);
        mapping.session = Some((self.file_server.generation(), self.now));
        self.host.letter = Letter::Smb(mapping.clone());
        match self.read(&mut mapping) {
            Ok(()) => Ok((true, mapping)),
            Err(code) => fail(code, Step::Proof, "the new mapping's root cannot be read"),
        }
    }

    /// Reads the root over the live session, or else after a log-on with the kept credential.
    fn read(&mut self, mapping: &mut Mapping) -> Result<(), u32> {
        let generation = self.file_server.generation();
        let live = mapping.session.is_some_and(|(of, used)| {
            of == generation && self.now.duration_since(used).unsigned_abs() < self.file_server.idle_limit
        });
        if !live {
            mapping.session = None;
            let (user, password) = (&mapping.user, &mapping.password);
            self.account.log_on(self.now, &self.host.id, Presented::Kept, user, password)?;
        }
        if !self.file_server.offers(&mapping.remote) {
            return Err(67);
        }
        if let Some(code) = self.file_server.read_error {
            return Err(code);
        }
        mapping.session = Some((generation, self.now));
        Ok(())
    }
}

/// Read errors after which `map` may replace our own mapping.
const REPLACEABLE: [u32; 6] = [5, 86, 1326, 1311, 2, 3];

/// Whether a log-on was refused.
fn is_refused_logon(code: u32) -> bool {
    Cause::new(&code.to_string()).is_refused_logon()
}

/// How often `map` reads an unreadable root before it replaces the mapping, unless a log-on is refused.
const READS_BEFORE_REPLACING: usize = 3;

/// The exit code in the table of causes; 75 for an unknown code.
fn exit_code(cause: &str) -> i64 {
    let row = cause::known().find(|row| row.cause.as_str() == cause);
    row.and_then(Row::exit_code).map_or(75, i64::from)
}

fn report(
    outcome: Result<(bool, Mapping, Timestamp), RunFailure>,
    refused: usize,
    settings: &MappingSettings,
) -> Finished {
    let text = |value: &str| serde_json::Value::from(value).to_string();
    match outcome {
        Ok((changed, mapping, boot)) => Finished {
            exit_code: 0,
            line: format!(
                r#"{{"smbMapping":"mapped","v":1,"script":"{SCRIPT_VERSION}","changed":{changed},"drive":{},"remote":{},"status":{},"privacy":{},"boot":"{boot:.0}"}}"#,
                text(&settings.drive),
                text(&mapping.remote),
                text(&mapping.status),
                mapping.privacy,
            ),
        },
        Err(RunFailure { cause, step, message }) => Finished {
            exit_code: exit_code(&cause),
            line: format!(
                r#"{{"smbMapping":"failed","v":1,"script":"{SCRIPT_VERSION}","cause":{},"step":"{}","refused":{refused},"message":{}}}"#,
                text(&cause),
                step.as_str(),
                text(message),
            ),
        },
    }
}
