//! Ctrl-C and SIGTERM: the first ends the work cleanly where it is, the second ends the process at once.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag as on_signal;

use super::exit::{CliError, Exit};

static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// The flag that the first of these signals sets.
///
/// # Errors
/// The operating system refused the handlers.
pub(crate) fn flag() -> Result<&'static AtomicBool, CliError> {
    if let Some(stop) = STOP.get() {
        return Ok(stop);
    }
    let stop = STOP.get_or_init(Arc::default);
    let code = i32::from(Exit::INTERRUPTED.code());
    for signal in [SIGINT, SIGTERM] {
        // In this order: a signal that finds the flag set ends the process, and the first does not find it.
        on_signal::register_conditional_shutdown(signal, code, stop.clone())
            .and_then(|_| on_signal::register(signal, stop.clone()))
            .map_err(|error| CliError::at("cannot listen for signals", error))?;
    }
    Ok(stop)
}
