//! The world that ecs-smb-mapper is tested in; never deployed.
