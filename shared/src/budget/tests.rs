mod properties;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::cause::Cause;
use crate::config::{Policy, ROW_GAP};
use crate::history::{Action, Command};
use crate::ids::{CommandId, InstanceId};
use crate::invocation::{Failure, InvocationResult, Proof, Reported, Step};

/// A time in seconds; the parameters changed at 0, and now is 10,000.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

const NOW: i64 = 10_000;
const GAP: i64 = 31 * 60;

fn id(n: u32) -> InstanceId {
    InstanceId::parse(&format!("i-{n:08x}")).unwrap()
}

/// `map` or `check` on an instance, with a cause, its step and how many log-ons were refused; `mapped` and the second of
/// the last boot; `changed`; or `no` and a cause. It was requested ten seconds before it ended.
fn attempt(n: u32, ended: i64, text: &str) -> Attempt {
    let words: Vec<&str> = text.split(' ').collect();
    let proof = |changed| {
        InvocationResult::Mapped(Arc::new(Proof {
            changed,
            status: None,
            privacy: None,
            boot: words.get(2).map(|second| at(second.parse().unwrap())),
            script: None,
        }))
    };
    let result = match words[1] {
        "mapped" => proof(false),
        "changed" => proof(true),
        "no" => InvocationResult::NoResult(Cause::new(words[2])),
        cause => InvocationResult::Failed(Arc::new(Failure {
            cause: Cause::new(cause),
            said: cause.to_owned(),
            step: Step::parse(words.get(2).copied().unwrap_or("create")),
            refused: words.get(3).map(|n| n.parse().unwrap()),
            message: String::new(),
            script: None,
        })),
    };
    let action = Action::parse(words[0]).unwrap();
    let (requested_at, ended_at) = (at(ended - 10), at(ended));
    Attempt { instance: id(n), action, requested_at, ended_at, ended_at_least: ended_at, result }
}

fn in_flight(action: Action, requested: i64, targets: std::ops::Range<u32>, at_a_time: u32) -> InFlight {
    InFlight {
        action,
        requested_at: at(requested),
        unfinished: targets.end - targets.start,
        instances: targets.map(id).collect(),
        at_a_time,
    }
}

fn new_instance() -> Stamps {
    Stamps { unmapped_at: Some(Timestamp::MIN), ..Stamps::default() }
}

/// The evidence of a case, built up.
#[derive(Clone)]
struct Case {
    attempts: Vec<Attempt>,
    in_flight: Vec<InFlight>,
    stamps: BTreeMap<InstanceId, Stamps>,
    parameters: Parameters,
}

fn case(attempts: &[Attempt]) -> Case {
    Case {
        attempts: attempts.to_vec(),
        in_flight: Vec::new(),
        // Nothing is recorded of any instance, so none has a mapping.
        stamps: (0..2_000).map(|n| (id(n), new_instance())).collect(),
        parameters: Parameters::Changed(at(0)),
    }
}

impl Case {
    fn logon(mut self, n: u32, second: i64) -> Self {
        self.stamps.entry(id(n)).or_default().logon = Some(at(second));
        self
    }

    fn opened(mut self, n: u32, second: i64) -> Self {
        self.stamps.entry(id(n)).or_default().opened_by = Some(at(second));
        self
    }

    fn flying(mut self, command: InFlight) -> Self {
        self.in_flight.push(command);
        self
    }

    fn changed(mut self, second: i64) -> Self {
        self.parameters = Parameters::Changed(at(second));
        self
    }

    fn budget_at(&self, second: i64) -> Budget {
        let evidence = Evidence {
            parameters: self.parameters,
            in_flight: self.in_flight.clone(),
            attempts: &self.attempts,
            stamps: self.stamps.clone(),
            is_partial: false,
        };
        assess(&evidence, &Policy::default(), at(second))
    }

    fn budget(&self) -> Budget {
        self.budget_at(NOW)
    }

    fn allows_canary(&self, n: u32) -> bool {
        self.budget().allows_canary(&id(n), &Policy::default(), at(NOW))
    }
}

