//! A run in one sentence, for an operator.

use jiff::Timestamp;
use shared::config::Policy;

use super::credentials::why;
use super::survey::Survey;
use crate::decide::Plan;
use crate::statistics::RunStatistics;

/// Says what stands, what was done and what is wrong.
pub fn summary(
    survey: &Survey,
    plan: &Plan,
    statistics: &RunStatistics,
    policy: &Policy,
    now: Timestamp,
) -> String {
    let mut text = format!("{} of {} connected Windows instances mapped", survey.mapped, survey.connected);
    if survey.unmapped > 0 {
        let cause = survey.oldest_cause.as_deref().unwrap_or("?");
        let minutes = survey.oldest_unmapped_minutes;
        text += &format!(", {} unmapped (the oldest for {minutes:.0} min: {cause})", survey.unmapped);
    }
    let mut also = |n: u32, what: &str| {
        if n > 0 {
            text += &format!(", {n} {what}");
        }
    };
    also(survey.unknown, "not checked yet");
    also(survey.unreachable, "with an offline SSM agent");
    also(survey.disconnected, "disconnected");
    also(survey.draining, "draining");
    also(survey.drained_by_us, "drained by this stack");
    also(survey.other_stack, "with attributes of another stack");
    also(survey.other_script, "last answered by another version of the script");
    also(statistics.drains, "drained now");
    also(statistics.given_back, "given back now");
    let withheld = u32::try_from(statistics.count_withheld(plan)).unwrap_or(u32::MAX);
    also(withheld, if withheld == 1 { "drain withheld" } else { "drains withheld" });
    let failed = statistics.errors + statistics.throttles;
    also(failed, if failed == 1 { "call failed" } else { "calls failed" });
    text += &why(plan, now).map(|why| format!("; {why}")).unwrap_or_default();
    for (cluster, rule) in &plan.breakers {
        text += &format!("; breaker open in {} ({rule})", cluster.name());
    }
    if let Some(period) =
        plan.pace.period.filter(|period| policy.verify_every.is_some_and(|every| *period > every))
    {
        let minutes = period.as_secs_f64() / 60.0;
        text += &format!(
            "; every mapping is checked once in {minutes:.0} min, since the budget allows no more checks"
        );
    }
    if plan.is_ssm_unwell {
        text += "; SSM is unwell";
    }
    text
}
