//! The model of the mapping script: what it finds, does and says on a host.
//!
//! The rules are those of the PowerShell script: `check` changes nothing and never presents the parameters' password,
//! though reading an idle mapping makes Windows log on with the credential it kept; `map` leaves a readable mapping
//! alone, creates a missing one, and replaces only our own unreadable one, after the credentials were fetched.
//! It does not model time limits of single calls; [`Hang`] stands for those.

use std::time::Duration;

use jiff::Timestamp;
use shared::cause::{self, Row};

use super::{
    Account, FileServer, Hang, Host, Letter, Mapping, MappingSettings, Parameters, Presented, World,
};

/// What a run ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The exit code: 0, 75 (may heal) or 78 (will not).
    pub exit_code: i64,
    /// The one result line on standard output.
    pub line: String,
}

/// What the script is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Look.
    Check,
    /// Look, and mend.
    Map,
}

struct Failure {
    cause: String,
    step: &'static str,
    message: &'static str,
}

fn fail<T>(cause: impl ToString, step: &'static str, message: &'static str) -> Result<T, Failure> {
    Err(Failure { cause: cause.to_string(), step, message })
}

/// How long a run that starts now takes; `None`: it never ends by itself.
pub fn duration(
    world: &World,
    host: &Host,
    settings: &MappingSettings,
    action: Action,
    now: Timestamp,
) -> Option<Duration> {
    let pace = &world.pace;
    let own = match host.hang {
        Some(Hang::Process | Hang::Child) => return None,
        Some(Hang::Call) => pace.unreachable * 3,
        None if host.dns_broken || !world.file_server.resolves => pace.unreachable,
        None if host.port_445_blocked || !world.file_server.up => pace.unreachable,
        None => match (&host.letter, action) {
            (Letter::Free, Action::Map) => pace.map,
            (Letter::Smb(mapping), Action::Map)
                if mapping.names(&settings.remote) && mapping.password != world.account.password =>
            {
                pace.reread + pace.map
            }
            _ => pace.check,
        },
    };
    Some(world.vary(own, &host.id, now) + host.script_delay)
}

/// Carries a run out at the moment it ends.
pub fn run(
    world: &mut World,
    id: &str,
    settings: &MappingSettings,
    action: Action,
    now: Timestamp,
) -> Finished {
    let World { hosts, file_server, account, parameters, .. } = world;
    let Some(host) = hosts.get_mut(id) else {
        return report(
            Err(Failure { cause: "unlisted".into(), step: "host", message: "no such host" }),
            settings,
        );
    };
    let boot = host.booted;
    let outcome = Run { host, file_server, account, parameters, settings, now }.carry_out(action);
    report(outcome.map(|(changed, mapping)| (changed, mapping, boot)), settings)
}

