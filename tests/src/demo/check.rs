//! What a run must have reached. Pure: it is told how everything stands, and says what is missed.

use super::cast::Part;
use super::look::{Standing, cause};
use super::options::Options;
use super::story::{Check, Validation};
use shared::state::{Drain, Gate, State};
use std::collections::BTreeMap;

/// How everything stands at the end.
#[derive(Debug, Default)]
pub struct Ending {
    /// Every instance of the cast.
    pub standings: Vec<Standing>,
    /// What was sent to an instance.
    pub sent: BTreeMap<String, Sent>,
    /// Commands that `map-share` sent.
    pub map_share_commands: usize,
    /// Log-ons of the whole fleet while the password was wrong.
    pub log_ons_while_wrong: usize,
    /// Instances that a function had drained while the password was wrong, or while the file server was away.
    pub drained_in_trouble: usize,
    /// Instances seen with an open gate on a host that did not hold the share.
    pub open_without_share: Vec<String>,
    /// Tasks with the constraint that were placed on a host without the share.
    pub gated_tasks_astray: usize,
    /// Why `drain-unmapped` said that it withheld the drain of an instance, by instance.
    pub withheld: BTreeMap<String, Vec<String>>,
    /// Metric lines' values, the largest of each name.
    pub metrics: BTreeMap<String, f64>,
    /// What the validator said of the samples, in their order.
    pub validations: Vec<Validation>,
    /// Invocations that failed or crashed, and messages that became dead letters.
    pub failures: Vec<String>,
}

/// What was sent to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// How many commands.
    pub commands: usize,
    /// Whether the first one came from `map-share`, which saw the event, rather than from the sweep.
    pub first_by_map_share: bool,
}

/// What `drain-unmapped` names when a drain is withheld because others are draining already.
pub const BUDGET: &str = "budget";

/// A function may drain so many of `connected` Windows instances, whoever drained them.
pub fn budget(connected: usize) -> usize {
    (connected / 10).max(1)
}

/// Everything that must hold, and what is missed.
pub fn checks(options: &Options, end: &Ending) -> Vec<Check> {
    let mut all = vec![mapped(end), disk(end), operators(end), foreign(end), gates(end), failures(end)];
    all.extend(late(end));
    all.extend(faulty(options, end));
    all.push(tasks(end));
    all.push(validations(end));
    if options.wrong_password {
        all.extend(wrong_password(end));
    } else {
        all.extend(commands(end));
    }
    if options.outage.is_some() {
        let missed = (end.drained_in_trouble > 0).then(|| format!("{} were", end.drained_in_trouble));
        all.push(check("nothing was drained for the file server's absence", missed));
    }
    all
}

fn check(text: impl Into<String>, missed: Option<String>) -> Check {
    Check { text: text.into(), missed }
}

/// Some of `wrong`, named.
fn name(wrong: Vec<String>) -> Option<String> {
    let more = wrong.len().saturating_sub(4);
    let shown = wrong.iter().take(4).cloned().collect::<Vec<_>>().join("; ");
    match (wrong.len(), more) {
        (0, _) => None,
        (_, 0) => Some(shown),
        _ => Some(format!("{shown}; and {more} more")),
    }
}

fn with<'a>(end: &'a Ending, part: impl Fn(Part) -> bool + 'a) -> impl Iterator<Item = &'a Standing> {
    end.standings.iter().filter(move |one| part(one.part))
}

fn says(one: &Standing) -> String {
    let state = one.state.as_ref().map_or_else(|| "nothing known".to_owned(), State::print);
    format!("{} has its gate {} and says {state}", one.id, one.gate.as_str())
}

fn mapped(end: &Ending) -> Check {
    let healthy: Vec<_> = with(end, Part::can_be_mapped).collect();
    let is_mapped = |one: &Standing| {
        one.gate == Gate::Mapped && matches!(one.state, Some(State::Mapped { .. })) && one.truly_mapped
    };
    let wrong = healthy.iter().filter(|one| !is_mapped(one)).map(|one| says(one)).collect();
    check(
        format!("all {} healthy Windows instances are mapped, with an open gate", healthy.len()),
        name(wrong),
    )
}

fn late(end: &Ending) -> Option<Check> {
    let late = with(end, |part| part == Part::AgentLate).next()?;
    let sent = end.sent.get(&*late.id).map_or(0, |sent| sent.commands);
    let missed = (sent == 0 || late.gate != Gate::Mapped).then(|| format!("{}, {sent} commands", says(late)));
    Some(check("the instance whose agent came late was mapped once it was online", missed))
}

