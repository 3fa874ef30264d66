//! What must hold after every step, one promise a file, each decided from the ground truth alone.
//!
//! Where a run may honestly not know better yet (it read before the change, or its listing was late), the promise is
//! asked as of that reading: every check says which reading it allows for.

pub mod convergence;
pub mod drains;
pub mod gates;
pub mod letters;
pub mod messages;
pub mod ownership;
pub mod passwords;
pub mod placement;
pub mod secrets;
pub mod sends;
pub mod silence;
pub mod verdicts;

use jiff::Timestamp;
use shared::state::State;

use super::ground::{Actor, Change, Ground, Run, RunId, Said, millis, said};
use crate::local_aws::{Call, LocalAws};

/// `Err` says what was seen instead.
pub type Holds = Result<(), String>;

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its number in the design and its name.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
    /// When.
    pub at: Timestamp,
}

/// One step: an effect of a call, or something that happened in the world.
pub struct Step<'a> {
    /// The world after it.
    pub aws: &'a LocalAws,
    /// What was true up to now; what stands on the registrations is as after the step.
    pub ground: &'a Ground,
    /// The call, and whose it was.
    pub call: Option<(&'a Call, RunId)>,
    /// What it changed.
    pub changes: &'a [Change],
}

impl<'a> Step<'a> {
    /// The run that made the call.
    pub fn run(&self) -> Option<&'a Run> {
        self.call.map(|(_, run)| &self.ground.runs[run])
    }

    /// The call, where it is of that operation and took effect.
    pub fn effect_of(&self, operation: &str) -> Option<(&'a Call, &'a Run)> {
        let (call, run) = self.call?;
        (call.effect && call.operation == operation).then(|| (call, &self.ground.runs[run]))
    }

    /// Registrations that this call changed, as they were before and are now.
    pub fn ours(
        &self,
    ) -> impl Iterator<Item = (&'a Run, &'a super::ground::Registration, &'a super::ground::Registration)>
    {
        let run =
            self.call.filter(|(call, _)| writes(&call.operation)).map(|(_, run)| &self.ground.runs[run]);
        let changes = self.changes.iter().filter_map(|change| Some((change.before.as_ref()?, &change.after)));
        changes.filter_map(move |(before, after)| Some((run?, before, after)))
    }
}

/// Whether an operation changes what stands on registrations.
pub fn writes(operation: &str) -> bool {
    matches!(operation, "PutAttributes" | "DeleteAttributes" | "UpdateContainerInstancesState")
}

/// Holds, or says why not.
fn must(holds: bool, otherwise: impl FnOnce() -> String) -> Holds {
    if holds { Ok(()) } else { Err(otherwise()) }
}

type Check = fn(&Step<'_>) -> Holds;

/// The promises that need no memory of their own.
///
/// A name is a number of docs/architecture.md, Invariants, and what is checked.
const CHECKS: [(&str, Check); 8] = [
    ("1 a gate opens only on a proof", gates::opens_only_on_a_proof),
    ("1 a restart shuts the gate", gates::a_restart_shuts_it),
    ("4 what is recorded is what was said", verdicts::what_is_recorded_was_said),
    ("2 what an operator did stays done", ownership::what_an_operator_did_stays_done),
    ("4 a drain rests on the host's own words", drains::rests_on_the_hosts_own_words),
    ("5 only Windows instances of watched clusters are sent to", sends::goes_to_our_own),
    ("5 nobody is sent to twice", sends::nobody_is_sent_to_while_at_work),
    (NO_CREDENTIAL_LEAVES_THE_HOST, secrets::stand_in_no_call),
];

const DRAINS_STAY_WITHIN_BOUNDS: &str = "3 drains stay within budget, breaker and half";
const SILENCE_SHUTS_WHILE_SSM_IS_WELL: &str = "1 a silent gate shuts only while SSM is well";
const SENDS_ARE_NOT_REPEATED: &str = "6 no send is repeated blindly";
const FEW_PRESENT_CREDENTIALS: &str = "6 credentials are presented by few";
const SCRIPTS_TAKE_NOTHING: &str = "10 scripts take nothing of others";
const TASKS_LAND_ON_FRESH_PROOFS: &str = "1 tasks land on fresh proofs";
/// Of calls, of logs, of metrics and of answers.
pub const NO_CREDENTIAL_LEAVES_THE_HOST: &str = "8 no credential leaves the host";
/// Checked when a run answers its queue.
pub const MESSAGES_ARE_DELETED_WHEN_DONE_WITH: &str = "9 a message is deleted only when done with";
/// Checked when the faults have stopped.
pub const EVERYTHING_SETTLES: &str = "7 everything settles";

/// The names of all checks, as docs/architecture.md lists them.
pub fn names() -> impl Iterator<Item = &'static str> {
    let others = [
        DRAINS_STAY_WITHIN_BOUNDS,
        SILENCE_SHUTS_WHILE_SSM_IS_WELL,
        SENDS_ARE_NOT_REPEATED,
        FEW_PRESENT_CREDENTIALS,
        SCRIPTS_TAKE_NOTHING,
        TASKS_LAND_ON_FRESH_PROOFS,
        MESSAGES_ARE_DELETED_WHEN_DONE_WITH,
        EVERYTHING_SETTLES,
    ];
    CHECKS.into_iter().map(|(name, _)| name).chain(others)
}

