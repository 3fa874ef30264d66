//! What is reported: counts, the summary, and a row of the report.

use serde_json::json;
use shared::cause::Cause;
use shared::ids::ClusterRef;

use super::build::{FleetWith, NOW, With, at, fleet, host, hosts, policy};
use crate::decide::{Triggers, decide};
use crate::fleet::{AgentState, Fleet, Instance};
use crate::report::{Survey, is_unreachable, row, summary, survey};
use crate::statistics::RunStatistics;

const WELL: &str = "open mapped -2d -10m -";

fn surveyed(instances: impl IntoIterator<Item = Instance>) -> Survey {
    let fleet = fleet(instances).having(|fleet| fleet.stale_registrations.clear());
    survey(&policy(), &fleet, None, NOW)
}

#[test]
fn every_instance_is_counted_for_what_it_is() {
    let none = Survey { connected: 1, ..Survey::default() };
    let table = [
        (host(1, WELL), Survey { mapped: 1, ..none.clone() }),
        (host(1, "open doubtful -2d -10m - 53"), none.clone()),
        (host(1, "shut"), Survey { unknown: 1, ..none.clone() }),
        (host(1, "shut restarted -1m -"), Survey { unknown: 1, ..none.clone() }),
        (host(1, "shut mapped -2d -10m -"), Survey { unknown: 1, ..none.clone() }),
        (
            host(1, "shut unmapped 1 -10m - 53 -90m"),
            Survey {
                unmapped: 1,
                oldest_unmapped_minutes: 90.0,
                oldest_cause: Some("53".to_owned()),
                ..none.clone()
            },
        ),
        (host(1, WELL).draining(), Survey { mapped: 1, draining: 1, ..none.clone() }),
        (
            host(1, WELL).draining().drain("done 1219 -1h"),
            Survey { mapped: 1, draining: 1, drained_by_us: 1, ..none.clone() },
        ),
        (host(1, WELL).drain("done 1219 -1h"), Survey { mapped: 1, ..none.clone() }),
        (
            host(1, "shut restarted -1m -").draining().drain("done 1219 -1h").disconnected(),
            Survey { disconnected: 1, drained_by_us: 1, ..Survey::default() },
        ),
        (
            host(1, "shut unmapped 9 -10m - 1219 -90m").draining().drain("done 1219 -1h"),
            Survey { unmapped: 1, draining: 1, drained_by_us: 1, ..none.clone() },
        ),
        (
            host(1, WELL).draining().drain("requested 1219 -1h"),
            Survey { mapped: 1, draining: 1, unproven: 1, ..none.clone() },
        ),
        (
            host(1, WELL).draining().drain("released -1h"),
            Survey { mapped: 1, draining: 1, unproven: 1, ..none.clone() },
        ),
        (host(1, WELL).drain("requested 1219 -1h"), Survey { mapped: 1, ..none.clone() }),
        (host(1, WELL).disconnected(), Survey { disconnected: 1, ..Survey::default() }),
        (host(1, "open mapped -9d -10m -3d"), Survey { mapped: 1, stale: 1, ..none.clone() }),
        (
            host(1, "shut").registered("-1m").with(|i| i.record.custom_attributes = 9),
            Survey { unknown: 1, at_attribute_limit: 1, ..none.clone() },
        ),
        (
            host(1, "shut").registered("-1m").with(|i| i.record.custom_attributes = 8),
            Survey { unknown: 1, ..none.clone() },
        ),
        (host(1, WELL).with(|i| i.record.custom_attributes = 10), Survey { mapped: 1, ..none.clone() }),
        (host(1, "shut").registered("-1h").offline(), Survey { unknown: 1, unreachable: 1, ..none }),
    ];
    for (instance, expected) in table {
        let name = format!("{instance:?}");
        assert_eq!(surveyed([instance]), expected, "{name}");
    }
}

#[test]
fn the_oldest_failure_is_reported_with_its_cause_also_for_one_cluster() {
    let failing = |n, cause: &str, since: &str| host(n, &format!("shut unmapped 1 -1m - {cause} {since}"));
    let failing =
        [failing(1, "53", "-5m"), failing(2, "1219", "-2h"), failing(3, "2", "-9h").cluster("other")];
    let stale = host(99, WELL).disconnected().record;
    let fleet = fleet(failing).having(|fleet| fleet.stale_registrations.push(stale));
    let reported = |cluster: Option<&str>| {
        let cluster = cluster.map(|name| ClusterRef::parse(name).unwrap());
        let survey = survey(&policy(), &fleet, cluster.as_ref(), NOW);
        (
            survey.unmapped,
            survey.oldest_unmapped_minutes,
            survey.oldest_cause.unwrap(),
            survey.stale_registrations,
        )
    };
    assert_eq!(reported(None), (3, 540.0, "2".to_owned(), 1));
    assert_eq!(reported(Some("windows")), (2, 120.0, "1219".to_owned(), 1));
    assert_eq!(reported(Some("other")), (1, 540.0, "2".to_owned(), 0));
}

