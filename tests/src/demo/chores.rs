//! The work that a person would have had in a run, counted in steps, beside what was done instead. Pure.
//!
//! A step is one command in a terminal or one page in the console. Counted is what the procedure by hand asks for and no
//! more: nobody re-checks a mapping by hand, keeps tasks off a host, or is there at night.

use super::story::Chore;

/// What the run had in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Windows container instances that had to be mapped.
    pub instances: usize,
    /// Of these, those that came with the scale-out.
    pub scaled_out: usize,
    /// Those that could not be mapped.
    pub failed: usize,
    /// Those that a function drained.
    pub drained: usize,
    /// Commands that the functions sent.
    pub commands: usize,
    /// Task definitions that were looked at.
    pub task_definitions: usize,
    /// Whether the password had to be corrected.
    pub wrong_password: bool,
    /// Instances that lost their mapping to an outage.
    pub lost: usize,
}

/// What has to be done, by hand and here.
pub fn chores(work: &Work) -> Vec<Chore> {
    let chore = |what: &str, steps: usize, instead: String| Chore { what: what.to_owned(), steps, instead };
    let groups = work.scaled_out.div_ceil(50) + 1;
    let mut all = vec![
        chore("write the two parameters", 2, "the password by hand, the rest by the template".to_owned()),
        chore("write and create the SSM document", 2, "in the template, made from its parameters".to_owned()),
        chore("let the instance role read the parameters", 1, "in the template".to_owned()),
        chore(
            "find the new Windows instances after a scale-out",
            1 + work.scaled_out.div_ceil(50),
            "their own events name them".to_owned(),
        ),
        chore(
            "send the command, at most 50 instances at a time",
            groups,
            format!("{} commands, first ones within seconds, repeats included", work.commands),
        ),
        chore(
            "look whether it worked, instance by instance",
            work.instances,
            "every result is read and proven by the mapped root".to_owned(),
        ),
        chore(
            "send it again to the one whose agent was late, and look",
            2,
            "sent once its agent was online".to_owned(),
        ),
    ];
    if work.failed > 0 {
        all.push(chore(
            "find out why instances failed: log on, look, try again",
            3 * work.failed,
            "the cause stands on the instance: aws ecs list-attributes".to_owned(),
        ));
    }
    if work.drained > 0 {
        all.push(chore(
            "drain what cannot be helped",
            work.drained,
            "drained, within budget, with its cause".to_owned(),
        ));
    }
    if work.wrong_password {
        all.push(chore(
            "correct the password and send everything again, and look",
            1 + groups + work.instances,
            "the password by hand; the rest followed".to_owned(),
        ));
    }
    if work.lost > 0 {
        all.push(chore(
            "after the outage, find what is not mapped, send again, and look",
            1 + work.lost.div_ceil(50) + work.lost,
            "noticed, shut, mapped again, opened".to_owned(),
        ));
    }
    all.push(chore(
        "keep tasks off instances without G:",
        0,
        "by hand there is no way in time; here the gate does it".to_owned(),
    ));
    all.push(chore(
        "find the task definitions that can never work",
        work.task_definitions,
        "reported when they are registered".to_owned(),
    ));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(work: &Work) -> usize {
        chores(work).iter().map(|chore| chore.steps).sum()
    }

    #[test]
    fn the_work_by_hand_grows_with_the_fleet_and_with_what_goes_wrong() {
        let small = Work { instances: 4, scaled_out: 2, ..Work::default() };
        assert_eq!(steps(&small), 2 + 2 + 1 + 2 + 2 + 4 + 2);
        let large = Work { instances: 462, scaled_out: 410, ..small };
        assert_eq!(steps(&large), 2 + 2 + 1 + 10 + 10 + 462 + 2);
        let troubled =
            Work { failed: 2, drained: 1, wrong_password: true, lost: 3, task_definitions: 3, ..small };
        assert_eq!(steps(&troubled), steps(&small) + 6 + 1 + (1 + 2 + 4) + (1 + 1 + 3) + 3);
    }
}
