//! The modelled hosts, share and account: what the script finds, does and reports.

use std::time::Duration;

use serde_json::{Value, json};
use shared::fingerprint::SCRIPT_VERSION;
use tests::fleet::{Hang, Host, LockOut, PASSWORD, Presented, REMOTE, Readable, USER};

use super::{Bench, id, world};

/// A host that was mapped by hand, with that password.
fn mapped_with(password: &str) -> impl FnOnce(Host) -> Host {
    move |host| host.mapped_by_hand(REMOTE, USER, password)
}

impl Bench {
    fn log_ons(&self, presented: Presented, good: bool) -> usize {
        self.aws.world.account.count(presented, good)
    }

    fn is_mapped(&mut self, n: u64) -> bool {
        self.aws.world.host(&id(n)).is_mapped_to(REMOTE)
    }
}

/// Checks members of a result line.
fn assert_line(line: &Value, expected: &[(&str, Value)]) {
    for (member, value) in expected {
        assert_eq!(line[*member], *value, "{member} of {line}");
    }
}

#[test]
fn map_on_a_free_letter_creates_the_mapping_with_the_parameters_password() {
    let mut bench = Bench::with_instances(1);
    let line = bench.map(&id(1));
    let expected = json!({
        "smbMapping": "mapped", "v": 1, "script": SCRIPT_VERSION.to_string(), "changed": true, "drive": "G:", "remote": REMOTE,
        "status": "OK", "privacy": true, "boot": "2026-03-01T11:00:00Z",
    });
    assert_eq!(line, expected);
    assert_eq!((bench.log_ons(Presented::Parameters, true), bench.aws.world.account.log_ons.len()), (1, 1));
    assert!(bench.is_mapped(1));
}

#[test]
fn map_on_a_readable_mapping_changes_nothing_and_does_not_use_the_parameters() {
    let mut bench = Bench::with_instance(mapped_with(PASSWORD));
    assert_line(&bench.map(&id(1)), &[("smbMapping", json!("mapped")), ("changed", json!(false))]);
    assert_eq!((bench.log_ons(Presented::Kept, true), bench.aws.world.account.log_ons.len()), (1, 1));
}

#[test]
fn check_logs_on_with_the_kept_credential_only_on_an_idle_mapping() {
    let mut bench = Bench::with_instances(1);
    bench.map(&id(1));
    bench.check(&id(1));
    assert_eq!(bench.log_ons(Presented::Kept, true), 0);
    bench.wait(16 * 60);
    assert_line(&bench.check(&id(1)), &[("changed", json!(false))]);
    assert_eq!(bench.log_ons(Presented::Kept, true), 1);
}

#[test]
fn check_on_a_free_letter_reports_not_mapped_and_succeeds() {
    let mut bench = Bench::with_instances(1);
    let command = bench.send("check", &[id(1)]);
    bench.wait(60);
    assert_eq!(bench.details(&command), ["Success"]);
    assert_eq!(bench.results(&command)[0]["cause"], "not-mapped");
    assert!(bench.aws.world.account.log_ons.is_empty());
}

#[test]
fn foreign_letters_and_host_faults_have_their_cause_and_nothing_is_changed() {
    let other = r"\\fs2.corp.example.com\other";
    let mut bench = Bench::new(
        world()
            .windows_instance("apps", Host::disk_on_letter)
            .windows_instance("apps", |host| host.mapped_by_hand(other, USER, PASSWORD))
            .windows_instance("apps", Host::outside_domain)
            .windows_instance("apps", Host::port_445_blocked)
            .windows_instance("apps", |host| host.with(|host| host.dns_broken = true))
            .windows_instance("apps", |host| host.with(|host| host.hang = Some(Hang::Call))),
    );
    let causes = ["drive-in-use", "mapped-elsewhere", "not-domain-joined", "port-445", "dns", "call-hung"];
    for (n, cause) in (1..).zip(causes) {
        assert_line(&bench.map(&id(n)), &[("smbMapping", json!("failed")), ("cause", json!(cause))]);
    }
    assert!(bench.aws.world.host(&id(2)).is_mapped_to(other));
    assert!(bench.aws.world.account.log_ons.is_empty());
}

