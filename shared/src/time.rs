//! Timestamps as this product writes and compares them: UTC, whole milliseconds.
//!
//! The request time of a command is compared with its copy in an attribute, so both must have the same precision. With more
//! digits a time would always be later than its own copy.

use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_types::DateTime;
use jiff::{SignedDuration, Timestamp, Unit};

/// A duration of so many minutes, fractions allowed.
pub fn minutes(minutes: f64) -> SignedDuration {
    SignedDuration::from_millis((minutes * 60_000.0).round() as i64)
}

/// A duration of so many seconds, fractions allowed.
pub fn seconds(seconds: f64) -> SignedDuration {
    SignedDuration::from_millis((seconds * 1_000.0).round() as i64)
}

/// The timestamp cut to whole milliseconds.
pub fn whole_millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// A time as the AWS SDK gives it; `None` outside of the years −9999 to 9999.
///
/// It is rounded: AWS's JSON has seconds as a float, in which 0.472 is 0.47199…, and cut it would be a millisecond early.
pub fn from_aws(at: &DateTime) -> Option<Timestamp> {
    Timestamp::from_nanosecond(at.as_nanos()).ok()?.round(Unit::Millisecond).ok()
}

/// How far a time from outside may be ahead of our clock: an attribute's, a result's, an event's, a parameter's. A later one
/// is not true, and counts as unreadable.
pub const MOST_AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// A time from outside; `None` where it is too far ahead of our clock to be true.
pub fn not_ahead(at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    (at.duration_since(now) <= MOST_AHEAD).then_some(at)
}

/// The time by an SDK client's clock, in whole milliseconds.
pub fn by_clock(clock: Option<SharedTimeSource>) -> Timestamp {
    let now = clock.unwrap_or_default().now();
    Timestamp::try_from(now).map(whole_millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// RFC 3339 in UTC with three decimals, e.g. `2026-11-22T08:00:00.000Z`: 24 characters.
pub fn format(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Reads RFC 3339, with or without decimals, in any offset.
pub fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok().map(whole_millis)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::budget::Parameters;
    use crate::history::{Action, Command, Invocation};
    use crate::ids::{CommandId, InstanceId};
    use crate::invocation::{InvocationResult, Reported};
    use crate::share::{DriveLetter, RemotePath, ShareMapping};
    use crate::state::{AttributeNames, InstanceAttributes, StateAttribute};

    /// An attribute with that value can be read. `<at>` stands for the time.
    fn attribute_is_believed(name: &str, value: &str, at: Timestamp, now: Timestamp) -> bool {
        let names = AttributeNames::new(DriveLetter::parse("G").unwrap());
        let value = value.replace("<at>", &format(at)).replace("<now>", &format(now));
        let attributes = InstanceAttributes::read(&names, now, [(name, Some(&*value))].into_iter());
        attributes.drain.is_ours() || matches!(attributes.state, StateAttribute::Known(_))
    }

    /// What an agent reports that names this time as its step's end and as its host's boot.
    fn reported(at: Timestamp, now: Timestamp) -> Reported {
        let id = CommandId::parse("01234567-89ab-4cde-8f01-23456789abcd").unwrap();
        let instance = InstanceId::parse("i-0000000000000000a").unwrap();
        let command = Command::sent(id, Action::Map, 1, vec![instance.clone()], now);
        let share = ShareMapping {
            drive: DriveLetter::parse("G").unwrap(),
            remote: RemotePath::parse(r"\\fs\share").unwrap(),
        };
        let line = r#"{"smbMapping":"mapped","v":1,"changed":true,"drive":"G:","remote":"\\\\fs\\share","boot":"<at>"}"#;
        let (status_details, output) = ("Success".to_owned(), line.replace("<at>", &format(at)));
        let raw = Invocation { instance_id: instance, finished_at: Some(at), status_details, output };
        Reported::new(raw, &command, &share, now)
    }

    proptest! {
        /// The times of events are the business of map-share.
        #[test]
        fn no_time_from_outside_is_believed_that_is_ahead_of_the_clock(
            at in 1_700_000_000_000..1_900_000_000_000_i64,
            ahead in prop_oneof![-600_000..=600_000_i64, -1_000_000_000_000..4_000_000_000_000_i64],
        ) {
            let at = Timestamp::from_millisecond(at).unwrap();
            let now = at - SignedDuration::from_millis(ahead);
            let is_true = ahead <= 300_000;
            // No time of a state is after its judged command's.
            let states = [
                "restarted <at> -",
                "restarted <later> <at>",
                "mapped <at> <later> -",
                "mapped <earlier> <at> <earlier>",
                "mapped <earlier> <later> <at>",
                "doubtful <earlier> <at> - 53",
                "doubtful <earlier> <later> <at> 53",
                "unmapped 1 <at> - 53 <earlier>",
                "unmapped 1 <later> <at> 53 <earlier>",
                "unmapped 1 <now> - 53 <at>",
            ]
            .map(|state| {
                let state = state.replace("<earlier>", &format(at.min(now)));
                state.replace("<later>", &format(at.max(now)))
            });
            for state in states {
                prop_assert_eq!(attribute_is_believed("smb.G.state", &state, at, now), is_true, "{}", state);
            }
            prop_assert_eq!(attribute_is_believed("smb.G.drain", "done 53 <at>", at, now), is_true);
            let reported = reported(at, now);
            prop_assert_eq!(reported.ended_at, is_true.then_some(at));
            let InvocationResult::Mapped(proof) = reported.result else { panic!("it is a proof") };
            prop_assert_eq!(proof.boot, is_true.then_some(at));
            let earlier = now - SignedDuration::from_hours(1);
            for dates in [[at, earlier], [earlier, at]] {
                let believed = Parameters::from_dates(dates.map(Some), now).changed();
                prop_assert_eq!(believed, is_true.then_some(at.max(earlier)));
            }
        }
    }

    #[test]
    fn a_timestamp_is_printed_with_milliseconds_and_read_back() {
        let at: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
        assert_eq!(format(at), "2026-11-22T08:00:00.000Z");
        assert_eq!(parse(&format(at)), Some(at));
    }

    #[test]
    fn more_digits_than_milliseconds_are_cut_not_rounded() {
        let at = parse("2026-11-22T08:00:00.1239999Z").unwrap();
        assert_eq!(format(at), "2026-11-22T08:00:00.123Z");
    }

    #[test]
    fn what_aws_sends_as_a_float_is_the_millisecond_that_it_means() {
        let sent: Timestamp = "2026-03-01T12:00:01.472Z".parse().unwrap();
        let as_float = sent.as_millisecond() as f64 / 1_000.0;
        assert_eq!(from_aws(&DateTime::from_secs_f64(as_float)), Some(sent));
        assert_eq!(from_aws(&DateTime::from_secs(i64::MAX)), None);
    }

    #[test]
    fn fractions_of_minutes_and_seconds_are_kept() {
        assert_eq!(minutes(0.5), SignedDuration::from_secs(30));
        assert_eq!(seconds(0.25), SignedDuration::from_millis(250));
    }
}
