//! The invariants on a hundred thousand random fleets: the same ones in every run, others with `make fuzz`.

use std::collections::BTreeMap;

use shared::brake::Password;
use shared::history;
use shared::state::{Gate, State};

use super::build::{NOW, ago, lines};
use super::random::{Generator, Rng};
use super::{build, invariants};
use crate::decide::{DrainAction, GateWrite, Plan, Why, decide};
use crate::fleet::Fleet;

const CASES: u64 = 100_000;

/// The first case's seed. The one that a failure names, given here, is tried first.
#[allow(clippy::disallowed_methods, reason = "no other test reads it, and nothing that is shipped")]
fn first_seed() -> u64 {
    std::env::var("FUZZ_SEED").map_or(20_261_122, |text| text.parse().expect("FUZZ_SEED is a whole number"))
}

#[allow(clippy::disallowed_methods, reason = "measured for the reader, not decided on")]
fn stopwatch() -> std::time::Instant {
    std::time::Instant::now()
}

/// What a plan holds, by name: a property that nothing ever puts to the test proves nothing.
fn kinds(plan: &Plan) -> Vec<&'static str> {
    let is_proven = plan.credentials.brake.password == Password::Proven;
    let write = |write: &GateWrite| match write {
        GateWrite { why: Why::Silent, .. } => "shut as silent",
        GateWrite { verdict, .. } if verdict.gate == Gate::Mapped => "opened or kept open",
        GateWrite { .. } => "shut or kept shut",
    };
    let writes = plan.shut_or_kept.iter().chain(&plan.opened).map(write);
    let commands = plan.commands.iter().map(|command| match command.action {
        history::Action::Check => "checks",
        history::Action::Map if command.rate_control.max_concurrency == 2 => "renewals",
        history::Action::Map if is_proven => "maps",
        history::Action::Map => "canaries",
    });
    let drains = plan.drains.iter().map(|drain| match drain.action {
        DrainAction::Drain(_) => "drains",
        DrainAction::GiveBack => "given back",
        DrainAction::MarkReleased => "released",
        DrainAction::Forget => "forgotten",
    });
    writes.chain(commands).chain(drains).collect()
}

/// As many as [`kinds`] names.
const KINDS: usize = 11;

#[test]
fn the_invariants_hold_of_every_plan() {
    let (seed, started) = (first_seed(), stopwatch());
    let generator = Generator::new();
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for case in 0..CASES {
        let seed = seed.wrapping_add(case);
        let (fleet, policy) = generator.fleet(&mut Rng::with_seed(seed));
        let plan = decide(&fleet, &policy, NOW);
        // A second look at what the first one leaves takes no word twice.
        let again = decide(&plan.fleet, &policy, NOW);
        let is_settled = again.shut_or_kept.iter().chain(&again.opened).all(|write| {
            let judged = plan.fleet.instances[&write.arn].state().map(State::judged);
            write.why == Why::Silent || judged.is_none_or(|judged| write.verdict.state.judged() > judged)
        });
        let settled = is_settled.then_some(()).ok_or_else(|| "what was judged is judged once".to_owned());
        if let Err(sentence) = invariants::hold(&fleet, &policy, &plan).and(settled) {
            panic!(
                "FUZZ_SEED={seed}: {sentence}\n{}\n{policy:#?}\ndecided: {:#?}",
                sketch(&fleet),
                lines(&plan)
            );
        }
        for kind in kinds(&plan) {
            *seen.entry(kind).or_default() += 1;
        }
    }
    println!("{CASES} fleets from seed {seed} in {:.1} s: {seen:?}", started.elapsed().as_secs_f64());
    assert!(seen.len() == KINDS && seen.values().all(|&n| n >= 100), "hardly put to the test: {seen:?}");
}

/// A fleet as its instances stand, one a line.
fn sketch(fleet: &Fleet) -> String {
    let mut text = format!("parameters {:?}, partial {}\n", fleet.parameters, fleet.is_partial);
    for send in &fleet.unconfirmed_sends {
        text += &format!("lost {} {}: {:?}\n", send.action.as_str(), ago(send.at), send.targets);
    }
    for record in &fleet.stale_registrations {
        text += &format!("stale {}\n", build::attributes(&record.attributes));
    }
    for instance in fleet.instances.values() {
        let record = &instance.record;
        text += &format!(
            "{} {} {:?} connected {} registered {} agent {:?}: {}\n",
            record.cluster,
            instance.id,
            record.status,
            record.is_connected,
            ago(record.registered_at),
            instance.agent,
            build::attributes(&record.attributes),
        );
        for answer in &instance.results {
            text +=
                &format!("    {} {} {:?}\n", answer.action.as_str(), ago(answer.requested_at), answer.result);
        }
    }
    text
}
