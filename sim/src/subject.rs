//! What is tested: a store that keeps a job queue, and how the simulator speaks to it.
//!
//! Any store that reaches its disk through [`Storage`] can be put under the same workload, faults
//! and crashes, and is judged by the same oracle. It says what it is asked in the words of the
//! oracle: [`Place`], [`Record`](crate::oracle::model::Record), [`Model`].

use std::any::Any;
use std::fmt::Debug;
use std::io::ErrorKind;
use std::sync::Arc;

use beaver::{Clock, Storage};
use beaver_storage::{Interposer, interpose};

use crate::client::Beaver;
use crate::oracle::history::{History, Place};
use crate::oracle::judge::{Entry, Finding, View};
use crate::oracle::model::{Model, Refusal};
use crate::oracle::salvage::Skip;
use crate::oracle::shown::Shown;
use crate::scenario::{LogSettings, Step};

/// A store, and what stands between it and the disk.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What stands between it and the disk. Nothing by default.
    pub interposer: Option<NewInterposer>,
}

/// Makes for each process what stands between the store and the disk.
#[derive(Clone)]
pub struct NewInterposer(Arc<dyn Fn() -> Arc<dyn Interposer> + Send + Sync>);

impl Debug for NewInterposer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (self.0)().fmt(f)
    }
}

impl Default for Subject {
    /// The library, unmodified.
    fn default() -> Self {
        Subject::of(Beaver)
    }
}

impl Subject {
    /// A store, with nothing between it and the disk.
    #[must_use]
    pub fn of(store: impl Store + 'static) -> Self {
        Subject {
            store: Arc::new(store),
            interposer: None,
        }
    }

    /// The library, with something between it and the disk: a new one, made by `new`, for each
    /// process.
    #[must_use]
    pub fn behind<I: Interposer + 'static>(new: impl Fn() -> I + Send + Sync + 'static) -> Self {
        let new = NewInterposer(Arc::new(move || Arc::new(new())));
        Subject {
            interposer: Some(new),
            ..Subject::default()
        }
    }

    /// The name of the store.
    pub(crate) fn name(&self) -> String {
        format!("{:?}", self.store)
    }

    /// Whether the store keeps the job queue in the documented files.
    pub(crate) fn is_documented(&self) -> bool {
        matches!(self.store.layout(), Layout::Documented)
    }

    /// A process opens the store on this disk.
    pub(crate) fn open(
        &self,
        disk: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        settings: &LogSettings,
    ) -> Opening {
        self.open_through(disk, clock, settings, |storage| storage)
    }

    /// The same; all of the store's calls go through what `outermost` makes of its storage.
    pub(crate) fn open_through(
        &self,
        disk: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        settings: &LogSettings,
        outermost: impl FnOnce(Arc<dyn Storage>) -> Arc<dyn Storage>,
    ) -> Opening {
        let storage = match &self.interposer {
            Some(new) => interpose(disk, (new.0)()),
            None => disk,
        };
        self.store.open(outermost(storage), clock, settings)
    }
}

/// What came of opening a store: a process that has it open and what it reported, or why it did not open.
pub type Opening = Result<(Box<dyn Process>, Report), Failure>;

/// What the oracle knows of a store beside what it shows.
#[derive(Clone, Copy, Debug)]
pub enum Layout {
    /// It keeps the job queue in segments of JSON lines and in snapshots, as the documented format
    /// says. The oracle reads them: which files may be there, what recovery must leave byte for
    /// byte, and whether damage left a proof.
    Documented,
    /// It keeps commands of its own, by number, in files of its own. The oracle knows which
    /// commands were given, and asks the store which of the possible histories it shows.
    Own {
        /// A command in words.
        words: fn(u64) -> String,
    },
}

/// A kind of store.
pub trait Store: Debug + Send + Sync {
    /// What the oracle knows of its commands and files.
    fn layout(&self) -> Layout {
        Layout::Documented
    }

    /// Opens the store in a directory, recovering whatever an earlier process left.
    ///
    /// # Errors
    /// Why it did not open.
    fn open(
        &self,
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        settings: &LogSettings,
    ) -> Opening;

    /// The history behind `after` that the files can still tell, read strictly, by somebody who
    /// does not own the store and changes nothing.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn replay_after(&self, storage: &Arc<dyn Storage>, after: Place)
    -> Result<Vec<Entry>, Failure>;

    /// Everything that a lenient reader still finds; nothing if the store has no lenient reader.
    ///
    /// # Errors
    /// It gave up.
    fn replay_leniently(&self, _storage: &Arc<dyn Storage>) -> Result<Option<Salvaged>, Failure> {
        Ok(None)
    }
}

/// A process that has a store open. Dropping it ends the process without a farewell.
pub trait Process: Debug {
    /// Carries out one command of the queue.
    fn command(&mut self, step: &Step) -> Answer;

    /// Several callers submit their commands, then one sync serves all. An answer for each caller,
    /// with the place of his last record where he has one.
    fn group(&mut self, steps: &[Step]) -> Vec<(Answer, Option<Place>)>;

    /// The first step of a checkpoint, which other commands may follow. Nothing: there was nothing
    /// to do.
    ///
    /// # Errors
    /// It failed.
    fn begin_checkpoint(&mut self) -> Result<Option<Box<dyn Begun>>, Failure>;

    /// Several callers submit their commands, and the first step of a checkpoint comes before
    /// anybody has flushed. An answer for each caller, as for [`group`](Process::group).
    fn begin_checkpoint_queued(&mut self, steps: &[Step]) -> BegunQueued {
        let begun = self.begin_checkpoint();
        (begun, self.group(steps))
    }

