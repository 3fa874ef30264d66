//! The world that ecs-smb-mapper is tested in; never deployed.

pub mod runtime_api;
