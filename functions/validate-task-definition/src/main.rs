//! Wires `validate-task-definition` and runs it.

fn main() {}
