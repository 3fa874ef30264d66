//! What runs the scripts: the model of the script, with hosts that are refused alone and sessions that containers use.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;

use crate::fleet::script::{self, Finished, ScriptAction};
use crate::fleet::{InstanceId, Letter};
use crate::local_aws::LocalAws;
use crate::local_aws::in_process::Local;
use crate::local_aws::ssm::StartedRun;

/// Between two looks at what runs.
const STEP: Duration = Duration::from_millis(250);

/// What some hosts do differently.
#[derive(Debug, Default)]
pub(super) struct Manners {
    /// Every log-on from these is refused, whatever the password.
    pub(super) refused: BTreeSet<InstanceId>,
    /// Containers on these use the drive, so a live session does not end.
    pub(super) in_use: BTreeSet<InstanceId>,
    /// The next script that maps hangs until SSM ends it.
    pub(super) next_map_hangs: bool,
}

/// Runs what agents start, for ever.
pub(super) async fn run_scripts(local: Local, manners: Rc<RefCell<Manners>>) {
    let mut running: Vec<(Timestamp, StartedRun)> = Vec::new();
    loop {
        {
            let (aws, mut manners) = (&mut *local.aws(), manners.borrow_mut());
            let now = aws.now();
            for run in aws.take_started_runs() {
                let hangs = run.action == ScriptAction::Map && std::mem::take(&mut manners.next_map_hangs);
                running.extend(takes(aws, &run).filter(|_| !hangs).map(|takes| (now + takes, run)));
            }
            keep_sessions(aws, &manners.in_use, now);
            for (_, run) in running.extract_if(.., |(due, _)| *due <= now) {
                end(aws, &run, manners.refused.contains(&run.instance));
            }
        }
        sleep(STEP).await;
    }
}

fn takes(aws: &LocalAws, run: &StartedRun) -> Option<Duration> {
    script::duration(&aws.world, aws.world.hosts.get(&run.instance)?, &run.settings, run.action, run.started)
}

/// A script ends: its effect and its report happen at the same time.
fn end(aws: &mut LocalAws, run: &StartedRun, is_refused: bool) {
    let now = aws.now();
    if aws.world.host(&run.instance).booted > run.started {
        return;
    }
    let others = aws.world.account.refuses_with;
    aws.world.account.refuses_with = if is_refused { Some(1326) } else { others };
    let Finished { exit_code, line } =
        script::run(&mut aws.world, &run.instance, &run.settings, run.action, now);
    aws.world.account.refuses_with = others;
    aws.complete_run(now, run.key, exit_code, &line);
}

fn keep_sessions(aws: &mut LocalAws, in_use: &BTreeSet<InstanceId>, now: Timestamp) {
    let generation = aws.world.file_server.generation();
    for id in in_use {
        if let Letter::Smb(mapping) = &mut aws.world.host(id).letter {
            mapping.session =
                mapping.session.map(|(of, used)| (of, if of == generation { now } else { used }));
        }
    }
}
