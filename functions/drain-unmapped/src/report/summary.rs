//! A run in one sentence, for an operator.

use shared::brake::Password;

use super::survey::Survey;
use crate::decide::Plan;
use crate::statistics::RunStatistics;

/// Says what stands, what was done and what is wrong.
pub fn summary(survey: &Survey, plan: &Plan, statistics: &RunStatistics) -> String {
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
    also(statistics.drains, "drained now");
    also(statistics.given_back, "given back now");
    let withheld = u32::try_from(plan.withheld.len()).unwrap_or(u32::MAX);
    also(withheld, if withheld == 1 { "drain withheld" } else { "drains withheld" });
    let failed = statistics.errors + statistics.throttles;
    also(failed, if failed == 1 { "call failed" } else { "calls failed" });
    text += match plan.credentials.brake.password {
        Password::Proven => "; the password is proven",
        Password::Unproven => "; the password is not proven yet",
        Password::Refused => "; the password is REFUSED",
        Password::Unknown if plan.fleet.is_partial => {
            "; a cluster could not be read, so no password is presented and no check is sent"
        }
        Password::Unknown => "; the parameters' dates could not be read, no password is presented",
    };
    for (cluster, rule) in &plan.breakers {
        text += &format!("; breaker open in {} ({rule})", cluster.name());
    }
    if plan.is_ssm_unwell {
        text += "; SSM is unwell";
    }
    text
}
