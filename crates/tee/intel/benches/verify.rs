//! What a verification costs, beside the bare signature operations that it cannot avoid.

fn main() {}
