//! Where there is no FUSE as the recorder needs it.

use std::io::{self, Write};
use std::path::Path;

use crate::recording::{RecordError, RecordOptions, Recorded};

/// Says that it cannot be done here.
///
/// # Errors
///
/// Always.
pub fn record(_: &RecordOptions<'_>, _: Box<dyn Write + Send>) -> Result<Recorded, RecordError> {
    Err(RecordError::NotLinux)
}

/// Whether programs can be recorded here.
///
/// # Errors
///
/// Always: they cannot.
pub fn check() -> Result<(), RecordError> {
    Err(RecordError::NotLinux)
}

/// Nothing is watched.
///
/// # Errors
///
/// Always.
pub fn run_watched(_: &Path, _: &[String]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
