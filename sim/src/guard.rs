//! Catches panics of the program under test, with their message and place, and keeps them off the
//! terminal.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static GAUGE: RefCell<Option<Arc<CallGauge>>> = const { RefCell::new(None) };
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
    // A call inside another one is a part of that.
    if !before {
        turn_gauge();
    }
    // A program that is dropped while another one panics must not take its message.
    let said_before = MESSAGE.take();
    let outcome = panic::catch_unwind(AssertUnwindSafe(program));
    GUARDED.set(before);
    let said = MESSAGE.replace(said_before);
    if !before {
        turn_gauge();
    }
    outcome.map_err(|_| said)
}

/// How many times a thread has entered the program under test or come back: odd while it is in it. So
/// somebody who looks at it now and then sees a call that does not come back, and the thread itself looks
/// at no clock.
#[derive(Debug, Default)]
pub(crate) struct CallGauge(AtomicU64);

impl CallGauge {
    /// The number of the call that the thread is in; nothing if it is in none.
    pub(crate) fn call(&self) -> Option<u64> {
        let turns = self.0.load(Ordering::Relaxed);
        (turns % 2 == 1).then_some(turns)
    }

    /// Shows the calls of this thread from now on.
    pub(crate) fn show_this_thread(gauge: &Arc<CallGauge>) {
        GAUGE.set(Some(Arc::clone(gauge)));
    }
}

fn turn_gauge() {
    GAUGE.with_borrow(|gauge| {
        if let Some(CallGauge(turns)) = gauge.as_deref() {
            turns.fetch_add(1, Ordering::Relaxed);
        }
    });
}

/// A value of the program under test. Where it is dropped in passing, a panic in its `drop` does not get
/// out: the process is gone, or what is wrong is known already, and a second panic would end the checker.
#[derive(Debug)]
pub(crate) struct Contained<T>(Option<T>);

/// Why it is there.
const UNTIL_TAKEN: &str = "it is there until it is taken out, which ends it";

impl<T> Contained<T> {
    pub(crate) fn new(value: T) -> Self {
        Contained(Some(value))
    }

    /// The value, whose drop may panic from now on.
    pub(crate) fn into_inner(mut self) -> T {
        self.0.take().expect(UNTIL_TAKEN)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.as_mut().expect(UNTIL_TAKEN)
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            let _ = guarded(|| drop(value));
        }
    }
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

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    #[test]
    fn a_panic_in_a_drop_during_a_panic_is_no_second_one() {
        let message = guarded(|| {
            let _value = Contained::new(PanicsWhenDropped);
            panic!("the first")
        });
        let message: String = message.map(|()| String::new()).unwrap_err();
        assert!(message.contains("the first"), "{message}");
        let taken = Contained::new(PanicsWhenDropped);
        let message = guarded(|| drop(taken.into_inner())).unwrap_err();
        assert!(message.contains("dropped"), "{message}");
    }
}
