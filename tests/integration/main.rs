//! All integration tests in one binary, because linking the AWS SDK takes long.

mod architecture;
mod binaries;
mod cargo_lambda;
mod connections;
mod credential_scenarios;
mod defects;
mod demo;
mod document;
mod drain_unmapped;
mod facts;
mod local_aws;
mod map_share;
mod properties;
mod runtime_api;
mod scale;
mod simulation;
mod template;
mod validate_task_definition;
mod workspace;
