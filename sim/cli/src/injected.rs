//! The bug of the zoo under which a saved failure happens. Its folder names it, because the history alone does not show it.

use std::fs;
use std::io;
use std::path::Path;

use beaver_sim::beaver::library;
use beaver_sim::scenario::Scenario;
use beaver_sim::subject::AnySubject;
use beaver_zoo::catalogue::{BUGS, Bug};

use super::exit::CliError;
use super::scenario_files;

/// The file in a folder that says the number of the bug.
const NAME: &str = "bug.txt";

/// What `--bug` says for none.
const NONE: &str = "none";

/// Notes in `folder` that the failure in it is one of `bug`.
///
/// # Errors
/// It cannot be written.
pub(super) fn note(folder: &Path, bug: &Bug) -> io::Result<()> {
    fs::write(folder.join(NAME), format!("{}\n", bug.id))
}

/// The bug that is injected before the saved failure `file` is run again: the one that was `asked` for, else the one that its
/// folder names.
///
/// # Errors
/// There is none of that number.
pub(super) fn bug_of(asked: Option<&str>, file: &Path) -> Result<Option<&'static Bug>, CliError> {
    let noted = match asked {
        Some(id) => Some((id.to_owned(), id.to_owned())),
        None => {
            let note = scenario_files::of_failure(file).with_file_name(NAME);
            match fs::read_to_string(&note) {
                Ok(id) => Some((id.trim().to_owned(), note.display().to_string())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(CliError::at(note.display(), error)),
            }
        }
    };
    let Some((id, place)) = noted.filter(|(id, _)| id != NONE) else {
        return Ok(None);
    };
    let bug = called(&id);
    let unknown = || {
        let why = format!(
            "`{id}` is no bug of the zoo: `beaver zoo` lists them, and `{NONE}` injects nothing"
        );
        CliError::at(place, why)
    };
    bug.map(Some).ok_or_else(unknown)
}

/// The program under test, with `bug` in it.
pub(super) fn subject(bug: Option<&Bug>, scenario: &Scenario) -> AnySubject {
    bug.map_or_else(|| library(scenario), Bug::mutant)
}

/// What to say of a failure that holds although nothing was asked for: its name may be that of a bug.
pub(super) fn hint(asked: Option<&str>, bug: Option<&Bug>, scenario: &Scenario) -> Option<String> {
    let bug = called(&scenario.name).filter(|_| asked.is_none() && bug.is_none())?;
    let id = bug.id;
    Some(format!(
        "{id} is a bug of the zoo, and it was not injected: `--bug {id}` does"
    ))
}

fn called(id: &str) -> Option<&'static Bug> {
    BUGS.iter().find(|bug| bug.id.eq_ignore_ascii_case(id))
}
