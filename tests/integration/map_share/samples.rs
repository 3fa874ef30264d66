//! Every payload in `events/map-share`, with a fleet of the hosts that it names.

use tests::fleet::samples::named_in;

use super::*;

const NEW: [&str; 3] = ["i-0a1b2c3d4e5f60701", "i-0a1b2c3d4e5f60702", "i-0a1b2c3d4e5f60703"];
const MAPPED: &str = "i-0a1b2c3d4e5f60711";
const DRAINED: &str = "i-0a1b2c3d4e5f60721";
pub(crate) const LINUX: &str = "i-0a1b2c3d4e5f60731";
pub(crate) const FOREIGN: &str = "i-0a1b2c3d4e5f60741";

fn setup() -> Setup {
    Setup::new(world()).with("CLUSTERS", "windows")
}

/// The hosts that the payloads name, with the ids in the payloads.
pub(crate) fn world() -> World {
    let at = "2026-11-22T07:30:00.000Z";
    let mapped = format!("mapped {at} {at} {at}");
    let world = World::new(7, "2026-11-22T08:00:00Z".parse().unwrap())
        .cluster("windows")
        .windows_instance("windows", |host| {
            host.named(MAPPED).attribute("smb.G", "mapped").attribute("smb.G.state", &mapped)
        })
        .windows_instance("windows", |host| {
            host.named(DRAINED)
                .attribute("smb.G.drain", "done 1130 2026-11-22T07:40:00.000Z")
                .drained_by_operator()
        })
        .linux_instance("windows", |host| host.named(LINUX))
        .foreign_instance(|host| host.named(FOREIGN));
    let world = NEW.into_iter().fold(world, |world, id| {
        world.windows_instance("windows", |host| {
            host.named(id).with(|host| host.booted = "2026-11-22T07:59:58.310Z".parse().unwrap())
        })
    });
    world.with(|world| {
        for named in named_in(&tests::events::folder("map-share")).unwrap() {
            world
                .hosts
                .entry(named.id.as_str().into())
                .and_modify(|host| *host = named.apply_ids(host.clone()));
        }
    })
}

/// The effect of a payload: the targets of the command, the attribute written (host, name, value), and the counts.
struct Expected {
    sent: &'static [&'static str],
    written: Option<(&'static str, &'static str, &'static str)>,
    counted: &'static [(&'static str, f64)],
}

/// With the fingerprint of the stack `smb-g`.
const RELEASED: &str = "released 2026-11-22T07:58:00.000Z e4eccf85";

fn expected(file: &str) -> Expected {
    let only = |sent, written, counted| Expected { sent, written, counted };
    let skipped: &[_] = &[("EventsSkipped", 1.0)];
    let foreign: &[_] = &[("EventsForeign", 1.0)];
    let handled: &[_] = &[("EventsHandled", 1.0)];
    let shut = Some((MAPPED, "smb.G.state", "restarted 2026-11-22T07:58:00.000Z 2026-11-22T07:30:00.000Z"));
    let released = Some((DRAINED, "smb.G.drain", RELEASED));
    match file {
        "by-hand-one" | "container-instance-registered" => only(&NEW[..1], None, handled),
        "by-hand-several" => only(
            &[NEW[0], NEW[1], MAPPED],
            None,
            &[("EventsForeign", 3.0), ("EventsHandled", 3.0), ("EventsUnreadable", 1.0)],
        ),
        "container-instance-task-started"
        | "container-instance-draining"
        | "container-instance-registering"
        | "instance-running-before-the-proof"
        | "instance-terminated"
        | "terminate-lifecycle-action-not-drained"
        | "terminate-test-notification"
        | "terminate-to-warm-pool"
        | "event-of-another-kind" => only(&[], None, skipped),
        "container-instance-disconnected" => only(&[], None, &[("LeftToReconcile", 1.0)]),
        "container-instance-linux"
        | "container-instance-external"
        | "container-instance-other-cluster"
        | "instance-running-not-ours" => only(&[], None, foreign),
        "instance-stopping" | "instance-stopped" | "instance-running" => only(&[], shut, handled),
        "spot-interruption-warning" | "terminate-lifecycle-action" => only(&[], released, handled),
        "sqs-scale-out" => only(&NEW, None, &[("EventsHandled", 3.0), ("EventsSkipped", 3.0)]),
        "sqs-doubled-and-out-of-order" => only(
            &NEW[..1],
            Some((MAPPED, "smb.G.state", "restarted 2026-11-22T07:59:00.000Z 2026-11-22T07:30:00.000Z")),
            &[("EventsHandled", 2.0), ("EventsSkipped", 3.0)],
        ),
        "sqs-task-noise" => only(&[], None, &[("EventsSkipped", 4.0)]),
        "sqs-unreadable-records" => {
            only(&NEW[..1], None, &[("EventsHandled", 1.0), ("EventsUnreadable", 3.0)])
        }
        other => panic!("events/map-share/{other}.json has no expectation here"),
    }
}

#[tokio::test(start_paused = true)]
async fn every_payload_has_the_effect_that_its_name_tells() {
    for (file, payload) in tests::events::of("map-share") {
        let setup = setup();
        setup.let_in().await;
        let answer = setup.invoke(payload).await.unwrap_or_else(|error| panic!("{file}: {error}"));
        if answer.get("batchItemFailures").is_some() {
            assert!(failures(&answer).is_empty(), "{file}: {answer}");
        }
        let Expected { sent, written, counted } = expected(&file);
        let sent: Vec<Vec<&str>> = if sent.is_empty() { Vec::new() } else { vec![sent.to_vec()] };
        assert_eq!(setup.commands(), sent, "{file}");
        let counted = counted.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        assert_eq!(setup.outcomes(), counted, "{file}");
        let puts = setup.calls().into_iter().filter(|call| call == "PutAttributes").count();
        assert_eq!(puts, usize::from(written.is_some()), "{file}");
        if let Some((id, name, value)) = written {
            let aws = setup.local.aws();
            assert_eq!(aws.container_instance(id).unwrap().attribute(name), Some(value), "{file}");
        }
    }
}
