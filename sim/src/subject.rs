//! What is tested: any store, and its reference model.
//!
//! An author of a store says in a [`Subject`] what its ops are, what they should do, and how it is
//! opened and told to do them. The checker gives the ops, crashes the store everywhere, opens it
//! again, and asks which of the histories that are possible leads to the state that it then shows.
//! None means a bug, and the finding names the [promise](Promises) that it breaks.
//!
//! [`Concurrent`] is for stores with several callers, pending checkpoints and background threads,
//! [`Inspection`] for those in the files of this project, which the checker can read. A store that has
//! neither is tested without.

mod answer;
mod any;
mod concurrent;
mod failure;
mod inspected;

use std::fmt::Debug;
use std::sync::Arc;

use beaver::{Clock, Storage};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::oracle::recognise::nearest;
use crate::scenario::{CommandKind, LogSettings};

pub use crate::erased::AnyOp;
pub(crate) use crate::erased::AnyState;
pub use crate::oracle::history::Position;
pub use crate::oracle::promises::Promises;
pub use crate::stream::Stream;
pub use answer::{Answer, Durability, Expected};
pub use any::AnySubject;
#[cfg(test)]
pub(crate) use any::any_state;
pub(crate) use any::{OpenStore, any_op};
pub use concurrent::{BegunWithCallers, Concurrent, PendingCheckpoint};
pub use failure::{ErrorClass, Failure};
pub(crate) use inspected::{Damaged, Inspected, Readout, Recovered};
pub use inspected::{Inspection, OpenReport};

/// What a process opens a store on.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The disk.
    pub storage: Arc<dyn Storage>,
    /// The time, which stands still until the run moves it.
    pub clock: Arc<dyn Clock>,
    /// How the scenario wants a log of this project to be set up; other stores have no use for it.
    pub log: LogSettings,
}