#[test]
fn an_end_that_is_missing_or_in_the_future_is_early_for_a_log_on_and_late_for_a_refusal() {
    let command = Command::sent(
        CommandId::parse("01234567-89ab-4cde-8f01-23456789abcd").unwrap(),
        Action::Map,
        1,
        vec![id(1)],
        at(NOW - 100),
    );
    let ends = |end: Option<i64>| {
        let result = InvocationResult::NoResult(Cause::NO_RESULT);
        let reported = Reported { instance: id(1), ended_at: end.map(at), is_stopped: false, result };
        let attempt = Attempt::new(&command, &reported, at(NOW)).unwrap();
        let ago = |at: Timestamp| NOW - (at.as_second() - 1_795_000_000);
        (ago(attempt.ended_at_least), ago(attempt.ended_at))
    };
    assert_eq!(ends(Some(NOW - 40)), (40, 40));
    assert_eq!(ends(None), (100, 0));
    assert_eq!(ends(Some(NOW + 200)), (100, 0));
    assert_eq!(ends(Some(0)), (100, 100), "before the request");
}

#[test]
fn a_map_may_be_refused_twice_unless_it_is_known_that_there_is_no_mapping() {
    let failing = |words: &str| case(&[attempt(1, 9_000, words)]);
    let table = [
        ("nothing is recorded", case(&[]), 1),
        ("it logged on", case(&[]).logon(1, 5), 2),
        ("a check found none", failing("check not-mapped look").logon(1, 5), 1),
        ("its log-on was refused when the mapping was created", failing("map 1326 create").logon(1, 5), 1),
        ("it was read", failing("check 53 read"), 2),
        ("the server was not reached, which tells nothing", failing("map dns dns"), 1),
    ];
    for (name, case, expected) in table {
        assert_eq!(case.budget().refusals_of_map(&id(1)), expected, "{name}");
    }
    // What is recorded is older than the history, and does not say that there is none.
    let mut case = failing("map dns dns");
    case.stamps.insert(id(1), Stamps::default());
    assert_eq!(case.budget().refusals_of_map(&id(1)), 2);
    case.stamps.remove(&id(1));
    assert_eq!(case.budget().refusals_of_map(&id(1)), 2, "its attributes are not known");
}

#[test]
fn a_refusal_is_a_refused_log_on_or_a_map_without_a_result_line() {
    let table = [
        ("map 1326", 1),
        ("check 1909 read", 1),
        ("map 86 proof", 1),
        ("map 1326 create 2", 2),
        ("map 53 create 1", 1),
        ("map 53", 0),
        ("map 5 proof", 0),
        ("map 5 create", 1),
        ("map unlisted create", 1),
        ("map 4711 create", 1),
        ("map 0x80041001 create", 1),
        ("map 87 create", 1),
        ("map 67 create", 0),
        ("map unlisted look", 0),
        ("map unlisted proof", 0),
        ("check unlisted create", 0),
        ("map call-hung create", 0),
        ("map unsupported-os create", 0),
        ("map bad-credentials parameters", 0),
        ("map not-mapped", 0),
        ("map no timeout", 1),
        ("map no no-result", 1),
        ("map no other-share", 0),
        ("map no lost", 1),
        ("check no timeout", 0),
        ("map no undelivered", 0),
        ("map no refused-by-ssm", 0),
        ("map mapped", 0),
        ("map changed", 0),
    ];
    for (text, spent) in table {
        assert_eq!(case(&[attempt(1, NOW - 60, text)]).budget().spent(), spent, "{text}");
    }
}

#[test]
fn a_row_goes_back_from_now_until_a_gap() {
    let refusals = |ends: &[i64]| -> Vec<Attempt> {
        ends.iter().zip(1..).map(|(end, n)| attempt(n, *end, "map 1326")).collect()
    };
    let table: [(&str, &[i64], u32); 6] = [
        ("none", &[], 0),
        ("a moment ago", &[NOW], 1),
        ("just within", &[NOW - GAP + 1], 1),
        ("over", &[NOW - GAP], 0),
        ("each within the gap of the next", &[NOW - 3 * GAP + 3, NOW - 2 * GAP + 2, NOW - GAP + 1], 3),
        ("a gap between", &[NOW - 2 * GAP, NOW - GAP + 1], 1),
    ];
    for (name, ends, spent) in table {
        let budget = case(&refusals(ends)).budget();
        assert_eq!(budget.spent(), spent, "{name}");
        let ends = (spent > 0).then(|| at(*ends.last().unwrap() + GAP));
        assert_eq!(budget.row_ends(), ends, "{name}");
    }
}

