//! `beaver wal`: tools for logs on real disks.
//!
//! They take no lock and change nothing in the log that they look at. What would change something writes a copy into a
//! directory that is empty or not there yet; nothing is ever overwritten.

mod any_event;
mod compare;
mod copies;
mod dump;
mod stats;

use std::path::Path;
use std::sync::Arc;

use beaver::Storage;
use beaver::storage::DiskStorage;

use super::args::WalCommand;
use super::exit::{CliError, Exit};
use super::output::Output;

pub(crate) fn wal(command: &WalCommand, out: &mut Output) -> Result<Exit, CliError> {
    match command {
        WalCommand::Stats(args) => stats::stats(args, out),
        WalCommand::Validate(args) => stats::validate(args, out),
        WalCommand::Dump(args) => dump::dump(&args.dir, args.format, out),
        WalCommand::Repair { dir, out: copy } => copies::repair(dir, copy, out),
        WalCommand::Truncate {
            dir,
            position,
            out: copy,
        } => copies::truncate(dir, *position, copy, out),
        WalCommand::Compare { a, b, format } => compare::compare(a, b, *format, out),
    }
}

/// The log in `directory`, to be read only.
///
/// # Errors
/// It cannot be read, or there is none: a wrong directory must not look like a log that is whole.
fn log(directory: &Path) -> Result<Arc<dyn Storage>, CliError> {
    let at = |error| CliError::at(directory.display(), error);
    let storage = DiskStorage::open_existing(directory).map_err(at)?;
    let names = storage.list().map_err(at)?;
    let belongs = |name: &String| name.starts_with("wal-") || name.starts_with("snapshot-");
    if !names.iter().any(belongs) {
        return Err(CliError::at(
            directory.display(),
            "no segment and no snapshot is here",
        ));
    }
    Ok(Arc::new(storage))
}

/// What the library says about the log in `directory`, as an error of the command.
fn failed(directory: &Path) -> impl Fn(beaver::Error) -> CliError {
    move |error| CliError::at(directory.display(), error)
}

/// Exit 1 if there is something to report.
fn exit_for(found: bool) -> Exit {
    if found { Exit::FOUND } else { Exit::HELD }
}
