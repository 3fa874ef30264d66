//! Reads what the budget of refused log-ons is counted from: the parameters' dates, and the invocations in SSM's history
//! that may hold a log-on.
//!
//! Of the attributes only those are known that this run has described anyway: without the others the budget only allows
//! less. Nothing is decided here; see [`shared::budget`].

use std::collections::BTreeMap;

use shared::budget::{Budget, Evidence, InFlight, Stamps, assess};
use shared::ecs::ContainerInstance;
use shared::history::{Action, Command};
use shared::ids::InstanceId;
use shared::invocation_cache::may_hold_log_ons;
use shared::ssm;
use shared::state::State;

use crate::app::App;
use crate::error::CallError;
use crate::plan::History;

/// Whether an instance may have been let in a moment ago. If not, the password is not fresh, and nothing has to be read to
/// know that.
pub(crate) fn may_be_fresh(app: &App, history: History<'_>) -> bool {
    let is_one = |command: &&Command| {
        command.completed > 0
            && command.action == Action::Map
            && may_hold_log_ons(command, &app.config.policy, history.now)
    };
    history.commands.iter().any(|command| is_one(&command))
}

/// Commands whose invocations are listed in one batch. Others were listed before, or are left to the reconcile run.
const LISTINGS_A_BATCH: usize = 8;

/// Reads the evidence, and counts it; `None` where there is more than one batch may read.
pub(crate) async fn read(
    app: &App,
    described: &[ContainerInstance],
    history: History<'_>,
) -> Result<Option<Budget>, CallError> {
    let (config, now) = (&app.config, history.now);
    let client = app.clients.ssm();
    let parameters = ssm::describe_parameters(client, &config.parameters).await?;
    let mut cache = app.invocations.lock().await;
    cache.forget(config.policy.history_window(), now);
    let evidence = history.commands.iter().filter(|one| may_hold_log_ons(one, &config.policy, now));
    let unread: Vec<&Command> = evidence.filter(|one| !cache.is_up_to_date(one, now)).collect();
    for command in unread.iter().take(LISTINGS_A_BATCH) {
        cache.read(client, &config.share, command, now).await?;
        cache.drop_texts(&command.id);
    }
    if unread.len() > LISTINGS_A_BATCH {
        return Ok(None);
    }
    let attempts = cache.attempts(history.commands, now);
    let evidence = Evidence {
        parameters,
        in_flight: history.commands.iter().filter_map(|command| InFlight::of(command, now)).collect(),
        attempts: &attempts,
        stamps: stamps(described),
        is_partial: false,
    };
    Ok(Some(assess(&evidence, &config.policy, now)))
}

fn stamps(described: &[ContainerInstance]) -> BTreeMap<InstanceId, Stamps> {
    let stamps = |instance: &ContainerInstance| {
        let logon = instance.attributes.state.state().and_then(State::logon);
        Some((instance.instance_id.clone()?, Stamps { logon, ..Stamps::default() }))
    };
    described.iter().filter_map(stamps).collect()
}
