//! The replicated state under openraft: Beaver's store of snapshots, watched.

use std::io;
use std::sync::Arc;

use beaver::DecodeError;
use beaver_raft::{ReplicatedMachine, StateMachineStore};
use futures_util::{Stream, TryStreamExt, stream};
use openraft::alias::{SnapshotMetaOf, StoredMembershipOf};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{OptionalSend, RaftSnapshotBuilder};

use super::observer::ReplicaObserver;
use super::types::{AppliedAnswer, ClusterTypes, RaftLogId, RaftSnapshot, observed};
use crate::host::Host;
use crate::replicated_command::ReplicatedCommand;
use crate::replicated_state::ReplicatedState;

impl ReplicatedMachine<ClusterTypes> for ReplicatedState {
    fn initial() -> Self {
        ReplicatedState::default()
    }

    fn apply(&mut self, command: ReplicatedCommand, _index: u64) -> AppliedAnswer {
        let answer = Some(ReplicatedState::apply(self, &command));
        AppliedAnswer { answer }
    }

    fn no_command(&self) -> AppliedAnswer {
        AppliedAnswer::default()
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_json().get().as_bytes());
    }

    fn restore(json: &[u8]) -> Result<Self, DecodeError> {
        let json = serde_json::from_slice(json).map_err(DecodeError::new)?;
        ReplicatedState::from_json(json).map_err(DecodeError::new)
    }
}

/// The state machine of a process.
#[derive(Clone)]
pub(super) struct ObservedMachine {
    pub(super) store: StateMachineStore<ClusterTypes, ReplicatedState>,
    pub(super) observer: Arc<ReplicaObserver>,
    pub(super) host: Arc<dyn Host>,
}

impl RaftSnapshotBuilder<ClusterTypes> for ObservedMachine {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> io::Result<RaftSnapshot> {
        // Time for something to happen to the process before the snapshot is durable.
        self.host.sleep(self.host.sync_delay()).await;
        self.store.build_snapshot().await
    }
}

impl RaftStateMachine<ClusterTypes> for ObservedMachine {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Self;

    async fn applied_state(
        &mut self,
    ) -> io::Result<(Option<RaftLogId>, StoredMembershipOf<ClusterTypes>)> {
        self.store.applied_state().await
    }

    /// Entry by entry, so that the state after each is seen.
    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<ClusterTypes>>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let seen = observed(&entry);
            let one = stream::iter([Ok((entry, responder))]);
            self.store.apply(one).await?;
            self.observer
                .applied(seen, self.store.read(ReplicatedState::hash));
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMetaOf<ClusterTypes>,
        snapshot: Vec<u8>,
    ) -> io::Result<()> {
        self.host.sleep(self.host.sync_delay()).await;
        self.store.install_snapshot(meta, snapshot).await
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<RaftSnapshot>> {
        self.store.get_current_snapshot().await
    }
}
