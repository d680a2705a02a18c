//! A piece of the program under test that runs beside the commands: one storage call at a time.
//!
//! It has a thread of its own, but only one of the two ever runs: before each of its storage calls it waits until it is told to
//! go on, and whoever tells it waits until it stands before the next one or has ended. So nothing depends on a scheduler, and
//! commands can be given between any two of its calls.

use std::cell::RefCell;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use beaver_storage::{Interposer, Op};

use crate::guard::guarded;

thread_local! {
    /// What a thread waits for before each of its storage calls, if it runs beside another one.
    static WAITS: RefCell<Option<Waits>> = const { RefCell::new(None) };
}

struct Waits {
    arrived: SyncSender<()>,
    go_on: Receiver<()>,
}

/// Waits before a storage call, if this thread runs beside another one.
fn before_call() {
    WAITS.with_borrow(|waits| {
        if let Some(waits) = waits {
            // Where nobody is left to wait for, it just goes on.
            let _ = waits.arrived.send(());
            let _ = waits.go_on.recv();
        }
    });
}

/// A piece of the program that runs beside.
#[derive(Debug)]
pub(super) struct Beside<T> {
    go_on: SyncSender<()>,
    arrived: Receiver<()>,
    thread: JoinHandle<Result<T, String>>,
    /// Whether it stands before a call; it has ended otherwise.
    stands: bool,
}

impl<T: Send + 'static> Beside<T> {
    /// Starts `piece`, which then stands before its first storage call or has ended. It must use its storage through
    /// [`Stepwise`].
    pub(super) fn start(piece: impl FnOnce() -> T + Send + 'static) -> Self {
        let (arrive, arrived) = sync_channel(0);
        let (go_on, wait) = sync_channel(0);
        let thread = thread::spawn(move || {
            WAITS.set(Some(Waits {
                arrived: arrive,
                go_on: wait,
            }));
            let outcome = guarded(piece);
            WAITS.set(None);
            outcome
        });
        let stands = arrived.recv().is_ok();
        Beside {
            go_on,
            arrived,
            thread,
            stands,
        }
    }

    /// Lets it make the storage call that it stands before.
    pub(super) fn make_call(&mut self) {
        if self.stands {
            self.stands = self.go_on.send(()).is_ok() && self.arrived.recv().is_ok();
        }
    }

    /// Lets it run to its end. An error is what it said when it panicked.
    pub(super) fn finish(self) -> Result<T, String> {
        drop(self.go_on);
        drop(self.arrived);
        let ended = self.thread.join();
        ended.unwrap_or_else(|_| Err("the thread itself panicked".to_owned()))
    }
}

/// Lets a piece that runs beside wait before its storage calls, and passes on every other thread's.
#[derive(Debug)]
pub(super) struct Stepwise;

impl Interposer for Stepwise {
    fn before(&self, _op: Op, _file: &str) -> io::Result<()> {
        before_call();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use beaver_storage::{Storage, interpose};

    use super::*;
    use beaver_disk::{Disk, Profile, SimDisk, SimOptions};

    fn sim() -> (SimDisk, Arc<dyn Storage>) {
        let sim = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let storage: Arc<dyn Storage> = interpose(sim.storage(), Arc::new(Stepwise));
        (sim, storage)
    }

    #[test]
    fn what_runs_beside_makes_one_call_at_a_time() {
        let (sim, storage) = sim();
        let own = Arc::clone(&storage);
        let mut beside = Beside::start(move || {
            let file = own.create("a").unwrap();
            file.write_at(b"x", 0).unwrap();
            own.sync_dir().is_ok()
        });
        assert_eq!(sim.calls(), 0);
        beside.make_call();
        assert_eq!(sim.calls(), 1);
        drop(storage.create("b").unwrap());
        beside.make_call();
        assert_eq!(sim.calls(), 3);
        assert_eq!(beside.finish(), Ok(true));
        assert_eq!(sim.calls(), 4);
    }

    #[test]
    fn what_has_ended_makes_no_more_calls() {
        let mut beside = Beside::start(|| 7);
        beside.make_call();
        assert_eq!(beside.finish(), Ok(7));
        let panics = Beside::start(|| panic!("on its own thread"));
        let said: Result<(), String> = panics.finish();
        assert!(said.unwrap_err().contains("on its own thread"));
    }
}
