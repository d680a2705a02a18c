//! Stores and state machines that are not ours, under the same explorer, sampler, oracle and
//! shrinker as the library.
//!
//! Whoever has a store that writes through [`Storage`] says in [`OwnStore`] what its commands are,
//! what they should do, and how it is opened and written to. That is all the oracle needs: it gives
//! the commands, crashes the store everywhere, opens it again, and asks which of the histories that
//! are possible then leads to the state that it shows. None means a bug.
//!
//! A state machine that is to live on the library's own log is an [`OwnMachine`]; [`OnBeaver`] makes
//! a store of it.
//!
//! `docs/your-own-store.md` walks through an example, and [`check`](crate::check::check) is the
//! function to call from a test.

mod machine;
mod process;
mod recognise;
mod unsupported;

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

use beaver::{Clock, Storage};

use crate::oracle::history::Place;
use crate::oracle::judge::Entry;
use crate::scenario::LogSettings;
use crate::subject::{Failure, Layout, Process, Report, Store, Subject};

pub use machine::{OnBeaver, OwnMachine};
pub use unsupported::unsupported;

use process::{OwnProcess, failure};

/// A store that writes through [`Storage`], and what its commands should do.
///
/// # What it promises
/// * [`write`](OwnStore::write) and [`checkpoint`](OwnStore::checkpoint) answer `Ok` only when the
///   command is durable: after a crash at any later moment [`open`](OwnStore::open) shows it.
/// * A command of which it was not said that it is durable is there after a crash or not, whole, and
///   not without those before it. What one `open` has shown, every later one shows.
/// * After a crash, whatever it left, `open` succeeds where no storage call fails.
/// * It reaches its disk through the [`Storage`] that it was given alone, and does the same when it
///   is run again: no time, no chance, no threads.
///
/// # What is not asked of it
/// After an error it gets no further command and its state is not looked at: the process ends, or the
/// store is dropped and opened again, and the command that failed may be there or not.
pub trait OwnStore: fmt::Debug + Sized + 'static {
    /// What it can be told to do.
    type Command: fmt::Debug;
    /// What the commands lead to; the initial one is its default. States are equal if nobody who
    /// uses the store can tell them apart. `{:#?}` is what a finding shows of it.
    type State: Default + PartialEq + fmt::Debug + 'static;

    /// The command with this number, counted from 1: a pure function. Few keys and different values
    /// make commands that matter to each other.
    fn command(number: u64) -> Self::Command;

    /// What a command should do, as simply as it can be written. The store is held against this.
    fn apply(state: &mut Self::State, command: &Self::Command);

    /// Opens the store, or makes a new one where there is none, and recovers what an earlier process
    /// left.
    ///
    /// # Errors
    /// A storage call failed, and another try may help.
    fn open(storage: Arc<dyn Storage>) -> io::Result<Self>;

    /// Carries out a command. It is durable when this returns `Ok`.
    ///
    /// # Errors
    /// It may have been carried out or not; only opening the store again decides.
    fn write(&mut self, command: &Self::Command) -> io::Result<()>;

    /// What it holds now.
    fn state(&self) -> Self::State;

    /// Compaction, rotation, a snapshot: whatever it does now and then to stay small. Nothing by
    /// default.
    ///
    /// # Errors
    /// As [`write`](OwnStore::write); no command is lost by it.
    fn checkpoint(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Closes it cleanly. By default it is dropped.
    ///
    /// # Errors
    /// It is closed all the same.
    fn close(self) -> io::Result<()> {
        Ok(())
    }
}

impl Subject {
    /// A store that is not ours, with nothing between it and the disk.
    #[must_use]
    pub fn own<S: OwnStore>() -> Self {
        Subject::of(Own::<S>(PhantomData))
    }
}

/// A store of its own, in the words of the oracle. A command is the enqueueing of one job: the id of
/// the job is the number of the command.
struct Own<S>(PhantomData<fn() -> S>);

impl<S> fmt::Debug for Own<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the path of its module.
        let name = std::any::type_name::<S>();
        let path = name.find('<').unwrap_or(name.len());
        let start = name[..path].rfind("::").map_or(0, |at| at + 2);
        f.write_str(&name[start..])
    }
}

/// A command in words: what its `Debug` says.
fn words<S: OwnStore>(number: u64) -> String {
    format!("{:?}", S::command(number))
}

impl<S: OwnStore> Store for Own<S> {
    fn layout(&self) -> Layout {
        Layout::Own { words: words::<S> }
    }

    fn open(
        &self,
        storage: Arc<dyn Storage>,
        _clock: Arc<dyn Clock>,
        _settings: &LogSettings,
    ) -> Result<(Box<dyn Process>, Report), Failure> {
        let store = S::open(storage).map_err(|error| failure("open", &error))?;
        Ok((Box::new(OwnProcess::new(store)), Report::default()))
    }

    fn replay_after(
        &self,
        _storage: &Arc<dyn Storage>,
        _after: Place,
    ) -> Result<Vec<Entry>, Failure> {
        Err(process::invalid(
            "reading the log of a store whose files are not documented",
        ))
    }
}
