//! What a run must reach. Pure: it is given what was seen, and says what is wrong.

use super::fleet_setup::Kind;
use super::observations::Observations;
use super::options::Options;
use super::view::InstanceView;
use shared::state::{Drain, Gate, State};
use std::collections::BTreeSet;
use std::time::Duration;

/// The rule by which a drain is withheld because others drain already.
pub(super) const BUDGET: &str = "budget";

/// The longest time from a decision to the command.
pub(super) const SENDING: Duration = Duration::from_millis(1500);

/// What the validator must find in the samples. Empty: the sample is valid.
const FINDINGS: [(&str, &str); 3] =
    [("orders", ""), ("reports", "unc-source-path"), ("billing", "unknown-source-volume")];

/// Something that the run must reach.
#[derive(Debug, Clone)]
pub struct Check {
    /// What.
    pub text: String,
    /// What is wrong. `None`: it is reached.
    pub wrong: Option<String>,
}

/// Everything that must hold at the end. `freshness`: how long the others follow one that was let in.
pub(super) fn checks(options: &Options, freshness: Duration, seen: &Observations) -> Vec<Check> {
    let all_of = |is_meant: fn(Kind) -> bool| seen.views.iter().filter(move |view| is_meant(view.kind));
    let id = |view: &InstanceView| view.id.to_string();
    let was_sent = |view: &&InstanceView| seen.first_command.contains_key(&*view.id);
    let draining = all_of(Kind::is_watched).filter(|view| view.is_draining()).count();
    let is_operators = |view: &&InstanceView| view.is_draining() && view.drain == Drain::Absent;
    let mut all = vec![
        all_right(
            "Windows instances end mapped, or with a shut gate and their true cause",
            seen.views.iter().filter(|view| !is_right(view)).map(describe),
        ),
        all_right(
            "the instance with a late agent was sent a command",
            all_of(|kind| kind == Kind::LateAgent).filter(|view| !was_sent(view)).map(id),
        ),
        disk(seen),
        check(
            "several instances at once were sent map only after one was let in",
            seen.longest_since_let_in <= freshness + SENDING,
            format!("once {:.1?} after it", seen.longest_since_let_in),
        ),
        check("drains stay within the budget", draining <= budget(seen), format!("{draining} are draining")),
        all_right(
            "the operator's drain is still the operator's",
            all_of(|kind| kind == Kind::DrainedByOperator).filter(|view| !is_operators(view)).map(describe),
        ),
        all_right(
            "nothing was sent to Linux instances or to instances of no cluster",
            all_of(|kind| !kind.is_watched()).filter(|view| was_sent(view) || view.state.is_some()).map(id),
        ),
        all_right(
            "no gate was seen open on a host without the share",
            seen.open_without_share.iter().cloned(),
        ),
        check(
            "no task with the constraint was placed on a host without the share",
            seen.misplaced_tasks == 0,
            format!("{} were", seen.misplaced_tasks),
        ),
        all_right("no function failed, and no message was given up", seen.failures.iter().cloned()),
        all_right(
            "of three task definitions one is valid, one has a network path, one mounts an undeclared volume",
            FINDINGS
                .iter()
                .filter(|(family, rule)| !found(seen, family, rule))
                .map(|(family, _)| family.to_string()),
        ),
    ];
    if options.wrong_password {
        all.extend(wrong_password(seen));
    } else {
        all.push(commands(seen));
    }
    let drained = format!("{} were", seen.wrong_drains);
    all.push(check(
        "no healthy instance was drained while the fault was a common one",
        seen.wrong_drains == 0,
        drained,
    ));
    all
}

fn check(text: impl Into<String>, holds: bool, wrong: String) -> Check {
    Check { text: text.into(), wrong: (!holds).then_some(wrong) }
}

/// Nothing may be wrong. Some of what is wrong is named.
fn all_right(text: impl Into<String>, wrong: impl Iterator<Item = String>) -> Check {
    let wrong: Vec<String> = wrong.collect();
    let named = wrong.iter().take(4).cloned().collect::<Vec<_>>().join("; ");
    check(text, wrong.is_empty(), format!("{} in all: {named}", wrong.len()))
}

fn describe(view: &InstanceView) -> String {
    let state = view.state.as_ref().map_or_else(|| "absent".to_owned(), State::print);
    let (id, status, gate) = (&view.id, view.status, view.gate.as_str());
    format!("{id} is {status}, smb.G is {gate}, smb.G.state is {state}, smb.G.drain is {:?}", view.drain)
}

/// Whether the instance stands as it must in the end, but for its drain.
pub(super) fn is_right(view: &InstanceView) -> bool {
    match view.kind.true_cause() {
        _ if !view.kind.is_watched() => true,
        None => {
            view.gate == Gate::Mapped && matches!(view.state, Some(State::Mapped { .. })) && view.share_mapped
        }
        Some(cause) => {
            let is_unmapped = matches!(view.state, Some(State::Unmapped { .. }));
            view.gate == Gate::Shut && is_unmapped && view.cause() == Some(cause) && !view.share_mapped
        }
    }
}

