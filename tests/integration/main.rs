//! Every integration test, in one binary: linking the AWS SDK once is what takes the time.

mod architecture;
mod binaries;
mod cargo_lambda;
mod connections;
mod defects;
mod demo;
mod document;
mod drain_unmapped;
mod facts;
mod fuzz;
mod local_aws;
mod map_share;
mod runtime_api;
mod scale;
mod simulation;
mod template;
mod validate_task_definition;
mod workspace;