#[test]
fn our_unreadable_mapping_is_replaced_after_a_listed_error_only() {
    let mut bench = Bench::with_instance(mapped_with("old password"));
    assert_line(&bench.check(&id(1)), &[("cause", json!("1326")), ("step", json!("read"))]);
    assert_line(&bench.map(&id(1)), &[("smbMapping", json!("mapped")), ("changed", json!(true))]);
    bench.aws.world.file_server.share = "renamed".into();
    assert_line(&bench.map(&id(1)), &[("cause", json!("67")), ("step", json!("read"))]);
    assert!(bench.is_mapped(1), "67 is not such an error");
}

#[test]
fn no_mapping_is_removed_before_the_credentials_were_read() {
    for (readable, cause) in [
        (Readable::Missing, "parameter-missing"),
        (Readable::Denied, "parameter-denied"),
        (Readable::KmsDenied, "kms-denied"),
        (Readable::Unreachable, "parameter-store"),
    ] {
        let mut bench = Bench::with_instance(mapped_with("old password"));
        bench.aws.world.parameters.password.readable = readable;
        assert_eq!(bench.map(&id(1))["cause"], cause);
        assert!(bench.is_mapped(1));
    }
}

#[test]
fn failed_log_ons_lock_the_account_for_all_hosts_until_the_lockout_ends() {
    let lock_out =
        LockOut { threshold: 2, window: Duration::from_secs(600), duration: Duration::from_secs(1800) };
    let mut bench = Bench::new(world().windows_instances("apps", 3).with(|world| {
        world.account.lock_out = Some(lock_out);
        world.change_password_in_directory("changed");
    }));
    assert_eq!(bench.map(&id(1))["cause"], "1326");
    assert_eq!(bench.map(&id(2))["cause"], "1326");
    assert!(bench.aws.world.account.is_locked(bench.now));
    let now = bench.now;
    bench.aws.world.write_password_parameter("changed", now);
    assert_eq!(bench.map(&id(3))["cause"], "1909", "the correct password is refused, too");
    bench.wait(1800);
    assert_eq!(bench.map(&id(3))["smbMapping"], "mapped");
    assert_eq!(bench.log_ons(Presented::Parameters, false), 3);
}

#[test]
fn a_server_that_is_down_answers_no_host_and_its_sessions_end() {
    let mut bench = Bench::with_instances(1);
    bench.map(&id(1));
    bench.aws.world.file_server.goes_down();
    assert_eq!(bench.check(&id(1))["cause"], "port-445");
    bench.aws.world.file_server.comes_back();
    assert_eq!(bench.check(&id(1))["smbMapping"], "mapped");
    assert_eq!(bench.log_ons(Presented::Kept, true), 1, "a new session needs a log-on");
}

#[test]
fn a_reboot_keeps_the_mapping_and_ends_its_session() {
    let mut bench = Bench::with_instances(1);
    bench.map(&id(1));
    bench.aws.reboot(&id(1));
    bench.wait(300);
    let line = bench.check(&id(1));
    assert_eq!(line["smbMapping"], "mapped");
    assert_ne!(line["boot"], "2026-03-01T11:00:00Z");
    assert_eq!(bench.log_ons(Presented::Kept, true), 1);
    bench.aws.world.host(&id(1)).lose_mapping();
    assert_eq!(bench.check(&id(1))["cause"], "not-mapped");
}

#[test]
fn the_second_script_on_a_host_waits_for_the_first_for_at_most_a_minute() {
    for (seconds, member, value) in [(20, "smbMapping", "mapped"), (200, "cause", "busy")] {
        let slow = |host: Host| host.with(|host| host.script_delay = Duration::from_secs(seconds));
        let mut bench = Bench::with_instance(slow);
        bench.send("map", &[id(1)]);
        bench.wait(2);
        let command = bench.send("check", &[id(1)]);
        bench.wait(500);
        assert_line(&bench.results(&command)[0], &[(member, json!(value))]);
    }
}