/// How many instances may drain at once: a tenth of the connected ones, and at least one.
fn budget(seen: &Observations) -> usize {
    let connected = seen.views.iter().filter(|view| view.kind.is_watched() && view.registered).count();
    (connected / 10).max(1)
}

fn found(seen: &Observations, family: &str, rule: &str) -> bool {
    let report = seen.validations.iter().find(|report| report.family == family);
    report.is_some_and(|report| match rule {
        "" => report.valid && report.errors.is_empty(),
        rule => !report.valid && report.errors.iter().any(|error| error == rule),
    })
}

/// The instance with a disk on the letter has to be drained, unless the operator's drain takes the whole budget.
fn disk(seen: &Observations) -> Check {
    let disk = seen.views.iter().find(|view| view.kind == Kind::DiskOnLetter).expect("every run has one");
    let withheld = seen.logs.withheld.get(&*disk.id).map(Vec::as_slice).unwrap_or_default();
    let (text, holds) = if seen.views.iter().any(|view| view.kind.is_faulty()) {
        // Which of several faulty hosts the budget lets drain first is not known beforehand.
        ("the instance with a disk on G: took part", true)
    } else if budget(seen) == 1 {
        let is_withheld = !disk.is_draining() && withheld.iter().any(|rule| rule == BUDGET);
        ("the instance with a disk on G: is not drained: the operator's is the whole budget", is_withheld)
    } else {
        let is_done = matches!(&disk.drain, Drain::Done { cause, .. } if cause.as_str() == "drive-in-use");
        ("the instance with a disk on G: is drained by us, for drive-in-use", disk.is_draining() && is_done)
    };
    check(text, holds, format!("{}; withheld by {withheld:?}", describe(disk)))
}

/// The commands are few.
fn commands(seen: &Observations) -> Check {
    let at_once = |kind: Kind| matches!(kind, Kind::ScaleOut | Kind::DiskOnLetter) || kind.is_faulty();
    let together: Vec<_> = seen.views.iter().filter(|view| at_once(view.kind)).collect();
    let sent: BTreeSet<_> =
        together.iter().filter_map(|view| seen.first_command.get(&*view.id)).copied().collect();
    // A faulty instance that tries the password lets nobody follow.
    let faulty = together.iter().filter(|view| view.kind.is_faulty()).count();
    let (count, most) = (together.len(), 4 + together.len() / 10 + faulty);
    check(
        format!("1 to {most} commands were enough for {count} instances of the scale-out"),
        (1..=most).contains(&sent.len()),
        sent.len().to_string(),
    )
}

