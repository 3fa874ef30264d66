//! What a directory would have counted, from the record of log-ons alone. The modelled account has no lock-out policy, so
//! no history changes because an account was locked.

use jiff::{SignedDuration, Timestamp};

use crate::fleet::LogOn;

/// A directory forgets a bad log-on after this time, and a locked account stays locked as long.
const HALF_AN_HOUR: SignedDuration = SignedDuration::from_mins(30);

/// Refused log-ons of one history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Most within 30 minutes, whatever was let in between.
    pub most: usize,
    /// The directory's own count at its highest: it falls to 0 at a good log-on, and after 30 minutes without a bad one.
    pub highest: usize,
    /// How often an account would have been locked at thresholds 5 and 10, then the same where one log-on counts three
    /// times.
    pub locks: [usize; 4],
}

impl Refusals {
    /// Counts them. The log-ons are in the order of their times.
    pub fn of(log_ons: &[LogOn]) -> Self {
        let highest = counts(log_ons).max().unwrap_or(0);
        let locks =
            [(5, 1), (10, 1), (5, 3), (10, 3)].map(|(threshold, weight)| locks(log_ons, threshold, weight));
        Refusals { most: most_within(log_ons), highest, locks }
    }

    /// The larger of each figure.
    pub fn max(self, other: Self) -> Self {
        Refusals {
            most: self.most.max(other.most),
            highest: self.highest.max(other.highest),
            locks: std::array::from_fn(|n| self.locks[n].max(other.locks[n])),
        }
    }
}

fn most_within(log_ons: &[LogOn]) -> usize {
    let bad: Vec<Timestamp> = log_ons.iter().filter(|one| one.result.is_err()).map(|one| one.at).collect();
    let until = |n: usize| bad[n..].partition_point(|at| at.duration_since(bad[n]) < HALF_AN_HOUR);
    (0..bad.len()).map(until).max().unwrap_or(0)
}

/// The directory's count after each log-on.
fn counts(log_ons: &[LogOn]) -> impl Iterator<Item = usize> {
    let mut count = Count::default();
    log_ons.iter().map(move |one| count.after(one, 1))
}

fn locks(log_ons: &[LogOn], threshold: usize, weight: usize) -> usize {
    let (mut count, mut locks, mut locked_until) = (Count::default(), 0, Timestamp::MIN);
    for one in log_ons {
        if one.at >= locked_until && count.after(one, weight) >= threshold {
            (locks, locked_until) = (locks + 1, one.at + HALF_AN_HOUR);
            count = Count::default();
        }
    }
    locks
}

#[derive(Default)]
struct Count {
    bad: usize,
    last: Option<Timestamp>,
}

impl Count {
    fn after(&mut self, one: &LogOn, weight: usize) -> usize {
        if one.result.is_ok() || self.last.is_some_and(|last| one.at.duration_since(last) >= HALF_AN_HOUR) {
            self.bad = 0;
        }
        if one.result.is_err() {
            (self.bad, self.last) = (self.bad + weight, Some(one.at));
        }
        self.bad
    }
}

/// The value that `percent` of the values do not exceed; 0 where there is none.
pub(super) fn percentile(mut values: Vec<i64>, percent: usize) -> i64 {
    values.sort_unstable();
    let place = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Presented;

    /// Log-ons in those minutes, `-` before the minute where it was refused.
    fn log_ons(minutes: &[i64]) -> Vec<LogOn> {
        let base: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let log_on = |minute: &i64| LogOn {
            at: base + SignedDuration::from_mins(minute.abs()),
            instance: "i-1".into(),
            presented: Presented::Parameters,
            password: String::new(),
            result: if *minute < 0 { Err(1326) } else { Ok(()) },
        };
        minutes.iter().map(log_on).collect()
    }

    #[test]
    fn a_good_log_on_and_half_an_hour_end_the_directorys_count() {
        for (minutes, most, highest, locks) in [
            (&[][..], 0, 0, [0, 0, 0, 0]),
            (&[-1, -2, 3, -4], 3, 2, [0, 0, 1, 0]),
            (&[-1, -20, -49], 2, 3, [0, 0, 1, 0]),
            (&[-1, -31, -61], 1, 1, [0, 0, 0, 0]),
            (&[-1, -2, -3, -4, -5, -6], 6, 6, [1, 0, 1, 1]),
            // While the account is locked nothing counts.
            (&[-1, -2, -10, -20, -40, -41], 4, 6, [1, 0, 2, 1]),
        ] {
            let expected = Refusals { most, highest, locks };
            assert_eq!(Refusals::of(&log_ons(minutes)), expected, "{minutes:?}");
        }
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        assert_eq!([50, 90, 100].map(|percent| percentile(vec![3, 1, 2, 4], percent)), [2, 4, 4]);
        assert_eq!(percentile(Vec::new(), 50), 0);
    }
}