#[test]
fn a_password_is_fresh_for_a_minute_after_an_instance_was_let_in() {
    let table = [
        ("a map that made the mapping", case(&[attempt(1, NOW, "map changed")]), true),
        ("a minute ago", case(&[attempt(1, NOW - 60, "map changed")]), true),
        ("longer ago", case(&[attempt(1, NOW - 61, "map changed")]), false),
        ("a map that found the mapping", case(&[attempt(1, NOW, "map mapped")]), false),
        ("a check that claims to have made it", case(&[attempt(1, NOW, "check changed")]), false),
        ("requested before the change", case(&[attempt(1, NOW, "map changed")]).changed(NOW - 10), false),
        ("requested after the change", case(&[attempt(1, NOW, "map changed")]).changed(NOW - 11), true),
        ("refused later", case(&[attempt(1, NOW - 9, "map changed"), attempt(2, NOW, "map 1326")]), false),
        (
            "requested before the refusal ended",
            case(&[attempt(2, NOW - 5, "map 1326"), attempt(1, NOW, "map changed")]),
            false,
        ),
        (
            "requested after the refusal ended",
            case(&[attempt(2, NOW - 11, "map 1326"), attempt(1, NOW, "map changed")]),
            true,
        ),
    ];
    for (name, case, fresh) in table {
        assert_eq!(case.budget().is_fresh, fresh, "{name}");
        for parameters in [Parameters::Missing, Parameters::Unread] {
            assert!(!Case { parameters, ..case.clone() }.budget().is_fresh, "{name}, {parameters:?}");
        }
    }
}

#[test]
fn a_check_that_opened_a_gate_makes_the_password_fresh_where_the_instance_had_lost_its_session() {
    let opening = |earlier: &[&str], text: &str| {
        let words = (NOW - 600..).step_by(60).zip(earlier);
        let mut attempts: Vec<Attempt> = words.map(|(second, text)| attempt(1, second, text)).collect();
        attempts.push(attempt(1, NOW, text));
        case(&attempts).opened(1, NOW - 10).logon(1, 1)
    };
    let with_another = |mut case: Case, text: &str| {
        case.attempts.push(attempt(2, NOW - 60, text));
        case
    };
    let unread = |mut case: Case, second| {
        case.stamps.entry(id(1)).or_default().unread = Some(at(second));
        case
    };
    let table = [
        ("it may have its session yet", opening(&[], "check mapped"), false),
        ("it booted before it logged on", opening(&[], "check mapped 1"), false),
        ("it has booted since", opening(&[], "check mapped 2"), true),
        ("a map that found the mapping is as good", opening(&[], "map mapped 2"), true),
        ("the gate was open before", opening(&[], "check mapped 2").opened(1, 1), false),
        ("it holds an older password", opening(&[], "check mapped 2").logon(1, -1), false),
        ("it booted before the last proof", opening(&["check mapped"], "check mapped 2"), false),
        (
            "it booted before a command that did not fail",
            unread(opening(&[], "check mapped 2"), NOW - 900),
            false,
        ),
        ("which was before it booted", unread(opening(&[], "check mapped 20"), 19), true),
        (
            "it was proven after its failure",
            unread(opening(&["check 1311 read"], "check mapped"), NOW - 500),
            false,
        ),
        (
            "it booted before a proof, and failed since",
            opening(&["check mapped", "check 59 read"], "check mapped 2"),
            false,
        ),
        (
            "it booted before a log-on whose mapping could not be read",
            opening(&["map 59 proof"], "check mapped 2"),
            false,
        ),
        ("it was refused", opening(&["check 1326 read"], "check mapped"), true),
        ("no domain controller answered", opening(&["check 1311 read"], "check mapped"), true),
        ("it did not reach the file server", opening(&["check port-445 port-445"], "check mapped"), false),
        (
            "nor did another one",
            with_another(opening(&["check port-445 port-445"], "check mapped"), "check port-445 port-445"),
            true,
        ),
        (
            "both could not read",
            with_another(opening(&["check 59 read"], "check mapped"), "check 59 read"),
            false,
        ),
        (
            "another one did",
            with_another(opening(&["check port-445 port-445"], "check mapped"), "check mapped"),
            false,
        ),
        ("another cause", opening(&["map parameter-store parameters"], "check mapped"), false),
    ];
    for (name, case, fresh) in table {
        assert_eq!(case.budget().is_fresh, fresh, "{name}");
    }
    let unknown = case(&[attempt(1, NOW, "check mapped 2")]).opened(1, NOW - 10);
    assert!(!unknown.budget().is_fresh, "its log-on is not known");
}

