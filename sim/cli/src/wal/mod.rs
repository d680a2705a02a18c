//! `beaver wal`: tools for logs on real disks.
//!
//! They take no lock and change nothing in the log that they look at. What would change something writes a copy into a
//! directory that is empty or not there yet; nothing is ever overwritten.

mod any_event;
mod compare;
mod copies;
mod copy_place;
mod dump;
mod out_of_place;
mod stats;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use beaver::Storage;
use beaver::storage::DiskStorage;

use super::args::WalCommand;
use super::exit::{CliError, Exit};
use super::output::Output;

/// How often a log in use is looked at again at most, and how long after.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(5);

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
    let storage = DiskStorage::open_existing(directory).map_err(CliError::new)?;
    let names = storage.list().map_err(at)?;
    if !names.iter().any(|name| belongs(name)) {
        return Err(CliError::at(
            directory.display(),
            "no segment and no snapshot is here",
        ));
    }
    Ok(Arc::new(storage))
}

/// Whether a file of this name is, or was, one of a log.
fn belongs(name: &str) -> bool {
    name.starts_with("wal-") || name.starts_with("snapshot-")
}

/// Looks at a log that may be in use: when a file has gone since the names were listed, or a read was overtaken by a write, it
/// looks again.
fn settled<T>(look: impl Fn() -> beaver::Result<T>) -> beaver::Result<T> {
    let is_moving = |error: &beaver::Error| match error {
        beaver::Error::UnstableRead { .. } => true,
        error => matches!(
            error.io_kind(),
            // Removed, or cut because it was sealed.
            Some(ErrorKind::NotFound | ErrorKind::UnexpectedEof)
        ),
    };
    for _ in 0..LOOKS {
        match look() {
            Err(error) if is_moving(&error) => std::thread::sleep(PAUSE),
            done => return done,
        }
    }
    look()
}

/// What the library says about the log in `directory`, as an error of the command.
fn failed(directory: &Path) -> impl Fn(beaver::Error) -> CliError {
    move |error| CliError::at(directory.display(), error)
}

/// Exit 1 if there is something to report.
fn exit_for(found: bool) -> Exit {
    if found { Exit::FOUND } else { Exit::HELD }
}
