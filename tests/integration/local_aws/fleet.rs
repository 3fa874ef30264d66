//! The modelled hosts, share and account: what the script finds, does and says.

use std::time::Duration;

use serde_json::json;
use tests::fleet::{Hang, LockOut, Presented, Readable};

use super::{Bench, id, world};

const REMOTE: &str = r"\\fs1.corp.example.com\share";
const USER: &str = r"CORP\svc-ecs-share";
const PASSWORD: &str = "correct horse";

#[test]
fn map_on_a_free_letter_creates_the_mapping_with_the_parameters_password() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    let line = bench.map(&id(1));
    assert_eq!(
        line,
        json!({
            "smbMapping": "mapped", "v": 1, "changed": true, "drive": "G:", "remote": REMOTE,
            "status": "OK", "privacy": true, "boot": "2026-03-01T11:00:00Z",
        })
    );
    let account = &bench.aws.world.account;
    assert_eq!(account.count(Presented::Parameters, true), 1);
    assert_eq!(account.log_ons.len(), 1);
    assert!(bench.aws.world.host(&id(1)).is_mapped_to(REMOTE));
}

#[test]
fn map_on_a_readable_mapping_changes_nothing_and_presents_nothing_of_ours() {
    let mut bench =
        Bench::new(world().windows_instance("apps", |host| host.mapped_by_hand(REMOTE, USER, PASSWORD)));
    let line = bench.map(&id(1));
    assert_eq!((&line["smbMapping"], &line["changed"]), (&json!("mapped"), &json!(false)));
    let account = &bench.aws.world.account;
    assert_eq!((account.count(Presented::Kept, true), account.log_ons.len()), (1, 1));
}

#[test]
fn check_on_an_idle_mapping_logs_on_with_the_kept_credential_and_on_a_live_one_does_not() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    bench.map(&id(1));
    bench.check(&id(1));
    assert_eq!(bench.aws.world.account.count(Presented::Kept, true), 0);
    bench.wait(16 * 60);
    let line = bench.check(&id(1));
    assert_eq!(line["changed"], false);
    assert_eq!(bench.aws.world.account.count(Presented::Kept, true), 1);
}

#[test]
fn check_on_a_free_letter_says_not_mapped_and_succeeds() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    let command = bench.send("check", &[&id(1)]);
    bench.wait(60);
    assert_eq!(bench.details(&command), ["Success"]);
    assert_eq!(bench.results(&command)[0]["cause"], "not-mapped");
    assert!(bench.aws.world.account.log_ons.is_empty());
}

#[test]
fn what_is_not_ours_is_named_and_left_alone() {
    let other = r"\\fs2.corp.example.com\other";
    let mut bench = Bench::new(
        world()
            .windows_instance("apps", |host| host.disk_on_letter())
            .windows_instance("apps", |host| host.mapped_by_hand(other, USER, PASSWORD))
            .windows_instance("apps", |host| host.outside_domain())
            .windows_instance("apps", |host| host.port_445_blocked())
            .windows_instance("apps", |host| host.with(|host| host.dns_broken = true))
            .windows_instance("apps", |host| host.with(|host| host.hang = Some(Hang::Call))),
    );
    let causes = ["drive-in-use", "mapped-elsewhere", "not-domain-joined", "port-445", "dns", "call-hung"];
    for (n, cause) in (1..).zip(causes) {
        let line = bench.map(&id(n));
        assert_eq!((&line["smbMapping"], &line["cause"]), (&json!("failed"), &json!(cause)));
    }
    assert!(bench.aws.world.host(&id(2)).is_mapped_to(other));
    assert!(bench.aws.world.account.log_ons.is_empty());
}

#[test]
fn unreadable_ours_is_replaced_on_a_listed_error_and_left_on_any_other() {
    let mut bench = Bench::new(
        world().windows_instance("apps", |host| host.mapped_by_hand(REMOTE, USER, "old password")),
    );
    let line = bench.check(&id(1));
    assert_eq!((&line["cause"], &line["step"]), (&json!("1326"), &json!("read")));
    let line = bench.map(&id(1));
    assert_eq!((&line["smbMapping"], &line["changed"]), (&json!("mapped"), &json!(true)));
    bench.aws.world.file_server.share = "renamed".into();
    let line = bench.map(&id(1));
    assert_eq!((&line["cause"], &line["step"]), (&json!("67"), &json!("read")));
    assert!(bench.aws.world.host(&id(1)).is_mapped_to(REMOTE), "67 is no reason to take a mapping away");
}

#[test]
fn nothing_is_removed_before_the_credentials_are_in_hand() {
    for (readable, cause) in [
        (Readable::Missing, "parameter-missing"),
        (Readable::Denied, "parameter-denied"),
        (Readable::KmsDenied, "kms-denied"),
        (Readable::Unreachable, "parameter-store"),
    ] {
        let mut bench = Bench::new(
            world().windows_instance("apps", |host| host.mapped_by_hand(REMOTE, USER, "old password")),
        );
        bench.aws.world.parameters.password.readable = readable;
        assert_eq!(bench.map(&id(1))["cause"], cause);
        assert!(bench.aws.world.host(&id(1)).is_mapped_to(REMOTE));
    }
}

#[test]
fn bad_log_ons_lock_the_account_for_everybody_until_it_unlocks() {
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
    assert_eq!(bench.map(&id(3))["cause"], "1909", "the right password is refused, too");
    bench.wait(1800);
    assert_eq!(bench.map(&id(3))["smbMapping"], "mapped");
    assert_eq!(bench.aws.world.account.count(Presented::Parameters, false), 3);
}

#[test]
fn a_server_that_is_down_answers_nobody_and_its_sessions_end() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    bench.map(&id(1));
    bench.aws.world.file_server.goes_down();
    assert_eq!(bench.check(&id(1))["cause"], "port-445");
    bench.aws.world.file_server.comes_back();
    assert_eq!(bench.check(&id(1))["smbMapping"], "mapped");
    assert_eq!(bench.aws.world.account.count(Presented::Kept, true), 1, "a new session is a log-on");
}

#[test]
fn a_reboot_keeps_the_mapping_without_its_session_and_a_lost_one_is_gone() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    bench.map(&id(1));
    bench.aws.reboot(&id(1));
    bench.wait(300);
    let line = bench.check(&id(1));
    assert_eq!(line["smbMapping"], "mapped");
    assert_ne!(line["boot"], "2026-03-01T11:00:00Z");
    assert_eq!(bench.aws.world.account.count(Presented::Kept, true), 1);
    bench.aws.lose_mapping(&id(1));
    assert_eq!(bench.check(&id(1))["cause"], "not-mapped");
}

#[test]
fn the_second_script_on_a_host_waits_for_the_first_and_gives_up_after_a_minute() {
    let slow = |seconds| {
        move |host: tests::fleet::Host| host.with(|host| host.script_delay = Duration::from_secs(seconds))
    };
    let mut bench =
        Bench::new(world().windows_instance("apps", slow(20)).windows_instance("apps", slow(200)));
    for (instance, second) in [(id(1), "mapped"), (id(2), "busy")] {
        bench.send("map", &[&instance]);
        bench.wait(2);
        let command = bench.send("check", &[&instance]);
        bench.wait(500);
        let line = bench.results(&command).remove(0);
        let word = if second == "busy" { &line["cause"] } else { &line["smbMapping"] };
        assert_eq!(word, second);
    }
}