fn disk(end: &Ending) -> Check {
    let connected = with(end, |part| part.is_ours()).filter(|one| one.registered).count();
    let others = with(end, |part| part == Part::DrainedByOperator).count();
    let Some(disk) = with(end, |part| part == Part::DiskOnLetter).next() else {
        return check("the instance with a disk on G: took part", Some("it is not there".to_owned()));
    };
    let shut = disk.gate == Gate::Shut && !disk.truly_mapped;
    let found = disk.state.as_ref().and_then(cause).unwrap_or("none");
    // With faulty hosts beside it, who fits into the budget first is not said beforehand.
    let crowded = with(end, |part| matches!(part, Part::Faulty(_))).next().is_some();
    if crowded {
        let missed = (!shut || found != "drive-in-use").then(|| says(disk));
        return check("the instance with a disk on G: keeps its gate shut, cause drive-in-use", missed);
    }
    if others >= budget(connected) {
        let because = end.withheld.get(&*disk.id).cloned().unwrap_or_default();
        let right =
            shut && !disk.draining && found == "drive-in-use" && because.iter().any(|rule| rule == BUDGET);
        let missed = (!right).then(|| format!("{}; withheld because of {because:?}", says(disk)));
        let text = "the drain of the instance with a disk on G: is withheld: an operator's drain is the whole budget";
        return check(text, missed);
    }
    let done = matches!(&disk.drain, Drain::Done { cause, .. } if cause.as_str() == "drive-in-use");
    let missed =
        (!(shut && disk.draining && done)).then(|| format!("{}; its drain: {:?}", says(disk), disk.drain));
    check("the instance with a disk on G: is drained, by us, cause drive-in-use", missed)
}

fn operators(end: &Ending) -> Check {
    let wrong = with(end, |part| part == Part::DrainedByOperator)
        .filter(|one| !one.draining || one.drain != Drain::Absent)
        .map(|one| {
            format!(
                "{} {}draining, its drain: {:?}",
                one.id,
                if one.draining { "" } else { "not " },
                one.drain
            )
        })
        .collect();
    check("the operator's drain is still the operator's", name(wrong))
}

fn foreign(end: &Ending) -> Check {
    let sent = |one: &&Standing| end.sent.contains_key(&*one.id) || one.state.is_some();
    let wrong = with(end, |part| !part.is_ours()).filter(sent).map(|one| one.id.to_string()).collect();
    check("Linux instances and instances of no cluster were never sent anything", name(wrong))
}

fn gates(end: &Ending) -> Check {
    let wrong = end.open_without_share.clone();
    check("no gate was ever seen open on a host that did not hold the share", name(wrong))
}

fn tasks(end: &Ending) -> Check {
    let missed = (end.gated_tasks_astray > 0).then(|| format!("{} were", end.gated_tasks_astray));
    check("no task with the constraint was placed on a host without the share", missed)
}

/// What must be found in the samples; empty: the sample is valid.
const FOUND: [(&str, &str); 3] =
    [("orders", ""), ("reports", "unc-source-path"), ("billing", "unknown-source-volume")];

fn validations(end: &Ending) -> Check {
    let is_error = |finding: &[String; 4], rule: &str| finding[0] == "error" && finding[1].ends_with(rule);
    let right = |family: &str, rule: &str| {
        end.validations.iter().any(|one| {
            let found = one.findings.iter().any(|finding| is_error(finding, rule));
            one.family == family && one.valid == rule.is_empty() && found != rule.is_empty()
        })
    };
    let wrong = FOUND.iter().filter(|(family, rule)| !right(family, rule));
    let text = "of three task definitions one is valid, one has a network path, one mounts a volume that is not there";
    check(text, name(wrong.map(|(family, _)| (*family).to_owned()).collect()))
}

fn failures(end: &Ending) -> Check {
    check("no function failed, and no message was given up", name(end.failures.clone()))
}

