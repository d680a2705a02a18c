//! Somebody's own state machine on the library's log and snapshots.

use std::convert::Infallible;
use std::fmt::{self, Debug};
use std::io;
use std::sync::Arc;

use beaver::wal::WalOptions;
use beaver::{ManualClock, StateMachine, Storage, Store, StoreOptions};

use super::OwnStore;

/// A state machine, and commands for it.
pub trait OwnMachine: StateMachine + Debug + Default + PartialEq {
    /// What it can be told to do.
    type Command: Debug;

    /// The command with this number, counted from 1: a pure function.
    fn command(number: u64) -> Self::Command;

    /// The events that a command leads to in this state; none if the state does not allow it.
    fn plan(&self, command: &Self::Command) -> Vec<Self::Event>;
}

/// A state machine on a [`Store`] of the library, to be tested as an [`OwnStore`].
///
/// What it should hold is the fold of the events over the machine itself, so this finds what is lost
/// or reordered between the machine and the disk, a [`snapshot`](StateMachine::snapshot) that
/// [`restore`](StateMachine::restore) does not bring back, and an
/// [`apply`](StateMachine::apply) that does not do the same twice.
pub struct OnBeaver<M: OwnMachine>(Store<M>);

impl<M: OwnMachine> Debug for OnBeaver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnBeaver").field(self.0.state()).finish()
    }
}

impl<M: OwnMachine> OwnStore for OnBeaver<M> {
    type Command = M::Command;
    type State = M;

    fn command(number: u64) -> M::Command {
        M::command(number)
    }

    fn apply(state: &mut M, command: &M::Command) {
        for event in state.plan(command) {
            let applied = state.apply(&event);
            applied.expect("a plan holds only events that its state allows");
        }
    }

    fn open(storage: Arc<dyn Storage>) -> io::Result<Self> {
        let wal = WalOptions {
            preallocate_bytes: 0,
            clock: Arc::new(ManualClock::new(0)),
            ..WalOptions::default()
        };
        let options = StoreOptions {
            wal,
            ..StoreOptions::default()
        };
        let (store, _) = Store::open(storage, options).map_err(io::Error::other)?;
        Ok(OnBeaver(store))
    }

    fn write(&mut self, command: &M::Command) -> io::Result<()> {
        let plan = |state: &M| Ok::<_, Infallible>((state.plan(command), ()));
        let committed = self.0.commit(plan).map_err(io::Error::other)?;
        let (_, ()) = committed;
        Ok(())
    }

    fn state(&self) -> M {
        self.0.state().clone()
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        self.0.checkpoint().map_err(io::Error::other)?;
        Ok(())
    }

    fn close(self) -> io::Result<()> {
        self.0.close().map_err(io::Error::other)
    }
}
