//! The file that says what the scenarios beside it must reach together: read before they run, and written anew on request.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use super::built_in::{self, DIRECTORY};
use super::exit::CliError;
use crate::report::{MustReach, RunReport};

/// Its name.
const NAME: &str = "must-reach.txt";

/// The variable that has it written anew, as it has the other files that tests compare with.
const BLESS: &str = "BEAVER_BLESS";

fn path() -> PathBuf {
    PathBuf::from(DIRECTORY).join(NAME)
}

/// What the file says; nothing where there is none.
///
/// # Errors
/// It cannot be read or asks for nothing.
pub(crate) fn read() -> Result<Option<MustReach>, CliError> {
    let at = |error: &dyn std::fmt::Display| CliError::at(path().display(), error);
    match fs::read_to_string(path()) {
        Ok(text) => text.parse().map(Some).map_err(|error: String| at(&error)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let built_in = built_in::text(&path()).map(str::parse);
            built_in.transpose().map_err(|error: String| at(&error))
        }
        Err(error) => Err(at(&error)),
    }
}

/// Writes down what was reached, if that was asked for. Answers with what must be reached from now on.
///
/// # Errors
/// It cannot be written.
pub(crate) fn bless(report: &RunReport) -> Result<Option<MustReach>, CliError> {
    if std::env::var_os(BLESS).is_none() {
        return Ok(None);
    }
    let reached = MustReach::reached(&report.coverage());
    let written = fs::write(path(), reached.to_string());
    written.map_err(|error| CliError::at(path().display(), error))?;
    Ok(Some(reached))
}