#[test]
fn an_instance_that_this_stack_has_drained_does_not_hide_the_next_failure() {
    let failing = |n, since: &str| host(n, &format!("shut unmapped 9 -1m - 1219 {since}")).draining();
    let newer = host(4, "shut unmapped 1 -1m - 53 -5m");
    let drained = || failing(1, "-9h").drain("done 1219 -8h");
    let oldest = |instances: Vec<Instance>| {
        let survey = surveyed(instances);
        (survey.oldest_unmapped_minutes, survey.oldest_cause)
    };
    assert_eq!(oldest(vec![drained()]), (0.0, None));
    assert_eq!(oldest(vec![drained(), newer]), (5.0, Some("53".to_owned())));
    assert_eq!(oldest(vec![failing(1, "-9h").drain("requested 1219 -8h")]).0, 540.0, "not provably ours");
    assert_eq!(oldest(vec![failing(1, "-9h")]).0, 540.0, "an operator's");
}

#[test]
fn an_agent_is_unreachable_once_it_has_been_offline_too_long_under_a_shut_gate() {
    let silent = |stands: &str, registered: &str, ping: Option<&str>| {
        let last_ping = ping.map(at);
        let instance =
            host(1, stands).registered(registered).with(|i| i.agent = AgentState::Offline { last_ping });
        is_unreachable(&policy(), &instance, NOW)
    };
    assert!(silent("shut", "-45m", None) && !silent("shut", "-2699s", None));
    assert!(silent("shut", "-9d", Some("-45m")) && !silent("shut", "-9d", Some("-2699s")));
    assert!(!silent("shut", "-1m", Some("-9d")), "its last ping is older than its registration");
    assert!(!silent(WELL, "-9d", None), "its gate is open, so it is checked");
    assert!(!is_unreachable(&policy(), &host(1, "shut"), NOW), "online");
}

fn summary_of(fleet: &Fleet, statistics: &RunStatistics) -> String {
    summary(&survey(&policy(), fleet, None, NOW), &decide(fleet, &policy(), NOW), statistics, &policy(), NOW)
}

#[test]
fn a_run_is_summed_up_in_one_sentence() {
    let well = || hosts(21..41, WELL);
    let quiet = RunStatistics::default();
    assert_eq!(summary_of(&fleet(well()), &quiet), "20 of 20 connected Windows instances mapped");
    let failing = [
        host(1, "shut unmapped 9 -1m - 1326 -90m").result("map -1m 1326"),
        host(2, "shut").registered("-1h").offline(),
        host(3, WELL).disconnected(),
        host(4, WELL).draining(),
    ];
    let mut busy = RunStatistics::default();
    (busy.drains, busy.given_back, busy.errors) = (1, 2, 3);
    assert_eq!(
        summary_of(&fleet(well().into_iter().chain(failing)).not_fresh(), &busy),
        "21 of 23 connected Windows instances mapped, 1 unmapped (the oldest for 90 min: 1326), 1 not checked yet, \
         1 with an offline SSM agent, 1 disconnected, 1 draining, 1 drained now, 2 given back now, 1 drain withheld, \
         3 calls failed; 1 of 3 refused log-ons spent (i-00000000000000001 2026-11-18T11:05:40Z map create 1326); \
         1 host waits; next try (retry of i-00000000000000001) 2026-11-18T11:36:40Z, or at once when a parameter changes"
    );
    let nothing = hosts(1..4, "shut unmapped 1 -1m - 53 -5m");
    assert_eq!(
        summary_of(&fleet(nothing).not_fresh(), &quiet),
        "0 of 3 connected Windows instances mapped, 3 unmapped (the oldest for 5 min: 53); \
         no instance was let in within the last minute, so one tries the password for all; 2 hosts wait; \
         next try (canary i-00000000000000002) as soon as the commands in flight end; \
         breaker open in windows (breaker-nothing-mapped)"
    );
    let silent = hosts(1..4, "open mapped -2d -2h -");
    assert_eq!(
        summary_of(
            &fleet(silent).having(|fleet| fleet.parameters = shared::budget::Parameters::Unread),
            &quiet
        ),
        "3 of 3 connected Windows instances mapped; the parameters' dates could not be read, so nothing is sent"
    );
}