    /// The last step of a checkpoint: how many files were removed.
    ///
    /// # Errors
    /// It failed.
    fn finish_checkpoint(&mut self, written: Box<dyn Any>) -> Result<usize, Failure>;

    /// All of a checkpoint: how many files were removed. Nothing: there was nothing to do.
    ///
    /// # Errors
    /// It failed.
    fn checkpoint(&mut self) -> Result<Option<usize>, Failure>;

    /// The state, as the queue shows it.
    fn state(&self) -> Shown;

    /// The state as it is now, to be compared with later ones: whatever is cheap to keep.
    fn keep_state(&self) -> Box<dyn Any> {
        Box::new(self.state())
    }

    /// Whether the state is as it was in a process that kept it.
    fn is_in_state(&self, kept: &dyn Any) -> bool {
        kept.downcast_ref::<Shown>()
            .is_some_and(|kept| *kept == self.state())
    }

    /// The last applied place.
    fn applied(&self) -> Place;

    /// The last place that the store says is durable. Below [`applied`](Process::applied) only
    /// where it syncs on request.
    fn durable(&self) -> Place {
        self.applied()
    }

    /// Makes everything that was answered durable: what stands last. Only of a store that syncs on
    /// request.
    ///
    /// # Errors
    /// It failed.
    fn sync(&mut self) -> Result<Place, Failure> {
        Err(Failure::unknown("a sync on request"))
    }

    /// Makes everything that was answered durable and begins a new segment: what stands last. Only
    /// of a store that syncs on request.
    ///
    /// # Errors
    /// It failed.
    fn rotate(&mut self) -> Result<Place, Failure> {
        Err(Failure::unknown("a rotate on request"))
    }

    /// Everything that is durable and still in the log, as its owner reads it. Only of a store that syncs on
    /// request.
    ///
    /// # Errors
    /// It cannot be read.
    fn read_durable(&self) -> Result<Vec<Entry>, Failure> {
        Err(Failure::unknown("reading what is durable"))
    }

    /// Makes everything that was answered durable, and free space for so many bytes behind it: what
    /// stands last. Only of a store that syncs on request.
    ///
    /// # Errors
    /// It failed.
    fn preallocate(&mut self, _bytes: u64) -> Result<Place, Failure> {
        Err(Failure::unknown("space on request"))
    }

    /// Holds the state against what it should be.
    ///
    /// # Errors
    /// The first difference: what was expected, and what was found.
    fn compare(&mut self, expected: &Model) -> Result<(), (String, String)> {
        let state = self.state();
        state.compare(expected)?;
        state
            .check_counts()
            .map_err(|finding| (finding.expected, finding.found))
    }

    /// Which of the histories that are possible the store shows. Asked after every opening, before
    /// anything else. Nothing: the oracle reads it off the documented files.
    ///
    /// # Errors
    /// None of them, and what is nearest.
    fn recognise(&mut self, _history: &History) -> Option<Result<View, Finding>> {
        None
    }

    /// Closes the store cleanly.
    ///
    /// # Errors
    /// It failed, and is closed all the same.
    fn close(self: Box<Self>) -> Result<(), Failure>;

    /// Several callers submit their commands, and the store is closed before anybody has flushed.
    /// An answer for each caller, as for [`group`](Process::group).
    fn close_queued(self: Box<Self>, steps: &[Step]) -> Vec<(Answer, Option<Place>)>;
}

/// What came of a checkpoint that began while callers waited, and of what they had submitted.
pub type BegunQueued = (
    Result<Option<Box<dyn Begun>>, Failure>,
    Vec<(Answer, Option<Place>)>,
);

/// A checkpoint that has begun.
pub trait Begun: Send {
    /// The second step: makes the snapshot durable, while commands go on, perhaps on a thread of its own.
    ///
    /// # Errors
    /// It failed.
    fn write(self: Box<Self>) -> Result<Box<dyn Any + Send>, Failure>;
}

/// What a lenient reader gets: the records, what it says it left out, and whether it cut an
/// unfinished end off.
pub type Salvaged = (Vec<Entry>, Vec<Skip>, bool);

/// What a command answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done, and durable. The id is that of the job that was handed out.
    Done(Option<String>),
    /// Refused by the rules of the queue.
    Refused(Refusal),
    /// It failed.
    Failed(Failure),
    /// The caller waits, and nobody is left to answer.
    Waiting,
}

/// What opening the store reported.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The place that the snapshot covers which was used.
    pub snapshot: Option<Place>,
    /// Snapshots that could not be used.
    pub damaged_snapshots: Vec<String>,
    /// The file of a torn tail, and from where on it was cut.
    pub torn_tail: Option<(String, u64)>,
    /// Temporary files that were removed.
    pub temporaries: usize,
    /// Leftovers of an interrupted prune that were removed.
    pub leftovers: usize,
    /// Foreign names.
    pub strays: Vec<String>,
}

/// How grave an error is to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grave {
    /// Nothing was done; the log goes on.
    NotDone,
    /// It may have been done or not; only opening the store again decides.
    InDoubt,
    /// The log refuses everything until it is opened again, and this did nothing.
    Poisoned,
    /// Somebody else owns the directory.
    Locked,
    /// What is on the disk is refused.
    Corrupt,
    /// The command can never succeed as it is.
    Invalid,
}

/// An error, as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How grave it is.
    pub grave: Grave,
    /// The file that it names.
    pub file: Option<String>,
    /// The kind of the storage error behind it.
    pub kind: Option<ErrorKind>,
    /// Its text.
    pub text: String,
}

impl Failure {
    /// The store has no such command.
    pub(crate) fn unknown(what: &str) -> Self {
        Failure {
            grave: Grave::Invalid,
            file: None,
            kind: None,
            text: format!("{what}: the store has no such command"),
        }
    }
}
