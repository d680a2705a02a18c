//! A part of the program under test that runs in lockstep with the commands: one storage call at a time.
//!
//! It has a thread of its own, but only one of the two ever runs: before each of its storage calls it waits until it is told to
//! go on, and the caller then waits until it stands before the next one or has ended. So nothing depends on a scheduler, and
//! commands can be given between any two of its calls.

use std::cell::RefCell;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use beaver_storage::{Interposer, Op};

use crate::guard::guarded;

thread_local! {
    /// What a thread waits for before each of its storage calls, if it runs in lockstep.
    static WAITS: RefCell<Option<Waits>> = const { RefCell::new(None) };
}

struct Waits {
    arrived: SyncSender<(Op, String)>,
    go_on: Receiver<()>,
}

/// Waits before a storage call, if this thread runs in lockstep.
fn before_call(op: Op, file: &str) {
    WAITS.with_borrow(|waits| {
        if let Some(waits) = waits {
            // Where no one is left to wait for, it just goes on.
            let _ = waits.arrived.send((op, file.to_owned()));
            let _ = waits.go_on.recv();
        }
    });
}

/// A part of the program that runs in lockstep.
#[derive(Debug)]
pub(crate) struct LockstepThread<T> {
    go_on: SyncSender<()>,
    arrived: Receiver<(Op, String)>,
    thread: JoinHandle<Result<T, String>>,
    /// The call that it stands before, and its file; it has ended otherwise.
    next: Option<(Op, String)>,
}

impl<T: Send + 'static> LockstepThread<T> {
    /// Starts `piece`, which then stands before its first storage call or has ended. It must use its storage through
    /// [`Lockstep`].
    pub(crate) fn start(piece: impl FnOnce() -> T + Send + 'static) -> Self {
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
        let next = arrived.recv().ok();
        LockstepThread {
            go_on,
            arrived,
            thread,
            next,
        }
    }

    /// Lets it run until it stands before such a call. `false`: it has ended.
    pub(crate) fn run_to(&mut self, is_wanted: impl Fn(Op, &str) -> bool) -> bool {
        while let Some((op, file)) = &self.next {
            if is_wanted(*op, file) {
                return true;
            }
            self.make_call();
        }
        false
    }

    /// Lets it make the storage call that it stands before.
    pub(crate) fn make_call(&mut self) {
        if self.next.take().is_some() && self.go_on.send(()).is_ok() {
            self.next = self.arrived.recv().ok();
        }
    }

    /// Lets it run to its end. An error is what it said when it panicked.
    pub(crate) fn finish(self) -> Result<T, String> {
        drop(self.go_on);
        drop(self.arrived);
        let ended = self.thread.join();
        ended.unwrap_or_else(|_| Err("the thread itself panicked".to_owned()))
    }
}

/// Lets a part that runs in lockstep wait before its storage calls, and passes on every other thread's.
#[derive(Debug)]
pub(crate) struct Lockstep;

impl Interposer for Lockstep {
    fn before(&self, op: Op, file: &str) -> io::Result<()> {
        before_call(op, file);
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
        let storage: Arc<dyn Storage> = interpose(sim.storage(), Arc::new(Lockstep));
        (sim, storage)
    }

    #[test]
    fn a_lockstep_thread_makes_one_call_at_a_time() {
        let (sim, storage) = sim();
        let own = Arc::clone(&storage);
        let mut thread = LockstepThread::start(move || {
            let file = own.create("a").unwrap();
            file.write_at(b"x", 0).unwrap();
            own.sync_dir().is_ok()
        });
        assert_eq!(sim.calls(), 0);
        thread.make_call();
        assert_eq!(sim.calls(), 1);
        drop(storage.create("b").unwrap());
        thread.make_call();
        assert_eq!(sim.calls(), 3);
        assert_eq!(thread.finish(), Ok(true));
        assert_eq!(sim.calls(), 4);
    }

    #[test]
    fn what_has_ended_makes_no_more_calls() {
        let mut thread = LockstepThread::start(|| 7);
        thread.make_call();
        assert_eq!(thread.finish(), Ok(7));
        let panics = LockstepThread::start(|| panic!("on its own thread"));
        let said: Result<(), String> = panics.finish();
        assert!(said.unwrap_err().contains("on its own thread"));
    }
}
