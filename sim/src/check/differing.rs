//! Invariant 13: a run that is repeated comes out alike. Where it does not, whatever it showed first is
//! worth nothing, and a history that was shrunk would mislead: what is said is where two runs part.

use crate::invariant::Invariant;
use crate::oracle::Finding;
use crate::result::{Outcome, RunResult, Violation};

/// How often a run that holds is repeated to find two that differ.
const TRIES: usize = 8;

/// A run, if it comes out alike each time that it is repeated.
///
/// # Errors
/// One of two runs that differ, which says where.
pub(super) fn repeated(again: impl Fn() -> RunResult) -> Result<RunResult, Box<RunResult>> {
    let one = again();
    // One that fails was found to fail before: that both times is no chance.
    let tries = match one.outcome {
        Outcome::Held => TRIES,
        _ => 1,
    };
    for _ in 0..tries {
        let other = again();
        if let Some((number, line, instead)) = first_difference(&one, &other) {
            let expected = format!("`{line}` again, as line {number} of `calls`");
            let found = format!(
                "`{instead}`\n\
                 The store, or its `Subject`, depends on something else than its files and `Machine`: \
                 the order of a hash map, the real time, an address, a thread."
            );
            return Err(Box::new(differs(other, expected, found)));
        }
    }
    Ok(one)
}

/// A run that holds, although it did not when it was run first.
pub(super) fn only_once(run: RunResult, first: &Finding) -> RunResult {
    let Finding {
        invariant,
        expected,
        found,
    } = first;
    let expected = format!("the same again: {invariant}, expected {expected}, found {found}");
    differs(run, expected, "nothing wrong".to_owned())
}

/// The first line in which two runs differ, with its number.
fn first_difference(one: &RunResult, other: &RunResult) -> Option<(usize, String, String)> {
    const NO_MORE: &str = "(nothing more)";
    let lines = one.trace.len().max(other.trace.len());
    let line = |run: &RunResult, at: usize| {
        let line = run.trace.get(at).map_or(NO_MORE, String::as_str);
        line.trim().to_owned()
    };
    for at in 0..lines {
        let (first, instead) = (line(one, at), line(other, at));
        if first != instead {
            return Some((at + 1, first, instead));
        }
    }
    let end = |run: &RunResult| match run.outcome.failure() {
        None => "it holds".to_owned(),
        Some(failure) => format!("{}: {}", failure.invariant, failure.found),
    };
    let (first, instead) = (end(one), end(other));
    (first != instead).then_some((lines + 1, first, instead))
}

fn differs(run: RunResult, expected: String, found: String) -> RunResult {
    let violation = Violation {
        invariant: Invariant::Determinism,
        step: run.counts.commands,
        command: "the same run once more".to_owned(),
        crash_point: None,
        expected,
        found,
        last_calls: Vec::new(),
    };
    RunResult {
        outcome: Outcome::Violated(violation),
        ..run
    }
}
