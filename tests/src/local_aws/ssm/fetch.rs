//! A script's `GetParameters` under a rate limit: the SDK on the host retries a throttled call, then the script does,
//! until its time limit. Without a rate limit only the result of the call is modelled.

use std::time::Duration;

use crate::fleet;
use crate::local_aws::advance::Timer;
use crate::local_aws::reply::ApiError;
use crate::local_aws::throttles::Bucket;
use crate::local_aws::{Call, Caller, LocalAws};

/// The attempts of the host's SDK, as in the `standard` retry mode of all AWS SDKs.
const ATTEMPTS: u32 = 3;

/// The longest backoff before the second attempt; it doubles before the third.
const BACKOFF: Duration = Duration::from_secs(1);

/// The script's own pause between two calls: from once to four times this.
const PAUSE: Duration = Duration::from_secs(1);

/// The script's time limit for `parameters`.
const LIMIT: Duration = Duration::from_secs(30);

impl LocalAws {
    /// The script calls for both parameters after `refused` throttled calls.
    pub(crate) fn get_parameters(&mut self, key: u64, target: usize, refused: u32) {
        let now = self.now;
        let Some(invocation) = self.invocation(key, target) else { return };
        let (instance, stopped) = (invocation.instance.clone(), invocation.stopped);
        let started = invocation.started.unwrap_or(now);
        if stopped || self.world.host(&instance).booted > started {
            return;
        }
        let answered = self.throttles.take(Bucket::GetParameters, now);
        self.log_get_parameters(answered);
        // The rest of the script after the call: the log-on and the proof.
        let rest = self.world.vary(self.world.pace.map / 2, &instance, now);
        let share = (fleet::hash(self.world.seed, &instance, now.as_millisecond()) % 1000) as f64 / 1000.0;
        let wait = match refused % ATTEMPTS {
            2 => PAUSE + (PAUSE * 3).mul_f64(share),
            sdk => (BACKOFF * (1 << sdk)).mul_f64(share),
        };
        let host = self.world.host(&instance);
        let until = *host.asks_until.get_or_insert(now + LIMIT);
        if answered {
            host.asks_until = None;
            host.script_ends = now + rest;
            self.after(rest, Timer::RunEnds(key, target));
        } else if now + wait < until {
            host.script_ends = now + wait + rest;
            self.after(wait, Timer::GetParameters(key, target, refused + 1));
        } else {
            host.asks_until = Some(now);
            host.script_ends = now;
            self.after(Duration::ZERO, Timer::RunEnds(key, target));
        }
    }

    fn log_get_parameters(&mut self, answered: bool) {
        self.calls.push(Call {
            at: self.now,
            caller: Caller::named("host"),
            operation: "GetParameters".to_owned(),
            body: Vec::new(),
            effect: answered,
            status: if answered { 200 } else { 400 },
            error: (!answered).then(|| ApiError::throttled().code),
            fault: None,
        });
    }
}
