//! reconciler.
fn main() {}
