//! Asks SSM whether agents are online.

use std::collections::{BTreeMap, BTreeSet};

use shared::aws::AwsError;
use shared::ids::InstanceId;
use shared::ssm;

use crate::app::App;
use crate::decide::AgentsToAsk;
use crate::fleet::AgentState;

/// The state of the agents that were asked.
pub async fn read_agents(
    app: &App,
    to_ask: &AgentsToAsk,
) -> Result<BTreeMap<InstanceId, AgentState>, AwsError> {
    let mut states = ask(app, &to_ask.all).await?;
    let mut online = 0;
    for ids in to_ask.in_turn.chunks(ssm::AGENTS_A_CALL) {
        if online >= to_ask.enough {
            break;
        }
        let some = ask(app, &ids.iter().cloned().collect()).await?;
        online += some.values().filter(|state| **state == AgentState::Online).count();
        states.extend(some);
    }
    Ok(states)
}

async fn ask(app: &App, ids: &BTreeSet<InstanceId>) -> Result<BTreeMap<InstanceId, AgentState>, AwsError> {
    let agents = ssm::describe_agents(app.clients.ssm(), ids).await?;
    let state = |id: &InstanceId| match agents.get(id) {
        Some(agent) if agent.is_online => AgentState::Online,
        agent => AgentState::Offline { last_ping: agent.and_then(|agent| agent.last_ping) },
    };
    Ok(ids.iter().map(|id| (id.clone(), state(id))).collect())
}
