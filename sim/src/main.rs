//! The command `beaver`.
mod cli;
fn main() {}
