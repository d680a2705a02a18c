//! What `beaver shrink --format json` prints.

use beaver_sim::invariant::Invariant;
use beaver_sim::shrink::{Ended, Shrunk, Size};
use serde::Serialize;

use super::Verdict;
use super::json::Tool;

/// The one object that `beaver shrink --format json` prints.
#[derive(Debug, Serialize)]
pub struct ShrinkDocument<'s> {
    #[serde(flatten)]
    tool: Tool,
    name: &'s str,
    invariant: Invariant,
    invariant_name: &'static str,
    /// The profile of the shrunk failure.
    profile: &'static str,
    before: Size,
    after: Size,
    /// How many candidates were run.
    runs: u64,
    /// Whether nothing smaller fails alike; otherwise the limit was reached.
    complete: bool,
    /// The history as text, a line each.
    shrunk: &'s [String],
    expected: &'s str,
    found: &'s str,
    /// Where it was written to.
    file: String,
    verdict: &'static str,
}

impl<'s> ShrinkDocument<'s> {
    /// The object over a failure that was shrunk to the `history`, and written to `file`.
    #[must_use]
    pub(crate) fn new(shrunk: &'s Shrunk, history: &'s [String], file: String) -> Self {
        let failure = shrunk.run.outcome.failure();
        ShrinkDocument {
            tool: Tool::THIS,
            name: &shrunk.scenario.name,
            invariant: shrunk.likeness.invariant,
            invariant_name: shrunk.likeness.invariant.name(),
            profile: shrunk.scenario.profile.name(),
            before: shrunk.before,
            after: shrunk.after,
            runs: shrunk.runs,
            complete: shrunk.ended == Ended::NothingSmaller,
            shrunk: history,
            expected: failure.map_or("", |failure| &failure.expected),
            found: failure.map_or("", |failure| &failure.found),
            file,
            verdict: Verdict::of_outcome(&shrunk.run.outcome).name(),
        }
    }
}
