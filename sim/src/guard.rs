//! Catches panics of the program under test, with their message and place, and keeps them off the
//! terminal.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

static HOOK: Once = Once::new();

/// Runs `program`; a panic becomes an error that says what it said, and where.
///
/// # Errors
/// The message of the panic.
pub(crate) fn guarded<T>(program: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(install);
    let before = GUARDED.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(program));
    GUARDED.set(before);
    outcome.map_err(|_| MESSAGE.take())
}

/// The hook of the process goes on to serve all panics that are not the program's.
fn install() {
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if GUARDED.get() {
            MESSAGE.replace(panic.to_string());
        } else {
            others(panic);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        let message = guarded(|| panic!("seven is {}", 8)).unwrap_err();
        assert!(message.contains("seven is 8"), "{message}");
        assert!(message.contains("guard.rs"), "{message}");
        assert_eq!(guarded(|| 7), Ok(7));
    }
}
