//! The assay command line and server.
fn main() {}
