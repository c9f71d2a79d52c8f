//! Parsing and replaying a large event log.

fn main() {}
