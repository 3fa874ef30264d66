//! One directory account: its password, its lockout, and a record of every log-on.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::InstanceId;

/// `ERROR_LOGON_FAILURE`: unknown user name or bad password.
const LOGON_FAILURE: u32 = 1326;
/// `ERROR_NO_SUCH_LOGON_SESSION`: a user name without its domain.
const NO_SUCH_LOGON_SESSION: u32 = 1312;
/// `ERROR_ACCOUNT_LOCKED_OUT`.
const ACCOUNT_LOCKED_OUT: u32 = 1909;

/// The directory account that may use the share.
#[derive(Debug, Clone)]
pub struct Account {
    /// `DOMAIN\user`.
    pub user: String,
    /// The password in the directory.
    pub password: String,
    /// The lockout policy, if there is one.
    pub lock_out: Option<LockOut>,
    /// The Win32 error of every log-on: 1331 disabled, 1907 password expired, …
    pub refuses_with: Option<u32>,
    /// The Win32 error of every log-on of one host: 1385 not allowed to log on there, 1329 not from there, …
    pub refuses_alone: BTreeMap<InstanceId, u32>,
    /// The previous password, and until when it still logs on: over NTLM for an hour.
    pub previous: Option<(String, Timestamp)>,
    /// How often one log-on with a wrong password counts towards the lockout: Windows may present it more than once.
    pub multiplier: u32,
    /// Every log-on, oldest first.
    pub log_ons: Vec<LogOn>,
    /// For each lockout, the indexes in `log_ons` of the failures that caused it.
    pub locked_by: Vec<Vec<usize>>,
    bad: VecDeque<(usize, Timestamp)>,
    locked_until: Option<Timestamp>,
}

/// The directory's lockout policy.
#[derive(Debug, Clone, Copy)]
pub struct LockOut {
    /// How many failures lock the account.
    pub threshold: usize,
    /// Within what time they count together.
    pub window: Duration,
    /// How long the account stays locked.
    pub duration: Duration,
}

/// The credential of a log-on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// The values of the two parameters.
    Parameters,
    /// What Windows kept from an earlier mapping.
    Kept,
}

/// One log-on that reached the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOn {
    /// The time.
    pub at: Timestamp,
    /// The host.
    pub instance: InstanceId,
    /// The credential.
    pub presented: Presented,
    /// The password.
    pub password: String,
    /// `Ok`, or the Win32 error.
    pub result: Result<(), u32>,
}

impl Account {
    /// An account without a lockout policy.
    pub fn new(user: &str, password: &str) -> Self {
        Self {
            user: user.to_owned(),
            password: password.to_owned(),
            lock_out: None,
            refuses_with: None,
            refuses_alone: BTreeMap::new(),
            previous: None,
            multiplier: 1,
            log_ons: Vec::new(),
            locked_by: Vec::new(),
            bad: VecDeque::new(),
            locked_until: None,
        }
    }

    /// Whether the account is locked.
    pub fn is_locked(&self, now: Timestamp) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }

    /// Unlocks the account.
    pub fn unlock(&mut self) {
        self.locked_until = None;
        self.bad.clear();
    }

    /// The number of log-ons with that credential that succeeded or failed.
    pub fn count(&self, presented: Presented, good: bool) -> usize {
        self.log_ons.iter().filter(|one| one.presented == presented && one.result.is_ok() == good).count()
    }

    /// One log-on. A failure counts towards the lockout; a success clears the count.
    pub fn log_on(
        &mut self,
        now: Timestamp,
        instance: &InstanceId,
        presented: Presented,
        user: &str,
        password: &str,
    ) -> Result<(), u32> {
        let result = self.check(now, instance, user, password);
        let (instance, password) = (instance.clone(), password.to_owned());
        self.log_ons.push(LogOn { at: now, instance, presented, password, result });
        result
    }

    fn check(
        &mut self,
        now: Timestamp,
        instance: &InstanceId,
        user: &str,
        password: &str,
    ) -> Result<(), u32> {
        if !user.contains(['\\', '@']) {
            return Err(NO_SUCH_LOGON_SESSION);
        }
        if self.is_locked(now) {
            return Err(ACCOUNT_LOCKED_OUT);
        }
        if let Some(code) = self.refuses_with {
            return Err(code);
        }
        // Another user name is another account: the log-on fails, but does not count for this one.
        if !user.eq_ignore_ascii_case(&self.user) {
            return Err(LOGON_FAILURE);
        }
        let alone = self.refuses_alone.get(instance).copied();
        let was_right = |(previous, until): &(String, Timestamp)| password == previous && now < *until;
        if alone.is_none() && (password == self.password || self.previous.as_ref().is_some_and(was_right)) {
            self.bad.clear();
            return Ok(());
        }
        // Another code than that of a wrong password does not count.
        if let Some(code) = alone.filter(|code| *code != LOGON_FAILURE) {
            return Err(code);
        }
        if let Some(policy) = self.lock_out {
            self.bad.extend((0..self.multiplier).map(|_| (self.log_ons.len(), now)));
            while self.bad.front().is_some_and(|(_, first)| *first + policy.window < now) {
                self.bad.pop_front();
            }
            if self.bad.len() >= policy.threshold {
                self.locked_by.push(self.bad.drain(..).map(|(place, _)| place).collect());
                self.locked_until = Some(now + policy.duration);
            }
        }
        Err(LOGON_FAILURE)
    }
}