#[test]
fn the_report_says_what_is_spent_what_waits_and_until_when() {
    let refused = |n, ago: &str| {
        host(n, &format!("shut unmapped 1 {ago} - 1326 {ago}")).result(&format!("map {ago} 1326"))
    };
    let report = |fleet: &Fleet| {
        serde_json::to_value(crate::report::credentials(&decide(fleet, &policy(), NOW), NOW)).unwrap()
    };
    let spent = report(
        &fleet(hosts(10..58, "shut").into_iter().chain([refused(7, "-9m"), refused(8, "-5m")])).not_fresh(),
    );
    let time = |text: &str| shared::time::format(at(text));
    assert_eq!((&spent["spent"], &spent["of"], &spent["fresh"]), (&json!(2), &json!(3), &json!(false)));
    assert_eq!(
        spent["row"][0],
        json!({
            "at": time("-9m"), "instance": "i-00000000000000007", "action": "map", "step": "create", "cause": "1326",
            "refused": 1, "withCurrentPassword": true,
        })
    );
    assert_eq!((&spent["mapsWaiting"], &spent["checksWaiting"]), (&json!(48), &json!(0)));
    assert_eq!(spent["nextTry"], time("+26m"));
    assert_eq!(spent["nextWhat"], "canary i-00000000000000010");
    assert!(spent["why"].as_str().unwrap().contains("50 hosts wait"), "{spent}");

    let quiet = report(&fleet(hosts(21..41, WELL)));
    for absent in ["nextTry", "nextWhat", "why"] {
        assert!(quiet.get(absent).is_none(), "{absent}: {quiet}");
    }
    assert_eq!((&quiet["fresh"], &quiet["letInBy"]), (&json!(true), &json!("i-00000000000099999")));
}

/// The report's row about the only instance of a fleet.
fn row_of(instance: Instance) -> serde_json::Value {
    let arn = instance.record.arn.clone();
    let fleet = fleet(hosts(21..41, WELL).into_iter().chain([instance]));
    let plan = decide(&fleet, &policy(), NOW);
    let row = row(&policy(), &fleet.instances[&arn], &plan, &Triggers::of(&fleet, &plan.budget, NOW), NOW);
    serde_json::to_value(row).unwrap()
}

#[test]
fn a_row_gives_state_cause_remedy_and_next_attempt() {
    let held = host(1, "shut unmapped 9 -1m - drive-in-use -40m").held().drain("released -1h");
    let row = row_of(held);
    let expected = json!({
        "cluster": "windows",
        "instance": "i-00000000000000001",
        "containerInstance": "arn:aws:ecs:eu-west-1:111122223333:container-instance/windows/00000000000000000000000000000001",
        "status": "ACTIVE",
        "connected": true,
        "gate": "shut",
        "state": "unmapped",
        "since": shared::time::format(at("-40m")),
        "judged": shared::time::format(at("-1m")),
        "attempts": 9,
        "cause": {
            "code": "drive-in-use",
            "class": "host",
            "meaning": Cause::new("drive-in-use").meaning(),
            "remedy": Cause::new("drive-in-use").remedy(),
        },
        "nextTry": row["nextTry"],
        "inFlight": false,
        "unreachable": false,
        "drain": "released",
        "ownershipUnproven": false,
        "hold": true,
            "ofOtherStack": false,
        "withoutPrivacy": false,
        "staleCredential": false,
        "notDrainedBecause": "hold",
    });
    assert_eq!(row, expected);
    let next: jiff::Timestamp = row["nextTry"].as_str().unwrap().parse().unwrap();
    assert!(next >= at("+14m") && next <= at("+930s"), "{next}");
}

#[test]
fn a_row_leaves_out_what_does_not_apply() {
    let row = row_of(host(1, "shut").result("map -1m wait"));
    for absent in ["since", "judged", "attempts", "cause", "notDrainedBecause"] {
        assert!(row.get(absent).is_none(), "{absent}: {row}");
    }
    assert_eq!(
        (&row["state"], &row["drain"], &row["inFlight"]),
        (&json!("none"), &json!("none"), &json!(true))
    );
}

#[test]
fn a_row_names_every_kind_of_standing() {
    let table = [
        ("shut", "state", json!("none")),
        ("open", "state", json!("unreadable")),
        ("shut restarted -1m -", "state", json!("restarted")),
        (WELL, "state", json!("mapped")),
        ("open doubtful -2d -10m - 53", "state", json!("doubtful")),
        ("open mapped -9d -10m -3d", "staleCredential", json!(true)),
        (WELL, "gate", json!("mapped")),
    ];
    for (stands, member, expected) in table {
        assert_eq!(row_of(host(1, stands))[member], expected, "{stands}");
    }
    let drains = [
        ("requested 1219 -1h", "requested", true),
        ("done 1219 -1h", "ours", false),
        ("released -1h", "released", true),
        ("maintenance", "not-ours", false),
    ];
    for (attribute, drain, unproven) in drains {
        let row = row_of(host(1, WELL).draining().drain(attribute));
        assert_eq!(
            (&row["drain"], &row["ownershipUnproven"]),
            (&json!(drain), &json!(unproven)),
            "{attribute}"
        );
    }
}
