//! Reads AWS into a [`Fleet`](crate::fleet::Fleet) with as few calls as pages allow.
//!
//! | module | what it reads |
//! |---|---|
//! | `registrations` | ECS: the container instances of every watched cluster |
//! | `history` | SSM: the window's commands and their invocations |
//! | `agents` | SSM: whether agents are online |

mod agents;
mod history;
mod registrations;

pub use agents::read_agents;
pub use history::read_fleet;
pub use registrations::{Registrations, read_registrations};

use shared::aws::AwsError;
use shared::budget::Parameters;
use shared::ssm;

use crate::app::App;

/// When the parameters last changed.
pub async fn read_parameters(app: &App) -> Result<Parameters, AwsError> {
    let parameters = ssm::describe_parameters(app.clients.ssm(), &app.config.parameters).await;
    parameters.inspect_err(|error| {
        tracing::error!(error = %error, "parameters' dates not read, nothing is sent");
    })
}
