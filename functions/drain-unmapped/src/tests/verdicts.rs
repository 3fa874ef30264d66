//! What a result changes: every gate and state × every kind of result, and which result is judged.

use super::build::{With, decided, fleet, host, of_kind, policy};

/// What is written to the only instance of a fleet; empty for nothing.
fn written(stands: &str, results: &[&str]) -> String {
    let instance = results.iter().fold(host(1, stands), |host, result| host.result(result));
    let lines = decided(&fleet([instance]), &policy());
    let writes = of_kind(&lines, &["write"]);
    assert!(writes.len() <= 1, "{stands} {results:?} {writes:?}");
    writes.first().map_or_else(String::new, |line| line.trim_start_matches("write 1: ").to_owned())
}

const RESULTS: [&str; 12] =
    ["mapped", "changed", "53", "1355", "1326", "2", "1219", "4711", "busy", "no lost", "wait", "?"];

/// Gate and state, and what follows from each of [`RESULTS`] of a command requested a minute ago.
type Row = (&'static str, [&'static str; 12]);

const MAPPED: &str = "open mapped -1m -1m -";
const LOGGED_ON: &str = "open mapped -1m -1m -1m";

#[rustfmt::skip]
const TABLE: [Row; 11] = [
    // Nothing known: every result counts except `busy`, which is no attempt.
    ("shut", [
        MAPPED, LOGGED_ON,
        "shut unmapped 1 -1m - 53 -1m", "shut unmapped 1 -1m - 1355 -1m", "shut unmapped 1 -1m - 1326 -1m",
        "shut unmapped 1 -1m - 2 -1m", "shut unmapped 1 -1m - 1219 -1m", "shut unmapped 1 -1m - 4711 -1m",
        "", "shut unmapped 1 -1m - lost -1m", "", "",
    ]),
    // Restarted: the same, and the log-on is kept.
    ("shut restarted -5m -90m", [
        "open mapped -1m -1m -90m", LOGGED_ON,
        "shut unmapped 1 -1m -90m 53 -1m", "shut unmapped 1 -1m -90m 1355 -1m", "shut unmapped 1 -1m -90m 1326 -1m",
        "shut unmapped 1 -1m -90m 2 -1m", "shut unmapped 1 -1m -90m 1219 -1m", "shut unmapped 1 -1m -90m 4711 -1m",
        "", "shut unmapped 1 -1m -90m lost -1m", "", "",
    ]),
    // Unmapped: a failure of the same class counts up, another class starts at 1.
    ("shut unmapped 3 -5m -90m 64 -9m", [
        "open mapped -1m -1m -90m", LOGGED_ON,
        "shut unmapped 4 -1m -90m 53 -9m", "shut unmapped 1 -1m -90m 1355 -1m", "shut unmapped 1 -1m -90m 1326 -1m",
        "shut unmapped 1 -1m -90m 2 -1m", "shut unmapped 1 -1m -90m 1219 -1m", "shut unmapped 1 -1m -90m 4711 -1m",
        "", "shut unmapped 1 -1m -90m lost -1m", "", "",
    ]),
    ("shut unmapped 2 -5m - no-result -9m", [
        MAPPED, LOGGED_ON,
        "shut unmapped 1 -1m - 53 -1m", "shut unmapped 1 -1m - 1355 -1m", "shut unmapped 1 -1m - 1326 -1m",
        "shut unmapped 1 -1m - 2 -1m", "shut unmapped 1 -1m - 1219 -1m", "shut unmapped 3 -1m - 4711 -9m",
        "", "shut unmapped 3 -1m - lost -9m", "", "",
    ]),
    // Mapped: only the result line shuts the gate, and a cause that may pass is checked once more first.
    ("open mapped -99m -20m -90m", [
        "open mapped -99m -1m -90m", "open mapped -99m -1m -1m",
        "open doubtful -99m -1m -90m 53", "open doubtful -99m -1m -90m 1355", "shut unmapped 1 -1m -90m 1326 -1m",
        "shut unmapped 1 -1m -90m 2 -1m", "shut unmapped 1 -1m -90m 1219 -1m", "shut unmapped 1 -1m -90m 4711 -1m",
        "", "", "", "",
    ]),
    // Doubtful: the second failure shuts the gate; one of the same class counts from the first failure.
    ("open doubtful -99m -5m - 64", [
        "open mapped -99m -1m -", "open mapped -99m -1m -1m",
        "shut unmapped 2 -1m - 53 -5m", "shut unmapped 1 -1m - 1355 -1m", "shut unmapped 1 -1m - 1326 -1m",
        "shut unmapped 1 -1m - 2 -1m", "shut unmapped 1 -1m - 1219 -1m", "shut unmapped 1 -1m - 4711 -1m",
        "", "", "", "",
    ]),
    // Unreadable under an open gate counts as mapped. Without a result it is written as one period old, so that it is
    // checked, and shut if it stays silent.
    ("open", [
        MAPPED, LOGGED_ON,
        "open doubtful -1m -1m - 53", "open doubtful -1m -1m - 1355", "shut unmapped 1 -1m - 1326 -1m",
        "shut unmapped 1 -1m - 2 -1m", "shut unmapped 1 -1m - 1219 -1m", "shut unmapped 1 -1m - 4711 -1m",
        "open mapped -30m -30m -", "open mapped -30m -30m -", "open mapped -30m -30m -", "open mapped -30m -30m -",
    ]),
    // Someone shut the gate by hand: it opens on proof only, and everything else is a first failure.
    ("shut mapped -99m -20m -90m", [
        "open mapped -99m -1m -90m", "open mapped -99m -1m -1m",
        "shut unmapped 1 -1m -90m 53 -1m", "shut unmapped 1 -1m -90m 1355 -1m", "shut unmapped 1 -1m -90m 1326 -1m",
        "shut unmapped 1 -1m -90m 2 -1m", "shut unmapped 1 -1m -90m 1219 -1m", "shut unmapped 1 -1m -90m 4711 -1m",
        "", "shut unmapped 1 -1m -90m lost -1m", "", "",
    ]),
    ("shut doubtful -99m -5m - 64", [
        "open mapped -99m -1m -", "open mapped -99m -1m -1m",
        "shut unmapped 1 -1m - 53 -1m", "shut unmapped 1 -1m - 1355 -1m", "shut unmapped 1 -1m - 1326 -1m",
        "shut unmapped 1 -1m - 2 -1m", "shut unmapped 1 -1m - 1219 -1m", "shut unmapped 1 -1m - 4711 -1m",
        "", "shut unmapped 1 -1m - lost -1m", "", "",
    ]),
    // Someone opened the gate by hand over a failure, or without a proof: it is shut again.
    ("open unmapped 1 -5m - 64 -9m", [
        MAPPED, LOGGED_ON,
        "shut unmapped 2 -1m - 53 -9m", "shut unmapped 1 -1m - 1355 -1m", "shut unmapped 1 -1m - 1326 -1m",
        "shut unmapped 1 -1m - 2 -1m", "shut unmapped 1 -1m - 1219 -1m", "shut unmapped 1 -1m - 4711 -1m",
        "shut unmapped 1 -5m - 64 -9m", "shut unmapped 1 -5m - 64 -9m",
        "shut unmapped 1 -5m - 64 -9m", "shut unmapped 1 -5m - 64 -9m",
    ]),
    ("open restarted -5m -", [
        MAPPED, LOGGED_ON,
        "shut unmapped 1 -1m - 53 -1m", "shut unmapped 1 -1m - 1355 -1m", "shut unmapped 1 -1m - 1326 -1m",
        "shut unmapped 1 -1m - 2 -1m", "shut unmapped 1 -1m - 1219 -1m", "shut unmapped 1 -1m - 4711 -1m",
        "shut restarted -5m -", "shut restarted -5m -", "shut restarted -5m -", "shut restarted -5m -",
    ]),
];

