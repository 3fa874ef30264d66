//! What the functions of ecs-smb-mapper share.
