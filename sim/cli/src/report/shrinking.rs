//! What `beaver shrink --format json` prints.

use serde::Serialize;

use crate::report::Verdict;
use beaver_sim::shrink::{Ended, Shrunk, Size};

/// The one object.
#[derive(Debug, Serialize)]
pub struct ShrinkDocument {
    tool: &'static str,
    version: &'static str,
    name: String,
    invariant: beaver_sim::invariant::Invariant,
    invariant_name: &'static str,
    /// The profile of the shrunk failure.
    profile: &'static str,
    before: SizeDocument,
    after: SizeDocument,
    /// How many candidates were run.
    runs: u64,
    /// Whether nothing smaller fails alike; otherwise the limit was reached.
    complete: bool,
    /// The history in words, a line each.
    shrunk: Vec<String>,
    expected: String,
    found: String,
    /// Where it was written to.
    file: String,
    verdict: &'static str,
}

#[derive(Debug, Serialize)]
struct SizeDocument {
    commands: usize,
    crashes: usize,
    faults: usize,
}

impl From<Size> for SizeDocument {
    fn from(size: Size) -> Self {
        SizeDocument {
            commands: size.commands,
            crashes: size.crashes,
            faults: size.faults,
        }
    }
}

impl ShrinkDocument {
    /// The object over a failure that was shrunk, described in `words`, and written to `file`.
    #[must_use]
    pub fn new(shrunk: &Shrunk, words: Vec<String>, file: &str) -> Self {
        let failure = shrunk.run.outcome.failure();
        let text = |of: fn(&beaver_sim::result::Violation) -> &String| {
            failure.map(of).cloned().unwrap_or_default()
        };
        ShrinkDocument {
            tool: "beaver",
            version: env!("CARGO_PKG_VERSION"),
            name: shrunk.scenario.name.clone(),
            invariant: shrunk.likeness.invariant,
            invariant_name: shrunk.likeness.invariant.name(),
            profile: shrunk.scenario.profile.name(),
            before: shrunk.before.into(),
            after: shrunk.after.into(),
            runs: shrunk.runs,
            complete: shrunk.ended == Ended::NothingSmaller,
            shrunk: words,
            expected: text(|failure| &failure.expected),
            found: text(|failure| &failure.found),
            file: file.to_owned(),
            verdict: Verdict::of_outcome(&shrunk.run.outcome).name(),
        }
    }
}
