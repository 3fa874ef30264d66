//! One directory account: its password, its lock-out, and a record of every log-on with what was presented.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::InstanceId;

/// Win32 codes a log-on ends with.
pub mod code {
    /// `ERROR_LOGON_FAILURE`: unknown user name or bad password.
    pub const LOGON_FAILURE: u32 = 1326;
    /// `ERROR_NO_SUCH_LOGON_SESSION`: a user name without its domain.
    pub const NO_SUCH_LOGON_SESSION: u32 = 1312;
    /// `ERROR_ACCOUNT_LOCKED_OUT`.
    pub const ACCOUNT_LOCKED_OUT: u32 = 1909;
}

/// The directory account that may use the share.
#[derive(Debug, Clone)]
pub struct Account {
    /// `DOMAIN\user`.
    pub user: String,
    /// The password that the directory holds.
    pub password: String,
    /// When bad log-ons lock it; `None`: never.
    pub lock_out: Option<LockOut>,
    /// Refuses every log-on with this code, whatever is presented: 1331 disabled, 1907 password expired, …
    pub refuses_with: Option<u32>,
    /// Every log-on, oldest first.
    pub log_ons: Vec<LogOn>,
    /// For each time that it was locked, the log-ons that locked it, by their places among all.
    pub locked_by: Vec<Vec<usize>>,
    bad: VecDeque<(usize, Timestamp)>,
    locked_until: Option<Timestamp>,
}

/// A directory's lock-out policy.
#[derive(Debug, Clone, Copy)]
pub struct LockOut {
    /// That many bad log-ons lock the account …
    pub threshold: usize,
    /// … when they fall into this time …
    pub window: Duration,
    /// … for this long.
    pub duration: Duration,
}

/// What a host presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// What the two parameters held.
    Parameters,
    /// What Windows kept of an earlier mapping.
    Kept,
}

/// One log-on that reached the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOn {
    /// When it happened.
    pub at: Timestamp,
    /// From which host.
    pub instance: InstanceId,
    /// What was presented.
    pub presented: Presented,
    /// The password in it.
    pub password: String,
    /// `Ok`, or the Win32 code.
    pub result: Result<(), u32>,
}

impl Account {
    /// An account that never locks.
    pub fn new(user: &str, password: &str) -> Self {
        Self {
            user: user.to_owned(),
            password: password.to_owned(),
            lock_out: None,
            refuses_with: None,
            log_ons: Vec::new(),
            locked_by: Vec::new(),
            bad: VecDeque::new(),
            locked_until: None,
        }
    }

    /// Whether a log-on at `now` would find the account locked.
    pub fn is_locked(&self, now: Timestamp) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }

    /// An administrator unlocks it.
    pub fn unlock(&mut self) {
        self.locked_until = None;
        self.bad.clear();
    }

    /// How many log-ons presented that, and succeeded or not.
    pub fn count(&self, presented: Presented, good: bool) -> usize {
        self.log_ons.iter().filter(|one| one.presented == presented && one.result.is_ok() == good).count()
    }

    /// One log-on. A bad one counts towards the lock-out, a good one clears the count, a locked account refuses both.
    pub fn log_on(
        &mut self,
        now: Timestamp,
        instance: &InstanceId,
        presented: Presented,
        user: &str,
        password: &str,
    ) -> Result<(), u32> {
        let result = self.judge(now, user, password);
        let (instance, password) = (instance.clone(), password.to_owned());
        self.log_ons.push(LogOn { at: now, instance, presented, password, result });
        result
    }

    fn judge(&mut self, now: Timestamp, user: &str, password: &str) -> Result<(), u32> {
        if !user.contains(['\\', '@']) {
            return Err(code::NO_SUCH_LOGON_SESSION);
        }
        if self.is_locked(now) {
            return Err(code::ACCOUNT_LOCKED_OUT);
        }
        if let Some(code) = self.refuses_with {
            return Err(code);
        }
        // A wrong user name is somebody else's account: it fails and does not count here.
        if !user.eq_ignore_ascii_case(&self.user) {
            return Err(code::LOGON_FAILURE);
        }
        if password == self.password {
            self.bad.clear();
            return Ok(());
        }
        if let Some(policy) = self.lock_out {
            self.bad.push_back((self.log_ons.len(), now));
            while self.bad.front().is_some_and(|(_, first)| *first + policy.window < now) {
                self.bad.pop_front();
            }
            if self.bad.len() >= policy.threshold {
                self.locked_by.push(self.bad.drain(..).map(|(place, _)| place).collect());
                self.locked_until = Some(now + policy.duration);
            }
        }
        Err(code::LOGON_FAILURE)
    }
}