/// Everything that is checked.
pub struct Checker {
    /// The ground truth.
    pub ground: Ground,
    /// What the checks remember.
    pub watches: Watches,
    /// The first broken promise.
    pub broken: Option<Violation>,
}

/// The promises that remember something between steps.
#[derive(Default)]
pub struct Watches {
    drains: drains::Leeway,
    silence: silence::Leeway,
    sends: sends::Seen,
    passwords: passwords::Watch,
    letters: letters::Watch,
    /// Where tasks were placed, and how long gates were wrongly open.
    pub placement: placement::Watch,
}

impl Watches {
    /// The world itself did something, which is nobody's fault.
    pub fn world_changed(&mut self, aws: &LocalAws) {
        self.letters.look(aws);
    }

    fn check(&mut self, step: &Step<'_>) -> Result<(), (&'static str, String)> {
        for (name, check) in CHECKS {
            check(step).map_err(|what| (name, what))?;
        }
        let named = |name: &'static str| move |what: String| (name, what);
        self.drains.check(step).map_err(named(DRAINS_STAY_WITHIN_BOUNDS))?;
        self.silence.check(step).map_err(named(SILENCE_SHUTS_WHILE_SSM_IS_WELL))?;
        self.sends.check(step).map_err(named(SENDS_ARE_NOT_REPEATED))?;
        self.passwords.check(step).map_err(named(FEW_PRESENT_CREDENTIALS))?;
        self.letters.check(step).map_err(named(SCRIPTS_TAKE_NOTHING))?;
        self.placement.check(step).map_err(named(TASKS_LAND_ON_FRESH_PROOFS))
    }
}

impl Checker {
    /// A checker of a world that begins.
    pub fn new(ground: Ground) -> Self {
        Checker { ground, watches: Watches::default(), broken: None }
    }

    /// The last call of the log has taken effect; what it changed.
    pub fn after_call(&mut self, aws: &LocalAws, run: RunId) -> Vec<Change> {
        let Some(call) = aws.calls().last() else { return Vec::new() };
        note(&mut self.ground.runs[run], call, aws.now());
        let actor = if call.effect && writes(&call.operation) { Actor::Run(run) } else { Actor::World };
        self.after(aws, Some((call, run)), actor)
    }

    /// Something happened in the world, or time went by.
    pub fn after_world(&mut self, aws: &LocalAws) {
        self.after(aws, None, Actor::World);
    }

    fn after(&mut self, aws: &LocalAws, call: Option<(&Call, RunId)>, actor: Actor) -> Vec<Change> {
        let changes = self.ground.look(aws, actor);
        let step = Step { aws, ground: &self.ground, call, changes: &changes };
        if let Err((invariant, what)) = self.watches.check(&step) {
            self.hold(invariant, Err(what), aws.now());
        }
        changes
    }

    /// Notes a promise that was found broken.
    pub fn hold(&mut self, invariant: &'static str, holds: Holds, at: Timestamp) {
        if let (None, Err(what)) = (&self.broken, holds) {
            self.broken = Some(Violation { invariant, what, at });
        }
    }
}

/// Writes down what a run has read.
fn note(run: &mut Run, call: &Call, now: Timestamp) {
    if call.status != 200 || call.fault.is_some() {
        run.failed_calls += 1;
    }
    if !call.effect {
        return;
    }
    // A listing is as old as its first page.
    let request = call.request();
    if call.operation == "ListContainerInstances" && request["status"] == "DRAINING" {
        run.counted_draining = Some(now);
        return;
    }
    if request["NextToken"].is_null() && request["nextToken"].is_null() {
        run.read.insert(call.operation.clone(), now);
    }
}

/// The newest log-on with the parameters' password: on record anywhere, or there to be judged.
fn newest_logon(aws: &LocalAws, ground: &Ground) -> Option<Timestamp> {
    let ours = ground.registrations.values().filter(|one| one.is_ours);
    let recorded = ours.filter_map(|one| one.state().and_then(State::logon)).max();
    let since =
        aws.commands().rev().take_while(|command| recorded.is_none_or(|at| millis(command.requested()) > at));
    let mut renewed = since.filter(|command| {
        let mut words = command.invocations().iter().map(|one| said(command, one, aws.now()));
        words.any(|word| matches!(word, Said::Mapped { changed: true }))
    });
    renewed.next().map(|command| millis(command.requested())).or(recorded)
}
