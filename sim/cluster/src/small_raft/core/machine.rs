//! The state machine with what a snapshot of it has to say.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::message::SnapshotFile;
use super::super::record::{RaftConfig, RaftPayload, SmallEntry};
use crate::entry::EntryId;
use crate::operation::ClientResponse;
use crate::replicated_state::ReplicatedState;

/// Data, the last entry that made them, and the membership as of that entry.
#[derive(Clone, Debug, Default)]
pub(super) struct CoreMachine {
    pub(super) state: ReplicatedState,
    pub(super) applied: EntryId,
    pub(super) config: (u64, RaftConfig),
}

#[derive(Serialize, Deserialize)]
struct SnapshotJson {
    applied: EntryId,
    config: (u64, RaftConfig),
    state: Box<RawValue>,
}

impl CoreMachine {
    /// Applies the next entry. What is to be said to the client, if a client asked for it.
    pub(super) fn apply(&mut self, entry: &SmallEntry) -> Option<ClientResponse> {
        self.applied = entry.id;
        match &entry.payload {
            RaftPayload::Blank => None,
            RaftPayload::Command(command) => Some(self.state.apply(command)),
            RaftPayload::Config(config) => {
                self.config = (entry.id.index, config.clone());
                None
            }
        }
    }

    pub(super) fn to_snapshot(&self) -> SnapshotFile {
        let json = SnapshotJson {
            applied: self.applied,
            config: self.config.clone(),
            state: self.state.to_json(),
        };
        let state = serde_json::to_vec(&json).expect("numbers and text can be written");
        SnapshotFile {
            last: self.applied,
            state: Arc::from(state),
        }
    }

    pub(super) fn from_snapshot(state: &[u8]) -> Result<Self, String> {
        let json: SnapshotJson =
            serde_json::from_slice(state).map_err(|error| error.to_string())?;
        Ok(CoreMachine {
            state: ReplicatedState::from_json(&json.state)?,
            applied: json.applied,
            config: json.config,
        })
    }
}