fn wrong_password(seen: &Observations) -> [Check; 2] {
    let log_ons = seen.log_ons_while_wrong;
    let alarm = seen.logs.metrics.get("CredentialsRefused").copied().unwrap_or_default();
    [
        check(
            "while the password was wrong, the whole fleet presented it once or twice",
            (1..=2).contains(&log_ons),
            format!("{log_ons} times"),
        ),
        check("the metric CredentialsRefused was raised, which pages", alarm >= 1.0, alarm.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::observations::Validation;
    use super::super::view::tests::view;
    use super::*;

    const DONE: &str = "done drive-in-use 2026-03-01T12:01:00.000Z";

    fn unmapped(view: &mut InstanceView, kind: Kind) {
        let cause = kind.true_cause().unwrap();
        let state = format!("unmapped 2 2026-03-01T12:00:00.000Z - {cause} 2026-03-01T12:00:00.000Z");
        (view.kind, view.gate, view.share_mapped) = (kind, Gate::Shut, false);
        view.state = State::parse(&state);
    }

    /// What is seen in a run with that many plain instances that reaches everything. With 30, the one with the late agent
    /// is i-32 and the Linux one i-34.
    fn good(plain: usize) -> Observations {
        let special = [
            Kind::Existing,
            Kind::DrainedByOperator,
            Kind::LateAgent,
            Kind::DiskOnLetter,
            Kind::Linux,
            Kind::Foreign,
        ];
        let kinds = std::iter::repeat_n(Kind::ScaleOut, plain).chain(special);
        let mut views: Vec<_> = kinds.enumerate().map(|(n, kind)| view(&format!("i-{n}"), kind)).collect();
        for view in &mut views {
            match view.kind {
                Kind::DrainedByOperator => view.status = "DRAINING",
                Kind::DiskOnLetter => unmapped(view, Kind::DiskOnLetter),
                Kind::Linux | Kind::Foreign => (view.gate, view.state) = (Gate::Shut, None),
                _ => {}
            }
        }
        if plain >= 16 {
            (views[plain + 3].status, views[plain + 3].drain) = ("DRAINING", Drain::parse(Some(DONE)));
        }
        let mut seen = Observations::default();
        for view in views.iter().filter(|view| view.kind.is_watched()) {
            seen.first_command.insert(view.id.to_string(), 1);
            seen.logs.withheld.insert(view.id.to_string(), vec![BUDGET.to_owned()]);
        }
        seen.validations = FINDINGS
            .map(|(family, rule)| Validation {
                family: family.to_owned(),
                valid: rule.is_empty(),
                errors: if rule.is_empty() { Vec::new() } else { vec![rule.to_owned()] },
            })
            .into();
        seen.logs.metrics.insert("CredentialsRefused".to_owned(), 1.0);
        Observations { views, log_ons_while_wrong: 1, ..seen }
    }

    fn wrong(options: &Options, seen: &Observations) -> Vec<String> {
        checks(options, Duration::from_secs(2), seen)
            .into_iter()
            .filter(|check| check.wrong.is_some())
            .map(|check| check.text)
            .collect()
    }

    fn of(seen: &mut Observations, kind: Kind) -> &mut InstanceView {
        seen.views.iter_mut().find(|view| view.kind == kind).unwrap()
    }

    type Change = fn(&mut Observations);

    /// Each change of a good run makes exactly one check fail, whose text contains the words beside it.
    fn each_is_found(options: &Options, plain: usize, table: &[(&str, Change)]) {
        assert_eq!(wrong(options, &good(plain)), [""; 0]);
        for (what, change) in table {
            let mut seen = good(plain);
            change(&mut seen);
            let wrong = wrong(options, &seen);
            assert!(wrong.len() == 1 && wrong[0].contains(what), "{what}: {wrong:?}");
        }
    }

    #[test]
    fn every_wrong_ending_is_found() {
        let one_by_one: Change = |seen| {
            seen.first_command.values_mut().enumerate().for_each(|(n, number)| *number = n);
        };
        let table: &[(&str, Change)] = &[
            ("end mapped", |seen| of(seen, Kind::ScaleOut).gate = Gate::Shut),
            ("end mapped", |seen| of(seen, Kind::Existing).share_mapped = false),
            ("end mapped", |seen| of(seen, Kind::DrainedByOperator).state = None),
            ("end mapped", |seen| of(seen, Kind::DiskOnLetter).state = None),
            ("late agent", |seen| _ = seen.first_command.remove("i-32")),
            ("disk on G: is drained", |seen| of(seen, Kind::DiskOnLetter).drain = Drain::Absent),
            ("disk on G: is drained", |seen| of(seen, Kind::DiskOnLetter).status = "ACTIVE"),
            ("drains stay within", |seen| {
                seen.views[..3].iter_mut().for_each(|view| view.status = "DRAINING");
            }),
            ("operator's drain", |seen| of(seen, Kind::DrainedByOperator).status = "ACTIVE"),
            ("operator's drain", |seen| of(seen, Kind::DrainedByOperator).drain = Drain::parse(Some(DONE))),
            ("nothing was sent", |seen| _ = seen.first_command.insert("i-34".to_owned(), 1)),
            ("only after one was let in", |seen| seen.longest_since_let_in = Duration::from_secs(4)),
            ("seen open", |seen| _ = seen.open_without_share.insert("i-3".to_owned())),
            ("task with the constraint", |seen| seen.misplaced_tasks = 1),
            ("three task definitions", |seen| _ = seen.validations.pop()),
            ("three task definitions", |seen| seen.validations[0].valid = false),
            ("three task definitions", |seen| seen.validations[1].errors.clear()),
            ("no function failed", |seen| seen.failures.push("map-share crashed".to_owned())),
            ("1 to 7 commands", one_by_one),
        ];
        each_is_found(&Options::default(), 30, table);
    }

    #[test]
    fn a_withheld_drain_needs_the_budget_as_its_reason() {
        let table: &[(&str, Change)] =
            &[("disk on G: is not drained", |seen| seen.logs.withheld.values_mut().for_each(Vec::clear))];
        each_is_found(&Options::default(), 0, table);
    }

    #[test]
    fn a_wrong_password_is_presented_once_or_twice_and_raises_the_alarm() {
        let table: &[(&str, Change)] = &[
            ("only after one was let in", |seen| seen.longest_since_let_in = Duration::MAX),
            ("once or twice", |seen| seen.log_ons_while_wrong = 0),
            ("once or twice", |seen| seen.log_ons_while_wrong = 3),
            ("no healthy instance was drained", |seen| seen.wrong_drains = 1),
            ("CredentialsRefused", |seen| seen.logs.metrics.clear()),
        ];
        each_is_found(&Options { wrong_password: true, ..Options::default() }, 30, table);
    }
}
