//! What a check says while it runs.

use std::io::{self, Write};

/// Says something on standard error, also where the output of a test is kept back.
pub(super) fn say(text: &str) {
    // Nothing can be done where standard error cannot be written to.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
