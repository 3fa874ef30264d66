//! The metrics of `validate-task-definition`.

shared::metrics! {
    CHECKED = Stack "TaskDefinitionsChecked" "task definitions checked";
    INVALID_REGISTERED = Stack "TaskDefinitionsInvalidRegistered" "task definitions registered just now that cannot work";
    INVALID_IN_USE = StackAndCluster "TaskDefinitionsInvalidInUse" "task definitions in use that cannot work, by a complete audit";
}