/// A run that gave up waiting for another on the same host.
pub fn busy(settings: &MappingSettings) -> Finished {
    let busy = Failure { cause: "busy".into(), step: "mutex", message: "another run holds the mutex" };
    report(Err(busy), settings)
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
    fn carry_out(mut self, action: Action) -> Result<(bool, Mapping), Failure> {
        if self.settings.require_domain && !self.host.domain_joined {
            return fail("not-domain-joined", "domain", "the computer is not joined to a domain");
        }
        if self.host.dns_broken || !self.file_server.resolves {
            return fail("dns", "dns", "the file server's name does not resolve");
        }
        if self.host.port_445_blocked || !self.file_server.up {
            return fail("port-445", "port-445", "no address answers on port 445");
        }
        if self.host.hang == Some(Hang::Call) {
            return fail("call-hung", "look-up", "a call did not return within its limit");
        }
        let ours = match &self.host.letter {
            Letter::Disk => return fail("drive-in-use", "look-up", "the drive letter holds something else"),
            Letter::Smb(mapping) if !mapping.names(&self.settings.remote) => {
                return fail("mapped-elsewhere", "look-up", "the drive letter is mapped to another path");
            }
            Letter::Smb(mapping) => Some(mapping.clone()),
            Letter::Free => None,
        };
        match (ours, action) {
            (None, Action::Check) => fail("not-mapped", "look-up", "the drive letter is free"),
            (None, Action::Map) => {
                let (user, password) = self.credentials()?;
                self.create(&user, &password)
            }
            (Some(mapping), _) => self.adopt_or_replace(mapping, action),
        }
    }

    fn adopt_or_replace(&mut self, mut mapping: Mapping, action: Action) -> Result<(bool, Mapping), Failure> {
        let tries = if action == Action::Map { READS_BEFORE_REPLACING } else { 1 };
        let mut error = 0;
        for _ in 0..tries {
            match self.read(&mut mapping) {
                Ok(()) => {
                    self.host.letter = Letter::Smb(mapping.clone());
                    return Ok((false, mapping));
                }
                Err(code) => error = code,
            }
            // The answer would be the same, and every one counts towards locking the account.
            if LOGON_REFUSED.contains(&error) {
                break;
            }
        }
        let replaceable = REPLACEABLE.contains(&error) || mapping.status != "OK";
        if action == Action::Check || !replaceable {
            return fail(error, "read", "the mapped root cannot be read");
        }
        // Only with the credentials in hand is anything taken away.
        let (user, password) = self.credentials()?;
        self.host.letter = Letter::Free;
        self.create(&user, &password)
    }

    fn credentials(&self) -> Result<(String, String), Failure> {
        if self.host.asks_until.is_some_and(|until| until <= self.now) {
            return fail("parameter-store", "parameters", "Rate exceeded");
        }
        match self.parameters.fetch() {
            Ok((user, password)) => Ok((user.to_owned(), password.to_owned())),
            Err(cause) => fail(cause, "parameters", "the credential parameters cannot be used"),
        }
    }

    fn create(&mut self, user: &str, password: &str) -> Result<(bool, Mapping), Failure> {
        let message = "New-SmbGlobalMapping failed";
        if let Err(code) = self.account.log_on(self.now, &self.host.id, Presented::Parameters, user, password)
        {
            return fail(code, "create", message);
        }
        if !self.file_server.offers(&self.settings.remote) {
            return fail(67, "create", message);
        }
        let mut mapping = Mapping::new(&self.settings.remote, user, password);
        mapping.session = Some((self.file_server.generation(), self.now));
        self.host.letter = Letter::Smb(mapping.clone());
        match self.read(&mut mapping) {
            Ok(()) => Ok((true, mapping)),
            Err(code) => fail(code, "prove", "the new mapping's root cannot be read"),
        }
    }

    /// Reads the root: over a live session, or by logging on with what Windows kept.
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

/// Read errors that make our own mapping a candidate for replacement.
const REPLACEABLE: [u32; 6] = [5, 86, 1326, 1311, 2, 3];

/// Codes of a refused log-on.
const LOGON_REFUSED: [u32; 13] = [86, 1326, 1327, 1328, 1329, 1330, 1331, 1385, 1793, 1907, 1909, 1937, 2202];

/// `map` reads an unreadable root three times over 30 s before it takes the mapping away, unless a log-on was refused.
const READS_BEFORE_REPLACING: usize = 3;

/// The exit code that the table of causes says; a code that is not in it may heal.
fn exit_code(cause: &str) -> i64 {
    let row = cause::known().find(|row| row.cause.as_str() == cause);
    row.and_then(Row::exit_code).map_or(75, i64::from)
}

fn report(outcome: Result<(bool, Mapping, Timestamp), Failure>, settings: &MappingSettings) -> Finished {
    let text = |value: &str| serde_json::Value::from(value).to_string();
    match outcome {
        Ok((changed, mapping, boot)) => Finished {
            exit_code: 0,
            line: format!(
                r#"{{"smbMapping":"mapped","v":1,"changed":{changed},"drive":{},"remote":{},"status":{},"privacy":{},"boot":"{boot:.0}"}}"#,
                text(&settings.drive),
                text(&mapping.remote),
                text(&mapping.status),
                mapping.privacy,
            ),
        },
        Err(Failure { cause, step, message }) => Finished {
            exit_code: match cause.as_str() {
                // The look itself succeeded, and SSM's error count is kept for real errors.
                "not-mapped" => 0,
                cause => exit_code(cause),
            },
            line: format!(
                r#"{{"smbMapping":"failed","v":1,"cause":{},"step":"{step}","message":{}}}"#,
                text(&cause),
                text(message),
            ),
        },
    }
}