fn commands(end: &Ending) -> [Check; 2] {
    let together: Vec<_> =
        with(end, |part| matches!(part, Part::ScaleOut | Part::DiskOnLetter | Part::Faulty(_))).collect();
    let first = |one: &&&Standing| end.sent.get(&*one.id).is_some_and(|sent| sent.first_by_map_share);
    let late = together.iter().filter(|one| !first(one)).map(|one| one.id.to_string()).collect();
    let count = together.len();
    // A batch has 500 events at most, three or so an instance, and each batch may leave one group of 50 unfilled.
    let most = count.div_ceil(50) + count / 150;
    let missed =
        (!(1..=most).contains(&end.map_share_commands)).then(|| format!("{}", end.map_share_commands));
    let commands = if most == 1 { "one command".to_owned() } else { format!("at most {most} commands") };
    let instances = if count == 1 {
        "the instance that came at once".to_owned()
    } else {
        format!("the {count} instances that came together")
    };
    [
        check(format!("map-share, on their events, was the first to send to {instances}"), name(late)),
        check(format!("map-share sent {commands} in all"), missed),
    ]
}

fn faulty(options: &Options, end: &Ending) -> Option<Check> {
    let faulty: Vec<_> = with(end, |part| matches!(part, Part::Faulty(_))).collect();
    if options.fail == 0 || faulty.is_empty() {
        return None;
    }
    let drained = end.standings.iter().filter(|one| one.draining && one.part.is_ours()).count();
    let allowed = budget(with(end, |part| part.is_ours()).count());
    let right = |one: &Standing| {
        one.gate == Gate::Shut
            && matches!(one.state, Some(State::Unmapped { .. }))
            && one.state.as_ref().and_then(cause) == one.part.true_cause()
    };
    let mut wrong: Vec<String> = faulty.iter().filter(|one| !right(one)).map(|one| says(one)).collect();
    if drained > allowed {
        wrong.push(format!("{drained} are draining, the budget is {allowed}"));
    }
    let text = format!(
        "all {} faulty instances have their gate shut and their true cause; drains stay in budget",
        faulty.len()
    );
    Some(check(text, name(wrong)))
}

