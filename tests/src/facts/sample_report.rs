//! A report of `drain-unmapped` in which every field has a value: one mapped instance and one that failed.

use drain_unmapped::decide::Rule;
use drain_unmapped::report::{Breaker, CauseRow, Checks, Credentials, Report, Row, RowEntry, UnreadCluster};
use shared::cause::Cause;
use shared::config::Mode;
use shared::ecs::Status;
use shared::history::Action;
use shared::invocation::Step;

/// The report. Its type is the function's own, so a field that is renamed there is renamed here.
pub fn sample_report() -> Report {
    Report {
        at: "2027-01-05T08:30:00Z".to_owned(),
        stack: "smb".to_owned(),
        mode: Mode::Enforce,
        drive: "G:".to_owned(),
        remote_path: r"\\fs\share".to_owned(),
        script_version: "1a2b3c4d".to_owned(),
        summary: "1 of 2 connected Windows instances mapped".to_owned(),
        credentials: credentials(),
        parameters_changed: Some("2027-01-01T08:00:00Z".to_owned()),
        checks: Checks { seconds_each: 12.0, at_a_time: 2, period_minutes: Some(30.0) },
        ssm_unwell: false,
        breakers: vec![Breaker { cluster: "windows".to_owned(), rule: Rule::BreakerTooMany }],
        unread_clusters: vec![UnreadCluster {
            cluster: "other".to_owned(),
            error: "ecs:ListContainerInstances failed".to_owned(),
        }],
        instances: vec![mapped(), unmapped()],
        stale_registrations: vec!["arn:…/9".to_owned()],
    }
}

/// Two of three refusals spent, and an instance that waits.
fn credentials() -> Credentials {
    let row = |at: &str, instance: &str| RowEntry {
        at: at.to_owned(),
        instance: instance.to_owned(),
        action: Action::Map,
        step: Some(Step::Create),
        cause: "1326".to_owned(),
        refused: 1,
        with_current_password: true,
    };
    Credentials {
        fresh: false,
        let_in_at: Some("2027-01-05T07:00:00Z".to_owned()),
        let_in_by: Some("i-0aaaaaaaaaaaaaaa1".to_owned()),
        spent: 2,
        of: 3,
        row: vec![
            row("2027-01-05T08:12:00Z", "i-0bbbbbbbbbbbbbbb2"),
            row("2027-01-05T08:20:00Z", "i-0ccccccccccccccc3"),
        ],
        possible: 0,
        maps_waiting: 1,
        checks_waiting: 0,
        hosts_refused_alone: vec!["i-0bbbbbbbbbbbbbbb2".to_owned()],
        next_try: Some("2027-01-05T08:51:00Z".to_owned()),
        next_what: Some("canary i-0ddddddddddddddd4".to_owned()),
        why: Some("2 of 3 refused log-ons spent".to_owned()),
    }
}

fn mapped() -> Row {
    Row {
        cluster: "windows".to_owned(),
        instance: "i-0aaaaaaaaaaaaaaa1".to_owned(),
        container_instance: "arn:…/1".to_owned(),
        status: Status::Active,
        connected: true,
        gate: "mapped",
        state: "mapped",
        since: Some("2027-01-05T08:00:00.123Z".to_owned()),
        judged: Some("2027-01-05T08:20:00.123Z".to_owned()),
        attempts: None,
        cause: None,
        next_try: Some("2027-01-05T08:50:00Z".to_owned()),
        in_flight: false,
        unreachable: false,
        drain: "none",
        ownership_unproven: false,
        of_other_stack: false,
        hold: false,
        without_privacy: false,
        script_version: Some("1a2b3c4d".to_owned()),
        stale_credential: false,
        not_drained_because: None,
    }
}

fn unmapped() -> Row {
    let cause = Cause::new("drive-in-use");
    Row {
        instance: "i-0bbbbbbbbbbbbbbb2".to_owned(),
        container_instance: "arn:…/2".to_owned(),
        gate: "shut",
        state: "unmapped",
        attempts: Some(3),
        next_try: Some("2027-01-05T09:00:00Z".to_owned()),
        not_drained_because: Some(Rule::Budget),
        cause: Some(CauseRow {
            code: cause.to_string(),
            class: cause.class(),
            meaning: cause.meaning(),
            remedy: cause.remedy(),
        }),
        ..mapped()
    }
}
