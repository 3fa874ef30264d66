//! The table of all scenarios, beside the model's.

use std::fmt::Write;

use super::deployment::{Delay, Played};
use super::measures::Refusals;
use super::table::{Model, Scenario};

/// Of these a larger number is better.
const MORE_IS_BETTER: [&str; 2] = ["open", "n"];

const HEAD: &str = "# Scenarios of refused log-ons

<!-- Written by `make scenarios PLAY=credentials`. Do not edit. -->

Both functions as they ship, over the local AWS in virtual time, beside a model in Python in which the rule of
[Credentials](architecture.md#credentials) was worked out. A *bad* log-on is one that the directory refused. *Count*: the
directory's own, which falls to 0 at a good log-on and after 30 minutes without a bad one; in brackets where one log-on
counts three times. *Locks*: how often an account would have been locked at thresholds 5 and 10; no modelled account is.
Of several seeds: the largest of the first three figures, and the range of each delay, in seconds unless its name says
minutes (`_min`; `oldest_med`, too). A list has one value for each repetition, the largest of all seeds. *Worse*: what is
more than a tenth worse than in the model. The hosts' pace is the local AWS's, not the model's, so delays compare roughly.

The model's code is lost; its set-ups are inferred from its text and, where that says nothing, from its own figures: how
long S2, S8seed and X last, the 270 s of S1slow, the fresh proofs at the start of S3 and S4, the 30 hosts of S4_40_live.
There an equal number of locks, or an equal `oldest`, proves little. S4 counts *bad* until the parameter follows.

";

const COLUMNS: &str = "\
| scenario | what happens | bad in 30 min | count (×3) | locks 5 / 10 | locks ×3 | delays | the model | worse |
|---|---|---|---|---|---|---|---|---|
";

const REASONS: &str = "
## Why some are worse

| scenario | worse | reason |
|---|---|---|
| S1slow | heal | a check takes 275 s and one instance is checked at a time, so 50 take 3.8 h; the last are checked after the correction |
| S1slow, L5, L10, R50dir, T40d20lone2 | locks ×3 | where one log-on counts three times, two refusals lock at threshold 5; a threshold of 10 never locks |
| S2, B10 | oldest | each instance has its own moment in the period, so a proof is a period, a look and a check old |
| S4_40, S4_40_live | heal | the canary waits for the next minute's run, and the others for its result |
| B10 | heal | two canaries that may each be refused twice do not overlap |
| S3_40 | bad | a `map` is refused with the kept password, then let in with the new one; no row grows, and more are renewed in 30 minutes |
| L2, L5, L10 | noticed, oldest | instances that are refused alone are found one by one, each after the row of the one before, 31 minutes |
| L5, N5lone, X010, X050, X050warm | bad, count | three is the budget: a check beside the canaries is the third |
| A40 | checks | the first command is sized for 15 s a check, what remains is a second one |
| O20_5, O20_40 | shut | a check follows the one before at once, so more instances fail twice within 20 minutes |
";

/// What some seeds of one scenario gave.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The largest figures.
    pub refusals: Refusals,
    /// The range of each delay, or a list of the largest of each repetition.
    pub delays: Vec<Delay>,
}

impl Measured {
    /// Sums up the histories.
    pub fn of(histories: &[Played]) -> Self {
        let refusals = histories.iter().fold(Refusals::default(), |all, one| all.max(one.refusals));
        let names = histories.first().map(|one| one.delays.as_slice()).unwrap_or_default();
        let delays = names.iter().enumerate().map(|(n, (name, _))| {
            let values: Vec<&[i64]> = histories.iter().map(|one| one.delays[n].1.as_slice()).collect();
            (*name, sum_up(&values))
        });
        Measured { refusals, delays: delays.collect() }
    }

    /// The names of the figures that are more than a tenth worse than the model's.
    pub fn worse(&self, model: &Model) -> Vec<&'static str> {
        let Refusals { most, highest, locks } = self.refusals;
        let is_more = |ours: usize, models: usize| ours * 10 > models * 11;
        let mut worse = Vec::new();
        worse.extend(is_more(most, model.most).then_some("bad"));
        worse.extend(is_more(highest, model.highest).then_some("count"));
        worse.extend((0..4).any(|n| is_more(locks[n], model.locks[n])).then_some("locks"));
        worse.extend(model.delays.iter().filter_map(|(name, models)| {
            let (_, ours) = self.delays.iter().find(|(ours, _)| ours == name)?;
            is_worse(name, ours, models).then_some(*name)
        }));
        worse
    }
}

