//! node.
fn main() {}
