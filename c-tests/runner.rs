//! (written in its own commit)
fn main() {}
