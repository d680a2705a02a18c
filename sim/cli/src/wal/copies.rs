//! `beaver wal repair` and `beaver wal truncate`: a changed copy in a new directory.

use std::path::Path;

use beaver::wal::LostRange;
use beaver::{Position, StoreId, inspect};

use super::copy_place::CopyPlace;
use super::out_of_place::note;
use super::{exit_for, log};
use crate::exit::{CliError, Exit};
use crate::output::Output;
use crate::report::numbers::counted;

/// Ends with 1 if the log was damaged.
pub(super) fn repair(directory: &Path, copy: &Path, out: &mut Output) -> Result<Exit, CliError> {
    let from = log(directory)?;
    refuse_inside(directory, copy)?;
    note(directory)?;
    let made = CopyPlace::empty(directory, copy)?;
    let repaired = inspect::repair(&from, &made.storage, StoreId::random());
    let report = made.finished(repaired)?;
    for problem in &report.problems {
        out.line(format_args!("problem      {problem}"));
    }
    for LostRange { from, to } in &report.lost {
        out.line(format_args!("lost         {from} to {to}"));
    }
    if let Some(torn) = &report.torn_tail {
        out.line(format_args!(
            "torn tail    {}: {} from byte {} left out; nothing of it was acknowledged",
            torn.file,
            counted(torn.bytes, "byte"),
            torn.offset
        ));
    }
    for segment in &report.new_headers {
        out.line(format_args!("header       {segment}: made anew"));
    }
    out.line(format_args!(
        "{}: {} and {} saved; the log goes on in epoch {}",
        copy.display(),
        counted(report.events, "event"),
        counted(report.snapshots.len() as u64, "snapshot"),
        report.epoch
    ));
    Ok(exit_for(!report.problems.is_empty()))
}

pub(super) fn truncate(
    directory: &Path,
    position: Position,
    copy: &Path,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let from = log(directory)?;
    refuse_inside(directory, copy)?;
    note(directory)?;
    let made = CopyPlace::empty(directory, copy)?;
    let truncated = inspect::truncate(&from, position, &made.storage, StoreId::random());
    let report = made.finished(truncated)?;
    out.line(format_args!(
        "{}: {} in {}, and {}, up to {position}",
        copy.display(),
        counted(report.events, "event"),
        counted(report.segments.len() as u64, "segment"),
        counted(report.snapshots.len() as u64, "snapshot")
    ));
    Ok(Exit::HELD)
}

/// Nothing is changed in the log, so no copy is made in there.
fn refuse_inside(directory: &Path, copy: &Path) -> Result<(), CliError> {
    let at = |path: &Path, error| CliError::at(path.display(), error);
    let log = directory
        .canonicalize()
        .map_err(|error| at(directory, error))?;
    let copy_there = std::path::absolute(copy).map_err(|error| at(copy, error))?;
    // What of it is not there yet has no links in it.
    let mut above = copy_there.ancestors();
    let there = above.find_map(|above| above.canonicalize().ok());
    // The log itself is refused because it is not empty.
    let is_log = copy.canonicalize().is_ok_and(|copy| copy == log);
    if is_log || !there.is_some_and(|there| there.starts_with(&log)) {
        return Ok(());
    }
    let why = format!(
        "lies in {}, in which nothing is changed",
        directory.display()
    );
    Err(CliError::at(copy.display(), why))
}
