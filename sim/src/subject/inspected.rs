//! Stores whose files the checker can read: more invariants, and damage that they are told apart by.

use std::any::Any;
use std::fmt::{self, Debug};

use beaver_disk::{DiskEvent, Image, SimDisk};

use super::{AnyOp, AnyState, Failure, OpenStore};
use crate::marks::Mark;
use crate::oracle::Finding;
use crate::oracle::damage::{Files, InjectedDamage};
use crate::oracle::history::{Decided, History, Position};
use crate::scenario::{CommandKind, LogSettings, Step, Workload};
use crate::stream::Stream;

/// What opening a store reported.
#[derive(Clone, Debug, Default)]
pub struct OpenReport {
    /// The position that the snapshot covers which was used.
    pub snapshot: Option<Position>,
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

/// A store that has opened, and the history that it is held against.
pub(crate) struct Recovered<'r> {
    /// The store.
    pub store: &'r mut dyn OpenStore,
    /// Its machine: to be copied, not to be changed.
    pub disk: &'r SimDisk,
    /// What the files hold now.
    pub files: &'r Image,
    /// What opening it reported.
    pub report: &'r OpenReport,
    /// What the client was told.
    pub history: &'r History,
    /// What the run has damaged, and nothing healed since.
    pub damaged: Damaged<'r>,
}

/// Damage that may explain what a store cannot read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Damaged<'r> {
    /// Which bytes stood where.
    pub damage: &'r InjectedDamage,
    /// Whether a sector may be unreadable for good.
    pub unreadable: bool,
}

/// Something read back from a store in use, or from a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Readout {
    /// It was held against the history and is right.
    Right,
    /// What was read proves nothing here: damage or an error explains it.
    Excused,
    /// It could not be read.
    Failed(Failure),
}

/// A store whose files the checker can read: one in the documented files of this project.
pub struct Inspection<'s>(pub(crate) &'s dyn Inspected);

impl Debug for Inspection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inspection")
    }
}

/// A store whose files the checker can read.
pub(crate) trait Inspected: Send + Sync {
    /// Draws an op of this kind, one that a client would sensibly give in `state`. `drawn` counts
    /// what was made up so far in the run.
    fn draw(
        &self,
        kind: CommandKind,
        workload: &Workload,
        state: &AnyState,
        random: &mut Stream,
        drawn: &mut u64,
    ) -> AnyOp;

    /// Steps that lead to a store whose next op is about to cross a page, for small workloads;
    /// `end_of_log` runs some steps and says where the log's lines end.
    fn prepared(&self, end_of_log: &dyn Fn(&[Step]) -> u64) -> Vec<Step>;

    /// The op that puts everything in flight back; `None` for a store that has none.
    fn requeue(&self) -> Option<AnyOp>;

    /// What opening the store reported.
    fn report(&self, store: &mut dyn Any) -> OpenReport;

    /// The last position that the store has applied.
    fn applied(&self, store: &mut dyn Any) -> Position;

    /// Invariant 9 on a store in use: what it says is durable is no less than it has promised and no
    /// more than it has answered. How many of the ops that were answered last it does not call durable:
    /// all others are promised by that, also where the op that made them durable failed later on.
    ///
    /// # Errors
    /// What is wrong.
    fn check_durable(&self, store: &mut dyn Any, history: &History) -> Result<usize, Finding>;

    /// Invariants 1, 2, 3, 6 and 9 on what the log says: it tells everything decided, then the first
    /// `shown` ops in doubt, and nothing else. Where those stand.
    ///
    /// # Errors
    /// The first that is wrong.
    fn check_history(
        &self,
        recovered: &mut Recovered<'_>,
        shown: usize,
    ) -> Result<Vec<Position>, Finding>;

    /// What is wrong with a store that shows a state to which no possible history leads, said by a
    /// reader of the log: what the log tells, or else that the state is not what the log leads to.
    fn what_is_wrong(&self, recovered: &mut Recovered<'_>, state: &AnyState) -> Finding;

    /// Invariant 11: only the files that the protocol needs are left after a recovery without faults.
    ///
    /// # Errors
    /// The first that is wrong.
    fn check_tidy(
        &self,
        names: &[&str],
        report: &OpenReport,
        log: &LogSettings,
    ) -> Result<(), Finding>;

    /// Invariant 11 after a checkpoint without faults.
    ///
    /// # Errors
    /// The first that is wrong.
    fn check_checkpointed(&self, names: &[&str], log: &LogSettings) -> Result<(), Finding>;

    /// The files without the snapshot that was used, if recovery must be able to do without it.
    fn without_newest_snapshot(&self, files: &Image, report: &OpenReport) -> Option<Image>;

    /// The bytes that no later recovery may change.
    fn accepted(&self, files: &Files) -> Files;

    /// Whether a recovery with this report has read all of `file` and found it whole.
    fn has_read(&self, file: &str, report: &OpenReport) -> bool;

    /// The number of the newest segment.
    fn newest_segment(&self, files: &Image) -> Option<u64>;

    /// Invariant 8: whether what was damaged explains a refusal.
    ///
    /// # Errors
    /// It does not.
    fn excuse_refusal(&self, damage: &InjectedDamage, failure: &Failure) -> Result<(), Finding>;

    /// Invariant 7: a refusal is right only where no way is left to open: no snapshot that is kept and whole
    /// with every segment above it.
    ///
    /// # Errors
    /// There is one.
    fn check_no_way_left(
        &self,
        damage: &InjectedDamage,
        found: &Files,
        failure: &Failure,
    ) -> Result<(), Finding>;

    /// Invariant 7: what the store has kept to fall back to is still there, after a checkpoint or, where
    /// `opened`, after a recovery. `before` are the names that it met.
    ///
    /// # Errors
    /// A name is gone.
    fn check_fall_back(
        &self,
        before: &[&str],
        after: &[&str],
        opened: bool,
        log: &LogSettings,
    ) -> Result<(), Finding>;

    /// Invariant 8: whether a history may end before `missing`, which begin with the first op that is
    /// gone, and how many events that loses. `before` are the files without the damage, `found` those
    /// that recovery met.
    ///
    /// # Errors
    /// A proof was left, or the damage does not explain the loss.
    fn excuse_loss(
        &self,
        before: &Files,
        found: &Files,
        missing: &[Decided],
    ) -> Result<u64, Finding>;

    /// Reads the log while it is in use, twice, and holds it against the history. `poisoned` says
    /// that what is in doubt may show.
    ///
    /// # Errors
    /// What is wrong.
    fn read_in_use(
        &self,
        recovered: &mut Recovered<'_>,
        poisoned: bool,
    ) -> Result<Readout, Finding>;

    /// One to three places of rot on a copy, for [`read_leniently`](Inspected::read_leniently).
    fn draw_rot(&self, copy: &SimDisk, random: &mut Stream) -> Vec<DiskEvent>;

    /// Damages a copy and reads it leniently: everything that is left out must be reported, and
    /// nothing else. The line for the trace, and the marks reached.
    ///
    /// # Errors
    /// What is wrong.
    fn read_leniently(
        &self,
        copy: &SimDisk,
        damage: &[DiskEvent],
        history: &History,
    ) -> Result<Option<(String, Vec<Mark>)>, Finding>;

    /// The marks that an op reached which answered `text`.
    fn marks(&self, op: &AnyOp, text: &str) -> Vec<Mark>;

    /// The marks that a refusal reached which names `file`.
    fn marks_of_refusal(&self, file: &str, files: &Image, damage: &InjectedDamage) -> Vec<Mark>;
}