#[test]
fn every_result_changes_every_gate_and_state_as_agreed() {
    for (stands, expected) in TABLE {
        for (said, of_map) in RESULTS.into_iter().zip(expected) {
            // A check makes no mapping, so it never logs on with the parameters' password.
            let of_check = if said == "changed" { expected[0] } else { of_map };
            for (action, expected) in [("map", of_map), ("check", of_check)] {
                let result = format!("{action} -1m {said}");
                assert_eq!(written(stands, &[&result]), expected, "{stands} + {result}");
            }
        }
    }
}

#[test]
fn a_command_without_a_result_proves_nothing_under_an_open_gate_and_is_a_failure_under_a_shut_one() {
    for cause in ["no-result", "lost", "undelivered", "timeout", "refused-by-ssm"] {
        let result = format!("map -1m no {cause}");
        assert_eq!(written("open mapped -99m -20m -", &[&result]), "", "{cause}");
        assert_eq!(written("open doubtful -99m -20m - 53", &[&result]), "", "{cause}");
        assert_eq!(written("shut", &[&result]), format!("shut unmapped 1 -1m - {cause} -1m"));
    }
}

#[test]
fn a_failure_whose_command_was_requested_before_silence_was_noticed_began_with_that_command() {
    assert_eq!(
        written("shut unmapped 1 -2h - silent -1m", &["map -5m no no-result"]),
        "shut unmapped 2 -5m - no-result -5m"
    );
}

#[test]
fn a_check_that_was_not_delivered_is_no_attempt_where_nothing_is_known() {
    let undelivered = "check -1m no undelivered";
    for unknown in ["shut", "shut restarted -20m -", "shut mapped -2h -1h -"] {
        assert_eq!(written(unknown, &[undelivered]), "", "{unknown}");
        assert_ne!(written(unknown, &["map -1m no undelivered"]), "", "{unknown}");
        assert_ne!(written(unknown, &["check -1m no timeout"]), "", "{unknown}");
    }
    let known = "shut unmapped 3 -20m - 53 -2h";
    assert_eq!(written(known, &[undelivered]), "shut unmapped 1 -1m - undelivered -1m");
}

