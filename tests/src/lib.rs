//! The world that ecs-smb-mapper is tested in; never deployed.

#![allow(clippy::too_many_arguments, reason = "the limit of .clippy.toml is the product's")]

pub mod bench;
pub mod burst;
pub mod chart;
pub mod demo;
pub mod document;
pub mod event_rules;
pub mod events;
pub mod facts;
pub mod fleet;
pub mod local_aws;
pub mod map_share;
pub mod output;
pub mod powershell;
pub mod reconcile_runs;
pub mod repository;
pub mod runtime_api;
pub mod scale;
pub mod scenarios;
pub mod simulation;
pub mod stack;
