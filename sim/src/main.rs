//! The command `beaver`.

fn main() {}
