//! openraft's state machine, in memory, with durable snapshots.
//!
//! ```text
//! {"last_log_id":…,"last_membership":…,"machine":…}      in a Beaver snapshot of its own directory
//! ```

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use beaver::{Position, SnapshotStore, Storage};
use futures_util::{Stream, TryStreamExt};
use openraft::alias::{LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf};
use openraft::storage::{EntryResponder, RaftStateMachine, Snapshot, SnapshotMeta};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder, RaftTypeConfig, StoredMembership};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::machine::{EntryParts, ReplicatedMachine};
use crate::observer::ApplyObserver;

/// A state machine whose snapshots survive crashes. Cheap to clone; all clones are one.
///
/// What is applied is not written: after a restart the state is that of the newest snapshot, and
/// openraft applies the log after it again. So a snapshot is durable before openraft learns of it, its
/// name too: openraft purges the log that it covers. One from elsewhere is durable before its state is
/// shown. A snapshot that cannot be read is an error and no reason to begin with an older one, because
/// the log between them may be gone.
pub struct StateMachineStore<C: RaftTypeConfig, M>(Arc<ObservedMachine<C, M>>);

struct ObservedMachine<C: RaftTypeConfig, M> {
    /// Held while a snapshot is written, so that there is one at a time. Taken before `state`.
    snapshots: Mutex<SnapshotStore>,
    state: Mutex<AppliedMachine<C, M>>,
    observer: Arc<dyn ApplyObserver<C>>,
}

struct AppliedMachine<C: RaftTypeConfig, M> {
    machine: M,
    last_log_id: Option<LogIdOf<C>>,
    last_membership: StoredMembershipOf<C>,
}

/// A state in its snapshot.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
struct MachineDocument<C: RaftTypeConfig> {
    last_log_id: Option<LogIdOf<C>>,
    last_membership: StoredMembershipOf<C>,
    machine: Box<RawValue>,
}

impl<C: RaftTypeConfig> MachineDocument<C> {
    fn new(meta: &SnapshotMetaOf<C>, machine: &[u8]) -> io::Result<Self> {
        Ok(MachineDocument {
            last_log_id: meta.last_log_id.clone(),
            last_membership: meta.last_membership.clone(),
            machine: serde_json::from_slice(machine)?,
        })
    }

    /// The newest one, if there is one.
    fn load(snapshots: &SnapshotStore) -> beaver::Result<Option<Self>> {
        let (found, damaged) = snapshots.load()?;
        if let Some(damaged) = damaged.into_iter().next() {
            return Err(damaged.error);
        }
        let Some(found) = found else {
            return Ok(None);
        };
        let document = serde_json::from_slice(&found.state);
        let document = document.map_err(|error| invalid(&found.boundary.position, error))?;
        Ok(Some(document))
    }

    /// Makes it durable, then removes the older ones.
    fn save(&self, snapshots: &SnapshotStore) -> io::Result<()> {
        let state = serde_json::to_vec(self)?;
        snapshots
            .write(self.position(), &state)
            .map_err(io::Error::other)?;
        // The new one is durable, so what went wrong here does no harm: the next one tries again.
        if let Err(error) = snapshots.prune(0) {
            tracing::warn!(%error, "an old snapshot stays");
        }
        Ok(())
    }

    /// The position under which it is stored.
    fn position(&self) -> Position {
        // The first index is 0, and so is the state before it; there is no epoch 0.
        let applied = self.last_log_id.as_ref().map_or(0, |id| id.index + 1);
        Position::new(applied + 1, 0)
    }

    fn meta(&self) -> SnapshotMetaOf<C> {
        SnapshotMeta {
            last_log_id: self.last_log_id.clone(),
            last_membership: self.last_membership.clone(),
        }
    }
}

