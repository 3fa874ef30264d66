//! The value of the state attribute, e.g. `smb.G.state`.

use jiff::Timestamp;

use super::mark::Mark;
use crate::cause::Cause;
use crate::time;

/// What was last proven about an instance's mapping. Times are request times of commands, unless a field says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// EC2 stopped or started the instance: proof requested before `at` does not count.
    Restarted {
        /// The event's time.
        at: Timestamp,
        /// See [`State::logon`].
        logon: Option<Timestamp>,
    },
    /// Proven: our share, read through our drive letter.
    Mapped {
        /// Request time of the first proof since it was last anything else.
        since: Timestamp,
        /// Request time of the last command whose result was judged.
        judged: Timestamp,
        /// See [`State::logon`].
        logon: Option<Timestamp>,
    },
    /// One check failed for a cause that may pass: it is checked again soon, and the gate stays as it was.
    Doubtful {
        /// As in `Mapped`.
        since: Timestamp,
        /// As in `Mapped`.
        judged: Timestamp,
        /// See [`State::logon`].
        logon: Option<Timestamp>,
        /// The cause that the script reported.
        cause: Cause,
    },
    /// Not mapped: the script reported a failure, or there was no result for too long.
    Unmapped {
        /// Failures since the last proof or the last change of the cause's class.
        attempts: u32,
        /// As in `Mapped`.
        judged: Timestamp,
        /// See [`State::logon`].
        logon: Option<Timestamp>,
        /// The last failure's cause.
        cause: Cause,
        /// Request time of the first of those failures.
        failing_since: Timestamp,
    },
}

impl State {
    /// Request time of the last command that logged on with the parameters' password; `None` if none did. All later states
    /// keep it, since it tells which password the mapping was made with.
    pub fn logon(&self) -> Option<Timestamp> {
        match self {
            State::Restarted { logon, .. }
            | State::Mapped { logon, .. }
            | State::Doubtful { logon, .. }
            | State::Unmapped { logon, .. } => *logon,
        }
    }

    /// Request time of the last command whose result was judged; of a restart its own time, since older proof does not count.
    pub fn judged(&self) -> Timestamp {
        match self {
            State::Restarted { at, .. } => *at,
            State::Mapped { judged, .. }
            | State::Doubtful { judged, .. }
            | State::Unmapped { judged, .. } => *judged,
        }
    }

    /// All times that it names.
    pub fn times(&self) -> impl Iterator<Item = Timestamp> {
        let since = match self {
            State::Restarted { .. } => None,
            State::Mapped { since, .. } | State::Doubtful { since, .. } => Some(*since),
            State::Unmapped { failing_since, .. } => Some(*failing_since),
        };
        [Some(self.judged()), self.logon(), since].into_iter().flatten()
    }

    /// The attribute's value: at most 128 characters out of those that ECS allows.
    pub fn print(&self) -> String {
        let stamp = |at: &Timestamp| time::format(*at);
        let or_dash = |at: &Option<Timestamp>| at.map_or_else(|| "-".to_owned(), time::format);
        match self {
            State::Restarted { at, logon } => format!("restarted {} {}", stamp(at), or_dash(logon)),
            State::Mapped { since, judged, logon } => {
                format!("mapped {} {} {}", stamp(since), stamp(judged), or_dash(logon))
            }
            State::Doubtful { since, judged, logon, cause } => {
                format!("doubtful {} {} {} {cause}", stamp(since), stamp(judged), or_dash(logon))
            }
            State::Unmapped { attempts, judged, logon, cause, failing_since } => format!(
                "unmapped {attempts} {} {} {cause} {}",
                stamp(judged),
                or_dash(logon),
                stamp(failing_since)
            ),
        }
    }

    /// The value with the mark of whose proof it is; a state that is no proof has none.
    pub fn print_marked(&self, mark: &Mark) -> String {
        match self {
            State::Mapped { .. } | State::Doubtful { .. } => format!("{} {}", self.print(), mark.print()),
            State::Restarted { .. } | State::Unmapped { .. } => self.print(),
        }
    }

    /// Reads a value and its mark.
    pub fn parse_marked(value: &str) -> Option<(Self, Option<Mark>)> {
        let words = match value.split(' ').next() {
            Some("mapped") => 4,
            Some("doubtful") => 5,
            _ => return Some((Self::parse_plain(value)?, None)),
        };
        let (value, mark) = Mark::split(value, words);
        Some((Self::parse_plain(value)?, mark))
    }

    /// Reads a value of any stack and share; `None` where [`State::print`] and [`State::print_marked`] do not write it.
    pub fn parse(value: &str) -> Option<Self> {
        Self::parse_marked(value).map(|(state, _)| state)
    }

    fn parse_plain(value: &str) -> Option<Self> {
        let words: Vec<&str> = value.split(' ').collect();
        let optional = |word: &str| if word == "-" { Some(None) } else { time::parse(word).map(Some) };
        // An unknown cause, which another version may have written, becomes `unlisted`; the rest is kept.
        let state = match words.as_slice() {
            ["restarted", at, logon] => State::Restarted { at: time::parse(at)?, logon: optional(logon)? },
            ["mapped", since, judged, logon] => State::Mapped {
                since: time::parse(since)?,
                judged: time::parse(judged)?,
                logon: optional(logon)?,
            },
            ["doubtful", since, judged, logon, cause] => State::Doubtful {
                since: time::parse(since)?,
                judged: time::parse(judged)?,
                logon: optional(logon)?,
                cause: Cause::new(cause),
            },
            ["unmapped", attempts, judged, logon, cause, failing_since] => State::Unmapped {
                attempts: attempts.parse().ok()?,
                judged: time::parse(judged)?,
                logon: optional(logon)?,
                cause: Cause::new(cause),
                failing_since: time::parse(failing_since)?,
            },
            _ => return None,
        };
        // Nothing is requested after the judged command. Only what ends a proof without one, such as silence, is noticed later.
        let is_noticed_later = matches!(&state, State::Unmapped { .. });
        let is_past = |at: Timestamp| at <= state.judged();
        let is_possible =
            state.logon().is_none_or(is_past) && (is_noticed_later || state.times().all(is_past));
        is_possible.then_some(state)
    }
}