#[test]
fn a_map_on_an_instance_with_a_mapping_may_be_refused_twice() {
    let table = [
        ("nothing is known of it", case(&[]), 1),
        ("it logged on", case(&[]).logon(9, 1), 2),
        ("a map made its mapping", case(&[attempt(9, 500, "map changed")]), 2),
        ("a check found its mapping", case(&[attempt(9, 500, "check mapped")]), 2),
        ("its mapping could not be read", case(&[attempt(9, 500, "check 1326 read")]), 2),
        ("its mapping could not be made", case(&[attempt(9, 500, "map 1326 create")]).logon(9, 1), 1),
        ("it failed for another reason", case(&[attempt(9, 500, "map 1219 create")]).logon(9, 1), 2),
        ("a check makes none", case(&[attempt(9, 500, "check 1326 create")]).logon(9, 1), 2),
        ("it has no mapping", case(&[attempt(9, 500, "check not-mapped look-up")]).logon(9, 1), 1),
        ("it logged on since", case(&[attempt(9, 500, "check not-mapped look-up")]).logon(9, 900), 2),
        ("the file server was away", case(&[attempt(9, 500, "check port-445 port-445")]).logon(9, 1), 2),
        ("refused, then no parameters", case(&[attempt(9, 500, "map kms-denied parameters 1")]), 2),
        ("a silent script", case(&[attempt(9, 500, "map no timeout")]), 1),
    ];
    for (name, case, refusals) in table {
        assert_eq!(case.budget().refusals_of_map(&id(9)), refusals, "{name}");
        let map = in_flight(Action::Map, NOW - 95, 9..10, 50);
        assert_eq!(case.flying(map).budget().possible, refusals, "{name}");
    }
    let twice = case(&[attempt(1, NOW - 60, "map 1326 create 2")]).logon(9, 1);
    assert!(!twice.allows_canary(9) && twice.allows_canary(8));
    assert!(twice.changed(NOW - 30).allows_canary(9), "a parameter changed since");
}

#[test]
fn a_canary_is_sent_alone_and_leaves_the_last_refusal_for_a_changed_password() {
    let map = |requested, targets| in_flight(Action::Map, requested, targets, 50);
    let check = |targets, at_a_time| in_flight(Action::Check, NOW - 5, targets, at_a_time);
    let one = [attempt(1, NOW - 60, "map 1326")];
    let two = [attempt(1, NOW - 60, "map 1326"), attempt(2, NOW - 30, "map 1326")];
    let table = [
        ("nothing is known", case(&[]), true),
        ("one is in flight", case(&[]).flying(map(NOW - 89, 1..2)), false),
        ("and has been for 90 s", case(&[]).flying(map(NOW - 90, 1..2)), true),
        ("two are", case(&[]).flying(map(NOW - 95, 1..2)).flying(map(NOW - 90, 2..3)), false),
        ("one refused", case(&one), true),
        ("one refused, one in flight", case(&one).flying(map(NOW - 95, 3..4)), false),
        ("two refused", case(&two), false),
        ("the same one twice", case(&[one[0].clone(), attempt(1, NOW - 30, "map 1326")]), true),
        ("two refused, and the parameter changed since", case(&two).changed(NOW - 20), true),
        ("two refused since it changed", case(&two).changed(NOW - 45), true),
        ("two refused that had an older one saved", case(&two).logon(1, -9).changed(NOW - 75), false),
        ("checks may take the rest", case(&one).flying(check(5..9, 2)), false),
        ("a check may take one", case(&one).flying(check(5..6, 2)), true),
        (
            "three refused, and the parameter changed since",
            case(&[two[0].clone(), two[1].clone(), attempt(3, NOW - 9, "map 1326")]).changed(NOW - 2),
            false,
        ),
    ];
    for (name, case, expected) in table {
        assert_eq!(case.allows_canary(8), expected, "{name}");
        let unread = Case { parameters: Parameters::Unread, ..case };
        assert!(!unread.allows_canary(8), "{name}, parameters unread");
    }
}

