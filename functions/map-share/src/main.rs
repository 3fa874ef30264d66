//! Wires `map-share` and runs it.

fn main() {}