#[test]
fn a_command_that_ssm_stopped_before_it_got_to_the_instance_is_no_attempt() {
    for stands in ["shut", "shut unmapped 3 -20m - 53 -2h", "open mapped -2h -1h -"] {
        for action in ["check", "map"] {
            let stopped = host(1, stands).result(&format!("{action} -1m no undelivered")).stopped();
            assert_eq!(
                of_kind(&decided(&fleet([stopped]), &policy()), &["write"]),
                [""; 0],
                "{action} {stands}"
            );
        }
    }
}

#[test]
fn a_result_counts_only_when_its_command_was_requested_after_judgement_restart_and_registration() {
    let table = [
        // The last judged command.
        ("open mapped -99m -20m -", "-10d", "check -20m 1219", ""),
        (
            "open mapped -99m -20m -",
            "-10d",
            "check -1199999ms 1219",
            "shut unmapped 1 -1199999ms - 1219 -1199999ms",
        ),
        ("shut unmapped 1 -20m - 53 -20m", "-10d", "map -20m mapped", ""),
        // The restart.
        ("shut restarted -20m -", "-10d", "map -20m mapped", ""),
        ("shut restarted -20m -", "-10d", "map -21m mapped", ""),
        ("shut restarted -20m -", "-10d", "map -1199999ms mapped", "open mapped -1199999ms -1199999ms -"),
        // The registration: commands from before the instance was wiped and registered again.
        ("shut", "-20m", "map -20m mapped", ""),
        ("shut", "-20m", "map -1199999ms mapped", "open mapped -1199999ms -1199999ms -"),
        ("shut unmapped 1 -30m - 53 -30m", "-20m", "map -25m mapped", ""),
        ("open", "-20m", "map -25m 1219", "open mapped -20m -20m -"),
    ];
    for (stands, registered, result, expected) in table {
        let lines = decided(&fleet([host(1, stands).registered(registered).result(result)]), &policy());
        let expected: Vec<String> = [format!("write 1: {expected}")].into();
        let expected = if expected[0] == "write 1: " { Vec::new() } else { expected };
        assert_eq!(of_kind(&lines, &["write"]), expected, "{stands} {registered} {result}");
    }
}

#[test]
fn of_several_results_the_one_requested_last_is_taken() {
    let table: [(&str, &[&str], &str); 9] = [
        ("shut", &["map -3m 53", "map -1m mapped"], MAPPED),
        ("shut", &["map -3m mapped", "map -1m 1219"], "shut unmapped 1 -1m - 1219 -1m"),
        ("shut", &["map -3m mapped", "map -1m no lost"], "shut unmapped 1 -1m - lost -1m"),
        // A pending command does not delay an earlier result.
        ("shut", &["map -3m mapped", "map -1m wait"], "open mapped -3m -3m -"),
        // `busy` says that another command is running: that one's result is judged.
        ("shut", &["map -3m mapped", "map -1m busy"], "open mapped -3m -3m -"),
        ("open mapped -99m -20m -", &["check -3m 1219", "check -1m busy"], "shut unmapped 1 -3m - 1219 -3m"),
        // Under an open gate a later command without a result does not overrule an earlier result line.
        (
            "open mapped -99m -20m -",
            &["check -3m 1219", "check -1m no lost"],
            "shut unmapped 1 -3m - 1219 -3m",
        ),
        ("open mapped -99m -20m -", &["check -3m mapped", "check -1m no lost"], "open mapped -99m -3m -"),
        ("open mapped -99m -20m -", &["check -3m no lost", "check -1m mapped"], "open mapped -99m -1m -"),
    ];
    for (stands, results, expected) in table {
        assert_eq!(written(stands, results), expected, "{stands} {results:?}");
    }
}

#[test]
fn nothing_is_written_to_a_disconnected_instance() {
    for stands in ["shut", "open", "open mapped -99m -20m -", "open unmapped 1 -5m - 53 -9m"] {
        for result in RESULTS {
            let away = host(1, stands).disconnected().result(&format!("check -1m {result}"));
            assert_eq!(decided(&fleet([away]), &policy()), [""; 0], "{stands} {result}");
        }
    }
}

#[test]
fn an_unreadable_state_is_no_fresh_proof_where_checks_are_off() {
    let off = shared::config::Policy { verify_every: None, ..policy() };
    let lines = decided(&fleet([host(1, "open").registered("-40m")]), &off);
    assert_eq!(lines, ["write 1: open mapped -40m -40m -"]);
}

#[test]
fn gates_are_shut_before_any_is_opened() {
    let lines = decided(
        &fleet([
            host(1, "shut").result("map -1m mapped"),
            host(2, "open mapped -99m -20m -").result("check -1m 1219"),
        ]),
        &policy(),
    );
    let writes = of_kind(&lines, &["write"]);
    assert_eq!(writes, ["write 2: shut unmapped 1 -1m - 1219 -1m", "write 1: open mapped -1m -1m -"]);
}