#[test]
fn checks_leave_room_for_what_may_yet_be_refused() {
    let with_current = attempt(1, NOW - 60, "check 1326 read");
    let check = in_flight(Action::Check, NOW - 5, 5..30, 2);
    let map = |n: u32| in_flight(Action::Map, NOW - 5, n..n + 1, 50);
    let table = [
        ("nothing is known", case(&[]), (2, 1)),
        ("two at a time are in flight", case(&[]).flying(check), (1, 1)),
        ("a canary is in flight", case(&[]).flying(map(9)), (2, 1)),
        (
            "a wave is in flight, and one was let in",
            case(&[attempt(1, NOW, "map changed")]).flying(in_flight(Action::Map, NOW - 5, 9..40, 50)),
            (2, 1),
        ),
        ("one refused with the current one", case(std::slice::from_ref(&with_current)).logon(1, 1), (1, 1)),
        ("one refused with another one", case(std::slice::from_ref(&with_current)), (2, 0)),
        ("the row is over", case(&[attempt(1, NOW - GAP, "check 1326 read")]), (2, 1)),
        ("two refused", case(&[with_current, attempt(2, NOW - 30, "map 1326")]).logon(1, 1), (0, 1)),
        ("a refused one tries again", case(&[attempt(9, NOW - GAP, "map 1326")]).flying(map(9)), (0, 0)),
    ];
    for (name, case, expected) in table {
        let budget = case.budget();
        let both = [Credential::Current, Credential::Unknown].map(|one| budget.checks_at_a_time(one));
        assert_eq!(both, [expected.0, expected.1], "{name}");
        assert_eq!(budget.checks_at_a_time(Credential::Stale), expected.1, "{name}");
    }
}

#[test]
fn maps_in_flight_are_reckoned_to_be_let_in_while_the_password_is_fresh() {
    let wave = in_flight(Action::Map, NOW - 5, 5..55, 50);
    assert_eq!(case(&[]).flying(wave.clone()).budget().possible, 50);
    let fresh = case(&[attempt(1, NOW - 9, "map changed")]).flying(wave);
    assert_eq!(fresh.budget().possible, 0);
    let check = in_flight(Action::Check, NOW - 5, 60..85, 2);
    assert_eq!(fresh.clone().flying(check).budget().possible, 2);
    let mut refused = fresh;
    refused.attempts.push(attempt(7, NOW - GAP - 60, "map 1326"));
    assert_eq!(refused.budget().possible, 1, "one target was refused this password");
}

#[test]
fn an_instance_is_refused_alone_by_its_last_word() {
    let table = [
        ("refused", case(&[attempt(1, NOW - 5000, "map 1326")]), true),
        (
            "refused while it held the current one",
            case(&[attempt(1, 500, "check 1326 read")]).logon(1, 1),
            true,
        ),
        ("refused with another one", case(&[attempt(1, 500, "check 1326 read")]), false),
        ("refused before the change", case(&[attempt(1, 500, "map 1326")]).changed(495), false),
        ("let in since", case(&[attempt(1, 500, "map 1326"), attempt(1, 900, "map changed")]), false),
        ("another cause since", case(&[attempt(1, 500, "map 1326"), attempt(1, 900, "map 53")]), false),
        ("busy since", case(&[attempt(1, 500, "map 1326"), attempt(1, 900, "map busy")]), true),
        ("no result since", case(&[attempt(1, 500, "map 1326"), attempt(1, 900, "map no timeout")]), true),
    ];
    for (name, case, expected) in table {
        assert_eq!(case.budget().refused_instances.contains(&id(1)), expected, "{name}");
    }
    let recorded = |second: i64, attempts: &[Attempt]| {
        let mut case = case(attempts);
        case.stamps.entry(id(1)).or_default().refused_by = Some(at(second));
        case.budget().refused_instances.contains(&id(1))
    };
    assert!(recorded(100, &[]), "older than the history");
    assert!(!recorded(-1, &[]), "before the change");
    assert!(!recorded(100, &[attempt(1, 900, "check not-mapped")]), "another word since");
}

#[test]
fn an_instance_that_was_refused_alone_waits_until_nothing_else_may_be_refused() {
    assert!(case(&[]).budget().allows_refused_instance());
    assert!(case(&[attempt(1, NOW - GAP, "map 1326")]).budget().allows_refused_instance());
    assert!(!case(&[attempt(1, NOW - GAP + 1, "map 1326")]).budget().allows_refused_instance());
    let check = in_flight(Action::Check, NOW - 5, 5..6, 2);
    assert!(!case(&[]).flying(check).budget().allows_refused_instance());
    let another = case(&[attempt(1, NOW - GAP, "map 1326"), attempt(2, NOW - 20, "map changed")])
        .flying(in_flight(Action::Map, NOW - 5, 1..2, 50));
    assert!(another.budget().is_fresh);
    assert!(
        !another.budget().allows_refused_instance(),
        "another one tries again, though the password is fresh"
    );
}

#[test]
fn the_window_always_shows_a_row_whole() {
    let policy = Policy::default();
    assert_eq!(policy.history_window(), SignedDuration::from_mins(93));
    assert!(policy.history_window() >= ROW_GAP * i32::try_from(policy.refusal_budget).unwrap());
}