/// A kind of store, and what its ops should do.
///
/// # What a store has to do
/// * It reaches its disk through the [`Storage`] that it was given alone, and does the same when it
///   is run again: no time but the machine's, no chance, and no thread that outlives the call which
///   started it (but see [`Concurrent`]).
/// * It keeps the [`PROMISES`](Subject::PROMISES) that it gives.
///
/// # What a panic means
/// One in a call or in the store's `Drop` is a finding while the process is alive, and none once it has
/// died: in truth it made no further step. A panic in a thread of the store's own is seen where the store
/// joins it, and nowhere else.
///
/// # What is not asked of it
/// After an error of class [`NotDone`](ErrorClass::NotDone) it goes on; after any other it gets no
/// further op and its state is not looked at: the process ends, or the store is dropped and opened
/// again, and the op that failed may have taken effect or not.
pub trait Subject: Debug + Sized + Send + Sync + 'static {
    /// What the store can be told to do, whole or not at all. Its `Debug` is what reports, scripts
    /// and pages show.
    type Op: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// What the ops lead to; the initial one is its default. States are equal if no user of the
    /// store can tell them apart. `{:#?}` is what a finding shows of them.
    type State: Clone + Debug + PartialEq + Default + Send + Sync + 'static;

    /// A store that a process has open. Dropping it ends the process without a farewell.
    type Store: 'static;

    /// What the store promises.
    const PROMISES: Promises = Promises::ALL;

    /// The name in reports. By default that of the type, without its path.
    fn name(&self) -> String {
        let name = std::any::type_name::<Self>();
        let path = name.find('<').unwrap_or(name.len());
        let start = name[..path].rfind("::").map_or(0, |at| at + 2);
        name[start..].to_owned()
    }

    /// What an op should do, as simply as it can be written. The store is held against this.
    fn apply(state: &mut Self::State, op: &Self::Op);

    /// The ops that small workloads are made of in this state, one at least: each is tried, so that few keys and
    /// different values find most. A longer workload draws from them too, unless
    /// [`draw`](Subject::draw) says otherwise.
    fn ops(&self, state: &Self::State) -> Vec<Self::Op>;

    /// An op that is worth giving in this state.
    ///
    /// # Panics
    /// If [`ops`](Subject::ops) gives none.
    fn draw(&self, state: &Self::State, random: &mut Stream) -> Self::Op {
        let ops = self.ops(state);
        let name = self.name();
        assert!(
            !ops.is_empty(),
            "`Subject::ops` of {name} gives no op in the state {state:?}: one at least is needed in every state"
        );
        random.pick(&ops).clone()
    }

    /// Ops that are simpler than this one, the simplest first: what a failure is shrunk with.
    fn simpler(&self, op: &Self::Op) -> Vec<Self::Op> {
        let _ = op;
        Vec::new()
    }

    /// Whole histories that are simpler than these ops, the simplest first.
    fn simpler_together(&self, ops: &[Self::Op]) -> Vec<Vec<Self::Op>> {
        let _ = ops;
        Vec::new()
    }

    /// The op as it is when it is given in `state` at `now_ms`, and what it must answer. For stores
    /// whose ops depend on the time, or answer more than that they are done.
    fn resolve(&self, op: &Self::Op, state: &Self::State, now_ms: u64) -> (Self::Op, Expected) {
        let _ = (state, now_ms);
        (op.clone(), Expected::default())
    }

    /// The fields of an op whose values make no sense, each with why; `nested` says that its caller is one of several. Asked of
    /// ops that a file holds, before anything runs.
    fn invalid(&self, op: &Self::Op, nested: bool) -> Vec<(String, String)> {
        let _ = (op, nested);
        Vec::new()
    }

    /// Why a run can have no step of this kind; nothing if it can.
    fn lacks(&self, kind: CommandKind) -> Option<String> {
        use CommandKind as K;
        let has = match kind {
            // Default weights draw `enqueue`: for a store without a queue it is any op.
            K::Op | K::Enqueue | K::Checkpoint | K::Reopen | K::Kill | K::PowerCut => true,
            K::SecondOpener => true,
            K::Group | K::SlowCheckpoint | K::CloseQueued => self.concurrent().is_some(),
            _ => false,
        };
        (!has).then(|| {
            "the store has no such step: op, checkpoint, reopen, kill, power-cut, second-opener"
                .to_owned()
        })
    }

    /// How far the clock moves before an op, in milliseconds: back too, if it is set.
    fn takes_ms(op: &Self::Op) -> i64 {
        let _ = op;
        0
    }

    /// Opens the store, or makes a new one where there is none, and recovers what an earlier process
    /// left.
    ///
    /// # Errors
    /// See [`ErrorClass`]: a storage call failed, another process has the directory, or what is on the disk is refused.
    fn open(&self, machine: &Machine) -> Result<Self::Store, Failure>;

    /// Carries out an op, and says how durable it is.
    ///
    /// # Errors
    /// See [`ErrorClass`].
    fn run(&self, store: &mut Self::Store, op: &Self::Op) -> Result<Answer, Failure>;

    /// What the store holds now.
    ///
    /// # Errors
    /// It cannot be read.
    fn state(&self, store: &mut Self::Store) -> Result<Self::State, Failure>;

    /// What is different between two states: what was expected, and what was found. By default the
    /// first line of what they look like.
    fn difference(expected: &Self::State, found: &Self::State) -> (String, String) {
        nearest(std::slice::from_ref(&expected), found)
    }

    /// How large a state is, in whatever takes time when a store is opened or written out: in a long
    /// run that becomes rarer as the store grows. 0: it stays small.
    fn size(state: &Self::State) -> usize {
        let _ = state;
        0
    }

    /// Compaction, rotation, a snapshot: whatever the store does now and then to stay small.
    /// Nothing by default. When it has ended, everything that was answered is durable.
    ///
    /// # Errors
    /// As [`run`](Subject::run); no op is lost by it.
    fn checkpoint(&self, store: &mut Self::Store) -> Result<(), Failure> {
        let _ = store;
        Ok(())
    }

    /// Closes the store cleanly. By default it is dropped. When it has ended, everything that was
    /// answered is durable.
    ///
    /// # Errors
    /// A storage call failed: what was not durable yet may be lost. The store is closed all the same.
    fn close(&self, store: Self::Store) -> Result<(), Failure> {
        drop(store);
        Ok(())
    }

    /// Several callers, and checkpoints during which ops go on; none by default.
    fn concurrent(&self) -> Option<&dyn Concurrent<Self>> {
        None
    }

    /// What the checker can read of the store's files; nothing by default, and for every store whose files are its own.
    fn inspected(&self) -> Option<Inspection<'_>> {
        None
    }
}