/// A list where there are several repetitions; else the lowest and the highest.
fn sum_up(values: &[&[i64]]) -> Vec<i64> {
    let longest = values.iter().map(|values| values.len()).max().unwrap_or(0);
    let all = || values.iter().copied().flatten().copied();
    if longest > 1 {
        let largest = |n: usize| values.iter().filter_map(|values| values.get(n)).max().copied();
        return (0..longest).filter_map(largest).collect();
    }
    let (low, high) = (all().min(), all().max());
    low.into_iter().chain(high.filter(|_| low != high)).collect()
}

fn is_worse(name: &str, ours: &[i64], models: &[i64]) -> bool {
    if MORE_IS_BETTER.contains(&name) {
        let low = |values: &[i64]| values.iter().min().copied().unwrap_or_default();
        return low(ours) * 11 < low(models) * 10;
    }
    let high = |values: &[i64]| values.iter().max().copied().unwrap_or_default();
    high(ours) * 10 > high(models) * 11
}

/// The page.
pub fn page<'s>(measured: impl IntoIterator<Item = (&'s Scenario, Measured)>) -> String {
    let rows = measured.into_iter().map(|(scenario, measured)| row(scenario, &measured));
    let before = [HEAD, COLUMNS].into_iter().map(str::to_owned);
    before.chain(rows).chain([REASONS.to_owned()]).collect()
}

/// The scenario's row, with its end of line.
pub fn row(scenario: &Scenario, measured: &Measured) -> String {
    let Scenario { name, what, model, .. } = scenario;
    let models = Refusals { most: model.most, highest: model.highest, locks: model.locks };
    let delays = model.delays.iter().map(|(name, values)| (*name, values.to_vec())).collect::<Vec<_>>();
    format!(
        "| {name} | {what} | {} | {} | {}; {} | {} |\n",
        figures(measured.refusals).join(" | "),
        print(&measured.delays),
        figures(models).join("; "),
        print(&delays),
        measured.worse(model).join(", ")
    )
}

fn figures(refusals: Refusals) -> [String; 4] {
    let Refusals { most, highest, locks: [five, ten, five_thrice, ten_thrice] } = refusals;
    [
        most.to_string(),
        format!("{highest} ({})", highest * 3),
        format!("{five} / {ten}"),
        format!("{five_thrice} / {ten_thrice}"),
    ]
}

fn print(delays: &[Delay]) -> String {
    let mut text = String::new();
    for (name, values) in delays {
        let comma = if text.is_empty() { "" } else { ", " };
        let value = match values.as_slice() {
            [one] => one.to_string(),
            [low, high] => format!("{low}..{high}"),
            list => format!("{list:?}"),
        };
        let _ = write!(text, "{comma}{name}: {value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::credentials::SCENARIOS;

    /// The page as it was written last.
    const PAGE: &str = include_str!("../../../../docs/credential-scenarios.md");

    #[test]
    fn whatever_is_worse_than_in_the_model_has_a_reason() {
        let (rows, _) = PAGE.split_once(REASONS).expect("the page has the reasons of this module");
        let reasons: Vec<(Vec<&str>, &str)> = reasons_of(REASONS).collect();
        assert_eq!(rows.lines().filter(|line| line.starts_with("| ")).count(), SCENARIOS.len() + 1);
        for line in rows.lines().filter(|line| line.starts_with("| ")).skip(1) {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let (name, worse) = (cells[0], cells[cells.len() - 1]);
            for worse in worse.split(", ").filter(|worse| !worse.is_empty()) {
                let is_given = reasons.iter().any(|(names, what)| {
                    names.contains(&name)
                        && what.split(", ").any(|what| worse.starts_with(what.trim_end_matches(" ×3")))
                });
                assert!(is_given, "{name} is worse in {worse}, without a reason");
            }
        }
        assert!(
            reasons
                .iter()
                .flat_map(|(names, _)| names)
                .all(|name| SCENARIOS.iter().any(|one| one.name == *name))
        );
    }

    fn reasons_of(text: &str) -> impl Iterator<Item = (Vec<&str>, &str)> {
        text.lines().filter(|line| line.starts_with("| ")).skip(1).filter_map(|line| {
            let mut cells = line.trim_matches('|').split(" | ").map(str::trim);
            Some((cells.next()?.split(", ").collect(), cells.next()?))
        })
    }
}
