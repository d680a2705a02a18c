//! `beaver wal repair` and `beaver wal truncate`: a changed copy in a new directory.

use std::path::Path;
use std::sync::Arc;

use beaver::storage::DiskStorage;
use beaver::wal::LostRange;
use beaver::{Position, Storage, StoreId, inspect};

use super::{exit_for, log};
use crate::exit::{CliError, Exit};
use crate::output::Output;
use crate::report::numbers::counted;

/// Ends with 1 if the log was damaged.
pub(super) fn repair(directory: &Path, copy: &Path, out: &mut Output) -> Result<Exit, CliError> {
    let from = log(directory)?;
    refuse_inside(directory, copy)?;
    let was_there = copy.exists();
    let repaired = inspect::repair(&from, &empty(copy)?, StoreId::random());
    let report = finished(repaired, copy, was_there).map_err(failed(directory, copy))?;
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
    let was_there = copy.exists();
    let truncated = inspect::truncate(&from, position, &empty(copy)?, StoreId::random());
    let report = finished(truncated, copy, was_there).map_err(failed(directory, copy))?;
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

/// What became of a copy. After an error it holds nothing but the lock file; a directory that was made
/// for it goes too.
fn finished<R>(made: beaver::Result<R>, copy: &Path, was_there: bool) -> beaver::Result<R> {
    if made.is_err() && !was_there {
        let _ = std::fs::remove_file(copy.join("LOCK"));
        // What holds something else stays.
        let _ = std::fs::remove_dir(copy);
    }
    made
}

/// An error of making a copy, with both directories: a file of either may have caused it.
fn failed(directory: &Path, copy: &Path) -> impl Fn(beaver::Error) -> CliError {
    let place = format!("{} to {}", directory.display(), copy.display());
    move |error| CliError::at(&place, error)
}

/// The directory `copy`, made if it is not there.
///
/// # Errors
/// It holds something. Nothing is overwritten.
fn empty(copy: &Path) -> Result<Arc<dyn Storage>, CliError> {
    let at = |error| CliError::at(copy.display(), error);
    match std::fs::read_dir(copy) {
        Ok(mut entries) => {
            if let Some(entry) = entries.next() {
                entry.map_err(at)?;
                return Err(CliError::at(
                    copy.display(),
                    "is not empty, and nothing is overwritten",
                ));
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(error)),
    }
    let storage = DiskStorage::open(copy).map_err(at)?;
    Ok(Arc::new(storage))
}
