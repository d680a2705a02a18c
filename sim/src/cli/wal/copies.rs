//! `beaver wal repair` and `beaver wal truncate`: a changed copy in a new directory.

use std::path::Path;
use std::sync::Arc;

use beaver::storage::DiskStorage;
use beaver::{Position, Storage, inspect};

use super::{exit_for, failed, log};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Output;

/// Ends with 1 if the log was damaged: something is lost, or a header was made anew.
pub(super) fn repair(directory: &Path, copy: &Path, out: &mut Output) -> Result<Exit, Failure> {
    let from = log(directory)?;
    let report = inspect::repair(&from, &empty(copy)?).map_err(failed(directory))?;
    out.write(&report);
    Ok(exit_for(report.found_damage()))
}

pub(super) fn truncate(
    directory: &Path,
    position: Position,
    copy: &Path,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let from = log(directory)?;
    inspect::truncate(&from, position, &empty(copy)?).map_err(failed(directory))?;
    out.line(format_args!("{}: ends at {position}", copy.display()));
    Ok(Exit::Held)
}

/// The directory `copy`, made if it is not there.
///
/// # Errors
/// It holds something. Nothing is overwritten.
fn empty(copy: &Path) -> Result<Arc<dyn Storage>, Failure> {
    let at = |error| Failure::at(copy.display(), error);
    match std::fs::read_dir(copy) {
        Ok(mut entries) => {
            if let Some(entry) = entries.next() {
                entry.map_err(at)?;
                return Err(Failure::at(copy.display(), "is not empty, and nothing is overwritten"));
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(error)),
    }
    let storage = DiskStorage::open(copy).map_err(at)?;
    Ok(Arc::new(storage))
}
