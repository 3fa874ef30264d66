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
    to_ask: &[AgentsToAsk],
) -> Result<BTreeMap<InstanceId, AgentState>, AwsError> {
    let mut states = BTreeMap::new();
    for AgentsToAsk { ids, enough } in to_ask {
        let mut online = 0;
        for ids in ids.chunks(ssm::AGENTS_A_CALL) {
            if online >= *enough {
                break;
            }
            let unasked = ids.iter().filter(|id| !states.contains_key(*id)).cloned().collect();
            states.extend(ask(app, &unasked).await?);
            online += ids.iter().filter(|id| states.get(*id) == Some(&AgentState::Online)).count();
        }
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
