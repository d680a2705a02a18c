//! `--report FILE.html`: the page, written where it was asked for.

use std::path::Path;

use beaver_sim::page::Page;

use super::exit::Failure;

/// Writes a page in place of whatever lay there.
pub(super) fn write(path: &Path, page: &Page) -> Result<(), Failure> {
    std::fs::write(path, page.to_string()).map_err(|error| Failure::at(path.display(), error))
}
