//! The invariants on a hundred thousand random fleets: the same ones in every run, others with `make fuzz`.

use std::collections::BTreeMap;

use shared::brake::Password;
use shared::history;
use shared::state::{Gate, State};

use super::build::{NOW, ago, lines};
use super::random::{Generator, Rng};
use super::{build, invariants};
use crate::decide::{Action, Why, decide};
use crate::drain::DrainAction;
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

/// What a plan may hold, by name: a property that nothing ever puts to the test proves nothing.
fn kind(action: &Action, is_proven: bool) -> &'static str {
    match action {
        Action::Write { why: Why::Silent, .. } => "shut as silent",
        Action::Write { verdict, .. } if verdict.gate == Gate::Mapped => "opened or kept open",
        Action::Write { .. } => "shut or kept shut",
        Action::Send(order) if order.action == history::Action::Check => "checks",
        Action::Send(order) if order.rate_control.max_concurrency == 2 => "renewals",
        Action::Send(_) if is_proven => "maps",
        Action::Send(_) => "canaries",
        Action::Drain { action: DrainAction::Drain(_), .. } => "drains",
        Action::Drain { action: DrainAction::GiveBack, .. } => "given back",
        Action::Drain { action: DrainAction::Release, .. } => "released",
        Action::Drain { action: DrainAction::Forget, .. } => "forgotten",
    }
}

/// As many as [`kind`] names.
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
        let is_settled = again.actions.iter().all(|action| match action {
            Action::Write { arn, verdict, why } => {
                let judged = plan.fleet.instances[arn].state().map(State::judged);
                *why == Why::Silent || judged.is_none_or(|judged| verdict.state.judged() > judged)
            }
            Action::Send(_) | Action::Drain { .. } => true,
        });
        let settled = is_settled.then_some(()).ok_or_else(|| "what was judged is judged once".to_owned());
        if let Err(sentence) = invariants::hold(&fleet, &policy, &plan).and(settled) {
            panic!(
                "FUZZ_SEED={seed}: {sentence}\n{}\n{policy:#?}\ndecided: {:#?}",
                sketch(&fleet),
                lines(&plan)
            );
        }
        let is_proven = plan.braking.brake.password == Password::Proven;
        for action in &plan.actions {
            *seen.entry(kind(action, is_proven)).or_default() += 1;
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
        for answer in &instance.answers {
            text +=
                &format!("    {} {} {:?}\n", answer.action.as_str(), ago(answer.requested_at), answer.result);
        }
    }
    text
}