fn invalid(position: &Position, error: impl std::fmt::Display) -> beaver::Error {
    beaver::Error::InvalidState {
        file: format!("the snapshot at {position}"),
        source: beaver::DecodeError::new(error),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C: RaftTypeConfig, M> Clone for StateMachineStore<C, M> {
    fn clone(&self) -> Self {
        StateMachineStore(Arc::clone(&self.0))
    }
}

impl<C: RaftTypeConfig, M: ReplicatedMachine<C>> StateMachineStore<C, M> {
    /// Opens the snapshots in `storage`, a directory of their own, and begins with the newest.
    ///
    /// # Errors
    /// As [`SnapshotStore::open`] and [`SnapshotStore::load`]; the error of a snapshot that is damaged
    /// or is not one of this machine.
    pub fn open(storage: Arc<dyn Storage>) -> beaver::Result<Self> {
        Self::open_observed(storage, Arc::new(()))
    }

    /// As [`open`](StateMachineStore::open); `observer` learns what happens from then on.
    ///
    /// # Errors
    /// As [`open`](StateMachineStore::open).
    pub fn open_observed(
        storage: Arc<dyn Storage>,
        observer: Arc<dyn ApplyObserver<C>>,
    ) -> beaver::Result<Self> {
        let snapshots = SnapshotStore::open(storage)?;
        let state = match MachineDocument::<C>::load(&snapshots)? {
            None => AppliedMachine {
                machine: M::initial(),
                last_log_id: None,
                last_membership: StoredMembership::default(),
            },
            Some(document) => {
                let machine = M::restore(document.machine.get().as_bytes());
                AppliedMachine {
                    machine: machine.map_err(|error| invalid(&document.position(), error))?,
                    last_log_id: document.last_log_id,
                    last_membership: document.last_membership,
                }
            }
        };
        Ok(StateMachineStore(Arc::new(ObservedMachine {
            snapshots: Mutex::new(snapshots),
            state: Mutex::new(state),
            observer,
        })))
    }

    /// The last entry that was applied; just after opening, the one that the newest snapshot covers.
    pub fn last_applied(&self) -> Option<LogIdOf<C>> {
        lock(&self.0.state).last_log_id.clone()
    }

    /// Looks at the state as far as it was applied. On a leader that has confirmed its lead a read of
    /// it is linearizable; see `openraft::Raft::ensure_linearizable`. `look` must not call the store.
    pub fn read<R>(&self, look: impl FnOnce(&M) -> R) -> R {
        look(&lock(&self.0.state).machine)
    }
}

impl<C: RaftTypeConfig, M: ReplicatedMachine<C>> AppliedMachine<C, M> {
    fn apply(
        &mut self,
        log_id: LogIdOf<C>,
        payload: EntryPayload<C::D, C::NodeId, C::Node>,
    ) -> C::R {
        self.last_log_id = Some(log_id.clone());
        match payload {
            EntryPayload::Blank => self.machine.no_command(),
            EntryPayload::Normal(command) => self.machine.apply(command, log_id.index),
            EntryPayload::Membership(membership) => {
                self.last_membership = StoredMembership::new(Some(log_id), membership);
                self.machine.no_command()
            }
        }
    }
}

impl<C, M> RaftSnapshotBuilder<C> for StateMachineStore<C, M>
where
    C: RaftTypeConfig,
    M: ReplicatedMachine<C>,
{
    type SnapshotData = Vec<u8>;

    /// Entries are applied while the snapshot is written, not while it is encoded.
    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<C, Vec<u8>>> {
        let snapshots = lock(&self.0.snapshots);
        let mut machine = Vec::new();
        let meta = {
            let state = lock(&self.0.state);
            state.machine.snapshot(&mut machine);
            SnapshotMeta {
                last_log_id: state.last_log_id.clone(),
                last_membership: state.last_membership.clone(),
            }
        };
        MachineDocument::<C>::new(&meta, &machine)?.save(&snapshots)?;
        let last = meta.last_log_id.as_ref();
        self.0.observer.built(last, &meta.last_membership, &machine);
        Ok(Snapshot {
            meta,
            snapshot: machine,
        })
    }
}

impl<C, M> RaftStateMachine<C> for StateMachineStore<C, M>
where
    C: RaftTypeConfig,
    C::Entry: EntryParts<C>,
    M: ReplicatedMachine<C>,
{
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> io::Result<(Option<LogIdOf<C>>, StoredMembershipOf<C>)> {
        let state = lock(&self.0.state);
        Ok((state.last_log_id.clone(), state.last_membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = Result<EntryResponder<C>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let (log_id, payload) = entry.into_parts();
            let answer = {
                let mut state = lock(&self.0.state);
                self.0.observer.applied(&log_id, &payload);
                state.apply(log_id, payload)
            };
            if let Some(responder) = responder {
                responder.send(answer);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMetaOf<C>,
        snapshot: Vec<u8>,
    ) -> io::Result<()> {
        // Judged before anything is written: what another node sent is the world.
        let machine = M::restore(&snapshot)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let document = MachineDocument::<C>::new(meta, &snapshot)?;
        let snapshots = lock(&self.0.snapshots);
        let applied = lock(&self.0.state).last_log_id.clone();
        if meta.last_log_id < applied {
            // The next start would begin with the newer one.
            let reason = "a snapshot cannot take back what was applied";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        document.save(&snapshots)?;
        *lock(&self.0.state) = AppliedMachine {
            machine,
            last_log_id: meta.last_log_id.clone(),
            last_membership: meta.last_membership.clone(),
        };
        let last = meta.last_log_id.as_ref();
        self.0
            .observer
            .installed(last, &meta.last_membership, &snapshot);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<C, Vec<u8>>>> {
        let snapshots = lock(&self.0.snapshots);
        let found = MachineDocument::<C>::load(&snapshots).map_err(io::Error::other)?;
        Ok(found.map(|document| Snapshot {
            meta: document.meta(),
            snapshot: Box::<str>::from(document.machine)
                .into_string()
                .into_bytes(),
        }))
    }
}
