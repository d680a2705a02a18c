//! Ctrl-C: the first ends the work cleanly after the runs that are under way, the second ends the process at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::exit::{CliError, Exit};

static STOP: AtomicBool = AtomicBool::new(false);
static INSTALLED: OnceLock<()> = OnceLock::new();

/// The flag that the first Ctrl-C sets.
///
/// # Errors
/// The operating system refused the handler.
pub(crate) fn flag() -> Result<&'static AtomicBool, CliError> {
    if INSTALLED.set(()).is_ok() {
        ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(Exit::Interrupted.code()));
            }
        })
        .map_err(|error| CliError::at("cannot listen for Ctrl-C", error))?;
    }
    Ok(&STOP)
}
