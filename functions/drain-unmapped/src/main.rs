//! Wires `drain-unmapped` and runs it.

fn main() {}
