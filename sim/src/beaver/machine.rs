//! Any state machine on the library's log and snapshots, as a subject.

use std::convert::Infallible;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use beaver::wal::WalOptions;
use beaver::{CommandError, StateMachine, Store, StoreOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::border;
use crate::subject::{Answer, Durability, Failure, Machine, Subject};

/// A state machine, and ops for it.
pub trait TestedMachine: StateMachine + Clone + Debug + Default + PartialEq + Sync {
    /// What it can be told to do.
    type Op: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The ops that are worth giving in this state.
    fn ops(&self) -> Vec<Self::Op>;

    /// The events that an op leads to in this state; none if the state does not allow it.
    fn plan(&self, op: &Self::Op) -> Vec<Self::Event>;
}

/// A state machine on a [`Store`] of the library.
///
/// What it should hold is the fold of the events over the machine itself, so this finds what is lost
/// or reordered between the machine and the disk, a [`snapshot`](StateMachine::snapshot) that
/// [`restore`](StateMachine::restore) does not bring back, and an [`apply`](StateMachine::apply) that
/// does not do the same twice.
pub struct OnBeaver<M>(PhantomData<fn() -> M>);

impl<M> OnBeaver<M> {
    /// The subject.
    #[must_use]
    pub fn new() -> Self {
        OnBeaver(PhantomData)
    }
}

impl<M> Default for OnBeaver<M> {
    fn default() -> Self {
        OnBeaver::new()
    }
}

impl<M> Debug for OnBeaver<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnBeaver")
    }
}

impl<M: TestedMachine + 'static> Subject for OnBeaver<M>
where
    M::Event: 'static,
{
    type Op = M::Op;
    type State = M;
    type Store = Store<M>;

    fn apply(state: &mut M, op: &M::Op) {
        for event in state.plan(op) {
            let applied = state.apply(&event);
            applied.expect("a plan holds only events that its state allows");
        }
    }

    fn ops(&self, state: &M) -> Vec<M::Op> {
        state.ops()
    }

    fn open(&self, machine: &Machine) -> Result<Store<M>, Failure> {
        let options = StoreOptions {
            wal: WalOptions {
                preallocate_bytes: 0,
                store_id: Some(border::STORE_ID),
                clock: Arc::clone(&machine.clock),
                ..WalOptions::default()
            },
            ..StoreOptions::default()
        };
        let (store, _) = Store::open(Arc::clone(&machine.storage), options)?;
        Ok(store)
    }

    fn run(&self, store: &mut Store<M>, op: &M::Op) -> Result<Answer, Failure> {
        let plan = |state: &M| Ok::<_, Infallible>((state.plan(op), ()));
        match store.commit(plan) {
            Ok(_) => Ok(Durability::Durable.into()),
            Err(CommandError::Log(error)) => Err(error.into()),
            Err(CommandError::Rejected(never)) => match never {},
        }
    }

    fn state(&self, store: &mut Store<M>) -> Result<M, Failure> {
        Ok(store.state().clone())
    }

    fn checkpoint(&self, store: &mut Store<M>) -> Result<(), Failure> {
        store.checkpoint()?;
        Ok(())
    }

    fn close(&self, store: Store<M>) -> Result<(), Failure> {
        Ok(store.close()?)
    }
}
