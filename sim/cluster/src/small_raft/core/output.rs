//! What the core asks for.

use super::super::message::{RaftMessage, SnapshotFile};
use super::super::record::RaftRecord;
use crate::entry::NodeId;
use crate::observation::Observation;
use crate::operation::ClientResponse;

/// Something to be done, in the order in which the core asks for it.
#[derive(Clone, Debug)]
pub(crate) enum RaftOutput {
    /// To be written after all earlier records. The core counts them from 1, and wants to be told by
    /// that number what is durable.
    Record(RaftRecord),
    /// Records from here on go into a write of their own, after the sync of those before.
    OwnWrite,
    /// To be sent now.
    Send {
        to: NodeId,
        message: RaftMessage,
    },
    /// To be written to the disk of snapshots.
    SaveSnapshot(SnapshotFile),
    /// The answer to a client.
    Answer {
        call: u64,
        response: ClientResponse,
    },
    /// The answer to an operator.
    AdminAnswer {
        call: u64,
        result: Result<(), String>,
    },
    Observe(Observation),
}
