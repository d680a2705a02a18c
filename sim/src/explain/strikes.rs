//! The faults of a run, each with the storage call that it struck.

use beaver_disk::TraceRecord;

use crate::run_log::{LoggedEvent, RunEvent};
use crate::scenario::{PlannedFault, Script};

/// A fault that struck, and that the failure needed: without it the run holds.
#[derive(Debug)]
pub(super) struct Strike<'r> {
    pub(super) fault: &'r PlannedFault,
    /// The number of the call in the whole run; of damage between two processes the one after it.
    pub(super) call: u64,
    /// The call, if one went wrong.
    pub(super) record: Option<&'r TraceRecord>,
    /// How the piece of the program ended that made the call.
    pub(super) end: StruckEnd,
}

/// How what was under way at a fault ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StruckEnd {
    /// A command answered as if nothing had failed.
    Answered,
    /// The store opened.
    Opened,
    /// It was reported, or the process died.
    Otherwise,
}

/// The faults of `script` without which the run holds, in order.
pub(super) fn needed<'r>(
    script: &'r Script,
    parts: &[(u32, u32, u64)],
    log: &'r [LoggedEvent],
    needs_fault: &dyn Fn(usize) -> bool,
) -> Vec<Strike<'r>> {
    let places = script.faults.iter().enumerate();
    let needed = places.filter(|(place, _)| needs_fault(*place));
    let strikes = needed.map(|(_, fault)| {
        let mut parts = parts.iter();
        let here =
            parts.find(|(step, process, _)| fault.step == Some(*step) && fault.process == *process);
        let call = fault.call + here.map_or(0, |(.., before)| *before);
        let place = log.iter().position(|event| match &event.event {
            RunEvent::Call { record } => record.call == call,
            _ => false,
        });
        let record = place.and_then(|place| match &log[place].event {
            RunEvent::Call { record } if record.fault.is_some() => Some(record),
            _ => None,
        });
        Strike {
            fault,
            call,
            record,
            end: place.map_or(StruckEnd::Otherwise, |place| end(&log[place..])),
        }
    });
    strikes.collect()
}

fn end(log: &[LoggedEvent]) -> StruckEnd {
    let end = log.iter().find_map(|event| match &event.event {
        RunEvent::Answer { text } if text.starts_with("failed") => Some(StruckEnd::Otherwise),
        RunEvent::Answer { .. } => Some(StruckEnd::Answered),
        RunEvent::Opened { .. } => Some(StruckEnd::Opened),
        RunEvent::Refused { .. } | RunEvent::Crash(_) | RunEvent::Opening { .. } => {
            Some(StruckEnd::Otherwise)
        }
        _ => None,
    });
    end.unwrap_or(StruckEnd::Otherwise)
}
