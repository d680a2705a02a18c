//! Bugs that show only where the callers of the front for many threads stand in different steps.

use std::io;
use std::sync::Mutex;
use std::thread::{self, ThreadId};

use beaver_storage::{InterposedFile, Interposer, Storage, StorageLock};

use super::interposed::locked;
use beaver_sim::beaver::files::{segment_epoch, snapshot_epoch};
use beaver_sim::beaver::{Queue, SharedLibrary};
use beaver_sim::subject::AnySubject;

/// A bug of the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedFrontBug {
    /// A batch that was queued while another caller's was synced counts as synced with it.
    FollowerNotSynced,
    /// The name of a snapshot is not synced where another caller has appended since its rename.
    NameForgottenAmidAppends,
}

impl SharedFrontBug {
    /// The library through its front for many threads, with the bug.
    #[must_use]
    pub fn mutant(self) -> AnySubject {
        shared_library().interposed(move || WrongFront {
            bug: self,
            opener: Mutex::default(),
            synced: Mutex::default(),
            named: Mutex::default(),
        })
    }
}

/// The library through its front for many threads, without a bug.
#[must_use]
pub fn shared_library() -> AnySubject {
    AnySubject::new(Queue::new(SharedLibrary))
}

#[derive(Debug)]
struct WrongFront {
    bug: SharedFrontBug,
    /// The thread that opened the store: where it appends, no caller stands beside it.
    opener: Mutex<Option<ThreadId>>,
    /// The caller that has synced the log last, since the opener has.
    synced: Mutex<Option<ThreadId>>,
    /// The thread that has given a snapshot its name, and whether another one has appended since.
    named: Mutex<Option<(ThreadId, bool)>>,
}

impl Interposer for WrongFront {
    fn lock(&self, next: &dyn Storage) -> io::Result<Box<dyn StorageLock>> {
        *locked(&self.opener) = Some(thread::current().id());
        next.lock()
    }

    fn rename(&self, next: &dyn Storage, from: &str, to: &str) -> io::Result<()> {
        let snapshot = snapshot_epoch(to).is_some();
        *locked(&self.named) = snapshot.then(|| (thread::current().id(), false));
        next.rename(from, to)
    }

    fn write_at(&self, file: &InterposedFile, buf: &[u8], offset: u64) -> io::Result<usize> {
        if let Some((namer, appended)) = &mut *locked(&self.named) {
            *appended |= *namer != thread::current().id();
        }
        file.next().write_at(buf, offset)
    }

    fn sync_dir(&self, next: &dyn Storage) -> io::Result<()> {
        let amid_appends = locked(&self.named)
            .take()
            .is_some_and(|(_, appended)| appended);
        match self.bug {
            SharedFrontBug::NameForgottenAmidAppends if amid_appends => Ok(()),
            _ => next.sync_dir(),
        }
    }

    fn sync_data(&self, file: &InterposedFile) -> io::Result<()> {
        let caller = Some(thread::current().id());
        let alone = caller == *locked(&self.opener);
        let now = caller.filter(|_| !alone);
        let before = std::mem::replace(&mut *locked(&self.synced), now);
        let follows = now.is_some() && before.is_some() && before != now;
        let follows = follows && segment_epoch(&file.name()).is_some();
        match self.bug {
            SharedFrontBug::FollowerNotSynced if follows => Ok(()),
            _ => file.next().sync_data(),
        }
    }
}