fn wrong_password(end: &Ending) -> [Check; 3] {
    let log_ons = end.log_ons_while_wrong;
    let alarm = end.metrics.get("CredentialsRefused").copied().unwrap_or_default();
    [
        check(
            "while the password was wrong, the whole fleet presented it at most twice",
            (!(1..=2).contains(&log_ons)).then(|| format!("{log_ons} times")),
        ),
        check(
            "while the password was wrong, nothing was drained",
            (end.drained_in_trouble > 0).then(|| format!("{} were", end.drained_in_trouble)),
        ),
        check(
            "the metric CredentialsRefused, which pages, was raised",
            (alarm < 1.0).then(|| format!("it is {alarm}")),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Light, Row};
    use super::*;

    const PROVEN: &str = "mapped 2026-03-01T12:00:00.000Z 2026-03-01T12:00:00.000Z -";
    const IN_USE: &str = "unmapped 2 2026-03-01T12:00:00.000Z - drive-in-use 2026-03-01T12:00:00.000Z";
    const DONE: &str = "done drive-in-use 2026-03-01T12:01:00.000Z";

    fn standing(id: usize, part: Part, gate: &str, state: Option<&str>, drain: Option<&str>) -> Standing {
        let draining = drain.is_some() || part == Part::DrainedByOperator;
        Standing {
            id: format!("i-{id}").as_str().into(),
            part,
            registered: part != Part::Foreign,
            draining,
            gate: Gate::parse(Some(gate)),
            state: state.map(|state| State::parse(state).unwrap()),
            drain: Drain::parse(drain),
            truly_mapped: gate == "mapped",
            under_way: false,
            row: Row {
                id: format!("i-{id}"),
                who: String::new(),
                status: String::new(),
                agent: "online",
                gate_open: gate == "mapped",
                state: String::new(),
                cause: String::new(),
                tasks: 0,
                light: Light::Open,
            },
        }
    }

    /// The ending that a run with that many plain instances must have.
    fn good(plain: usize) -> Ending {
        let mut standings: Vec<Standing> =
            (0..plain).map(|n| standing(n, Part::ScaleOut, "mapped", Some(PROVEN), None)).collect();
        standings.extend([
            standing(1001, Part::Before, "mapped", Some(PROVEN), None),
            standing(1002, Part::DrainedByOperator, "mapped", Some(PROVEN), None),
            standing(1003, Part::AgentLate, "mapped", Some(PROVEN), None),
            standing(1004, Part::DiskOnLetter, "shut", Some(IN_USE), (plain >= 16).then_some(DONE)),
            standing(1005, Part::Linux, "shut", None, None),
            standing(1006, Part::Foreign, "shut", None, None),
        ]);
        let once = Sent { commands: 1, first_by_map_share: true };
        let sent =
            standings.iter().filter(|one| one.part.is_ours()).map(|one| (one.id.to_string(), once)).collect();
        let withheld = [("i-1004".to_owned(), vec![BUDGET.to_owned()])].into();
        let validation = |family: &str, rule: &str| Validation {
            family: family.to_owned(),
            valid: rule.is_empty(),
            findings: match rule {
                "" => Vec::new(),
                rule => vec![["error".into(), format!("TD000 {rule}"), String::new(), String::new()]],
            },
        };
        let validations = FOUND.map(|(family, rule)| validation(family, rule)).into();
        Ending { standings, sent, map_share_commands: 1, withheld, validations, ..Ending::default() }
    }

    fn missed(options: &Options, end: &Ending) -> Vec<String> {
        checks(options, end)
            .into_iter()
            .filter(|check| check.missed.is_some())
            .map(|check| check.text)
            .collect()
    }

    fn member(end: &mut Ending, part: Part) -> &mut Standing {
        end.standings.iter_mut().find(|one| one.part == part).unwrap()
    }

    #[test]
    fn the_ending_that_must_be_reached_misses_nothing() {
        let options = Options::default();
        assert_eq!(missed(&options, &good(30)), [""; 0]);
        assert_eq!(
            missed(&options, &good(0)),
            [""; 0],
            "with four, the operator's drain is the whole budget"
        );
    }

    #[test]
    fn every_wrong_ending_is_found() {
        type Change = fn(&mut Ending);
        let table: [(&str, Change); 18] = [
            ("healthy", |end| member(end, Part::ScaleOut).gate = Gate::Shut),
            ("healthy", |end| member(end, Part::Before).truly_mapped = false),
            ("healthy", |end| member(end, Part::DrainedByOperator).state = None),
            ("agent came late", |end| _ = end.sent.remove("i-1003")),
            ("disk on G: is drained", |end| member(end, Part::DiskOnLetter).drain = Drain::Absent),
            ("disk on G: is drained", |end| member(end, Part::DiskOnLetter).draining = false),
            ("operator's drain", |end| member(end, Part::DrainedByOperator).draining = false),
            ("operator's drain", |end| member(end, Part::DrainedByOperator).drain = Drain::parse(Some(DONE))),
            ("never sent", |end| _ = end.sent.insert("i-1005".to_owned(), end.sent["i-1"])),
            ("the first to send", |end| end.sent.get_mut("i-3").unwrap().first_by_map_share = false),
            ("ever seen open", |end| end.open_without_share.push("i-3".to_owned())),
            ("task with the constraint", |end| end.gated_tasks_astray = 1),
            ("three task definitions", |end| _ = end.validations.pop()),
            ("three task definitions", |end| end.validations[0].valid = false),
            ("three task definitions", |end| end.validations[1].findings[0][0] = "info".to_owned()),
            ("no function failed", |end| end.failures.push("map-share crashed".to_owned())),
            ("map-share sent one command", |end| end.map_share_commands = 2),
            ("map-share sent one command", |end| end.map_share_commands = 0),
        ];
        for (what, change) in table {
            let mut end = good(30);
            change(&mut end);
            let missed = missed(&Options::default(), &end);
            assert!(missed.len() == 1 && missed[0].contains(what), "{what}: {missed:?}");
        }
    }

    #[test]
    fn a_withheld_drain_needs_the_budget_as_its_reason() {
        let mut end = good(0);
        end.withheld.clear();
        assert_eq!(missed(&Options::default(), &end).len(), 1);
        let mut end = good(0);
        member(&mut end, Part::DiskOnLetter).draining = true;
        assert_eq!(missed(&Options::default(), &end).len(), 1);
    }

    #[test]
    fn a_wrong_password_is_presented_once_or_twice_and_raises_the_alarm() {
        let options = Options { wrong_password: true, ..Options::default() };
        let told = |log_ons, drained, alarm: f64| {
            let metrics = [("CredentialsRefused".to_owned(), alarm)].into();
            let end =
                Ending { log_ons_while_wrong: log_ons, drained_in_trouble: drained, metrics, ..good(30) };
            missed(&options, &end).len()
        };
        assert_eq!(told(1, 0, 1.0), 0);
        assert_eq!(told(2, 0, 1.0), 0);
        assert_eq!(told(0, 0, 1.0), 1);
        assert_eq!(told(3, 0, 1.0), 1);
        assert_eq!(told(1, 1, 1.0), 1);
        assert_eq!(told(1, 0, 0.0), 1);
    }
}
