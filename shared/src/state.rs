//! Our attributes on a container instance: the gate, the last proven state, and whose drain it is.
//!
//! Every value can be read, also one that an operator or another version wrote; an unknown one has the safe meaning. Nothing
//! is decided here. See docs/architecture.md, Attributes.

mod attributes;
mod mark;
mod value;

pub use attributes::{AttributeNames, Drain, Gate, HOLD, InstanceAttributes, StateAttribute};
pub use mark::Mark;
pub use value::State;

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;
    use crate::cause::Cause;
    use crate::share::{DriveLetter, RemotePath, ShareMapping};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Later than every time of the tests.
    const NOW: Timestamp = Timestamp::constant(4_102_444_800, 0);

    #[test]
    fn states_are_printed_as_operators_read_them() {
        let (t1, t2) = (at("2026-11-22T08:00:00Z"), at("2026-11-22T09:30:00.250Z"));
        let table = [
            (State::Restarted { at: t1, logon: None }, "restarted 2026-11-22T08:00:00.000Z -"),
            (
                State::Mapped { since: t1, judged: t2, logon: Some(t1) },
                "mapped 2026-11-22T08:00:00.000Z 2026-11-22T09:30:00.250Z 2026-11-22T08:00:00.000Z",
            ),
            (
                State::Doubtful { since: t1, judged: t2, logon: None, cause: Cause::new("53") },
                "doubtful 2026-11-22T08:00:00.000Z 2026-11-22T09:30:00.250Z - 53",
            ),
            (
                State::Unmapped {
                    attempts: 3,
                    judged: t2,
                    logon: None,
                    cause: Cause::new("drive-in-use"),
                    failing_since: t1,
                },
                "unmapped 3 2026-11-22T09:30:00.250Z - drive-in-use 2026-11-22T08:00:00.000Z",
            ),
        ];
        for (state, text) in table {
            assert_eq!(state.print(), text);
            assert_eq!(State::parse(text), Some(state));
        }
    }

    #[test]
    fn an_unreadable_state_is_absent_under_a_shut_gate_and_unreadable_under_an_open_one() {
        let names = AttributeNames::new(DriveLetter::parse("G").unwrap());
        for value in
            ["", "mapped", "mapped x y z", "MAPPED - - -", "unmapped -1 a b c d", "mapped  a b c", "ok"]
        {
            let shut = InstanceAttributes::read(&names, NOW, [("smb.G.state", Some(value))].into_iter());
            assert_eq!((shut.gate, shut.state), (Gate::Shut, StateAttribute::Absent), "{value:?}");
            let open = [("smb.G.state", Some(value)), ("smb.G", Some("mapped"))].into_iter();
            assert_eq!(
                InstanceAttributes::read(&names, NOW, open).state,
                StateAttribute::Unreadable,
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_state_with_a_time_after_its_judged_command_is_unreadable() {
        let (before, judged, after) =
            ("2026-11-22T08:00:00Z", "2026-11-22T09:00:00Z", "2026-11-22T09:00:00.001Z");
        let values = ["restarted J L", "mapped S J L", "doubtful S J L 53", "unmapped 3 J L 53 S"];
        for text in values {
            let parse = |since: &str, logon: &str| {
                State::parse(&text.replace('J', judged).replace('S', since).replace('L', logon))
            };
            assert!(parse(before, judged).is_some() && parse(judged, "-").is_some(), "{text}");
            assert_eq!(parse(before, after), None, "{text}");
            // Silence, for instance, is noticed later.
            let may_be_after = !text.contains('S') || text.starts_with("unmapped");
            assert_eq!(parse(after, "-").is_some(), may_be_after, "{text}");
        }
    }

    fn mark(remote: &str, stack: &str) -> Mark {
        let (drive, remote) = (DriveLetter::parse("G").unwrap(), RemotePath::parse(remote).unwrap());
        Mark::of(&ShareMapping { drive, remote }, stack)
    }

    #[test]
    fn a_proof_of_another_share_is_none_and_what_another_stack_wrote_is_seen() {
        let share = |remote: &str| ShareMapping {
            drive: DriveLetter::parse("G").unwrap(),
            remote: RemotePath::parse(remote).unwrap(),
        };
        let ours = AttributeNames::of_stack(&share(r"\\fs\share"), "smb-g");
        let at = at("2026-11-22T08:00:00Z");
        let proofs = [
            State::Mapped { since: at, judged: at, logon: Some(at) },
            State::Doubtful { since: at, judged: at, logon: None, cause: Cause::new("12345678") },
        ];
        for proof in proofs {
            for gate in ["mapped", "shut"] {
                let read = |value: &str| {
                    let attributes = [("smb.G", Some(gate)), ("smb.G.state", Some(value))];
                    let read = InstanceAttributes::read(&ours, NOW, attributes.into_iter());
                    (read.state, read.is_of_other_stack)
                };
                let known = StateAttribute::Known(proof.clone());
                let of = |remote, stack| read(&proof.print_marked(&mark(remote, stack)));
                assert_eq!(read(&ours.print_state(&proof)), (known.clone(), false));
                assert_eq!(read(&proof.print()), (known.clone(), false), "of an earlier version");
                assert_eq!(of("//FS/share/", "smb-g"), (known.clone(), false), "another spelling");
                assert_eq!(of(r"\\fs\share", "smb-h"), (known, true));
                let other = StateAttribute::OtherShare(proof.clone());
                assert_eq!(of(r"\\fs\share2", "smb-g"), (other.clone(), false));
                assert_eq!(of(r"\\fs\share2", "smb-h"), (other, true));
            }
        }
        for text in [
            "requested 53 2026-11-22T08:00:00.000Z",
            "done 53 2026-11-22T08:00:00.000Z",
            "released 2026-11-22T08:00:00.000Z",
        ] {
            let read = |value: &str| {
                let read = InstanceAttributes::read(&ours, NOW, [("smb.G.drain", Some(value))].into_iter());
                (read.drain, read.is_of_other_stack)
            };
            let drain = Drain::parse(Some(text));
            assert_eq!(read(text), (drain.clone(), false), "of an earlier version");
            assert_eq!(read(&ours.print_drain(&drain).unwrap()), (drain.clone(), false));
            let theirs = drain.print_marked(&mark(r"\\fs\share", "smb-h")).unwrap();
            assert_eq!(read(&theirs), (Drain::OtherStack, true));
            assert!(!Drain::OtherStack.is_ours());
        }
    }

    #[test]
    fn a_drain_value_that_cannot_be_read_is_not_ours() {
        for value in
            ["", "done", "done 53", "done 53 yesterday", "Done 53 2026-11-22T08:00:00.000Z", "requested", "x"]
        {
            assert_eq!(Drain::parse(Some(value)), Drain::Foreign, "{value:?}");
        }
        assert_eq!(Drain::parse(None), Drain::Absent);
    }

    #[test]
    fn another_letters_attributes_are_not_read() {
        let names = AttributeNames::new(DriveLetter::parse("H").unwrap());
        let attributes = InstanceAttributes::read(
            &names,
            NOW,
            [("smb.G", Some("mapped")), ("smb.hold", None)].into_iter(),
        );
        assert_eq!((attributes.gate, attributes.any(), attributes.hold), (Gate::Shut, false, true));
    }

    fn timestamps() -> impl Strategy<Value = Timestamp> {
        (0_i64..4_102_444_800_000).prop_map(|ms| Timestamp::from_millisecond(ms).unwrap())
    }

    fn causes() -> impl Strategy<Value = Cause> {
        let known: Vec<Cause> = crate::cause::known().map(|row| row.cause).collect();
        prop_oneof![proptest::sample::select(known), "[0-9]{1,10}".prop_map(|t| Cause::new(&t))]
    }

    /// States as the product writes them: no time is later than the judged command's.
    fn states() -> impl Strategy<Value = State> {
        let times = (vec(timestamps(), 3), any::<bool>()).prop_map(|(mut times, has_logon)| {
            times.sort_unstable_by(|a, b| b.cmp(a));
            (times[0], times[1], has_logon.then_some(times[2]))
        });
        let state = (0..4, times, causes(), any::<u32>());
        state.prop_map(|(kind, (judged, since, logon), cause, attempts)| match kind {
            0 => State::Restarted { at: judged, logon },
            1 => State::Mapped { since, judged, logon },
            2 => State::Doubtful { since, judged, logon, cause },
            _ => State::Unmapped { attempts, judged, logon, cause, failing_since: since },
        })
    }

    fn drains() -> impl Strategy<Value = String> {
        let drain = (causes(), timestamps(), 0..3).prop_map(|(cause, at, kind)| match kind {
            0 => Drain::Requested { cause, at },
            1 => Drain::Done { cause, at },
            _ => Drain::Released { at },
        });
        drain.prop_map(|drain| drain.print().unwrap())
    }

    /// A value with up to two parts replaced.
    fn edited(values: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
        const TOKENS: [&str; 7] =
            [" ", "-", "+1", "mapped", "done", "9999-12-30T22:00:00+00:30", "-009999-01-02T00:00:00Z"];
        let replacement = prop_oneof![select(&TOKENS[..]).prop_map(str::to_owned), "[ -~]{0,5}"];
        let edits = vec((any::<Index>(), 0..30_usize, replacement), 0..=2);
        (values, edits).prop_map(|(mut text, edits)| {
            for (at, length, replacement) in edits {
                let from = at.index(text.len() + 1);
                text.replace_range(from..(from + length).min(text.len()), &replacement);
            }
            text
        })
    }

    /// Whether ECS accepts it as an attribute's value.
    fn is_storable(value: &str) -> bool {
        value.len() <= 128 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b" -_.:@/\\".contains(&b))
    }

    proptest! {
        #[test]
        fn every_state_survives_being_stored(state in states()) {
            let ours = mark(r"\\fs\share", "smb-g");
            for text in [state.print(), state.print_marked(&ours)] {
                prop_assert!(is_storable(&text), "{text}");
                prop_assert_eq!(State::parse(&text), Some(state.clone()));
            }
        }

        #[test]
        fn every_drain_survives_being_stored(text in drains()) {
            let drain = Drain::parse(Some(&text));
            prop_assert!(is_storable(&text), "{text}");
            prop_assert_ne!(&drain, &Drain::Foreign);
            let marked = drain.print_marked(&mark(r"\\fs\share", "smb-g")).unwrap();
            prop_assert!(is_storable(&marked), "{marked}");
            prop_assert_eq!(&Drain::parse(Some(&marked)), &drain);
            prop_assert_eq!(drain.print(), Some(text));
        }

        #[test]
        fn an_edited_value_is_read_safely(
            text in prop_oneof![edited(states().prop_map(|state| state.print())), edited(drains()), ".{0,140}"],
            gate in 0..4_usize,
        ) {
            let gate = [None, Some("shut"), Some("mapped"), Some(&*text)][gate];
            let is_true = |at: Timestamp| at <= NOW + crate::time::MOST_AHEAD;
            let state = State::parse(&text).filter(|state| state.times().all(is_true));
            if let Some(state) = &state {
                let printed = state.print();
                let parsed = State::parse(&printed);
                prop_assert_eq!(parsed.as_ref(), Some(state));
                prop_assert!(is_storable(&printed), "{printed}");
            }
            let drain = Drain::parse(Some(&text));
            prop_assert!(!drain.is_ours() || text.starts_with("done "));
            if let Some(printed) = drain.print() {
                prop_assert_eq!(Drain::parse(Some(&printed)), drain);
                prop_assert!(is_storable(&printed), "{printed}");
                let at = |text: &str| text.split(' ').next_back().and_then(crate::time::parse);
                prop_assert_eq!(at(&text), at(&printed));
            }
            let names = AttributeNames::new(DriveLetter::parse("G").unwrap());
            let attributes = [("smb.G.state", Some(&*text)), ("smb.G", gate), ("smb.H", Some("mapped"))];
            let attributes = InstanceAttributes::read(&names, NOW, attributes.into_iter());
            let is_open = gate == Some("mapped");
            prop_assert_eq!(attributes.gate == Gate::Mapped, is_open);
            prop_assert_eq!(attributes.state, match state {
                Some(state) => StateAttribute::Known(state),
                None if is_open => StateAttribute::Unreadable,
                None => StateAttribute::Absent,
            });
        }
    }
}
