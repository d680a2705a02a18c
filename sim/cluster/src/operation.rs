//! What clients ask of the cluster, and what they learn.

use beaver::Command;

use crate::entry::NodeId;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientRequest {
    /// The value of a register. It must be linearizable.
    Read {
        /// The register.
        key: u64,
    },
    /// Sets a register.
    Write {
        /// The register.
        key: u64,
        /// Its new value.
        value: u64,
    },
    /// Sets a register if it has the value that is expected.
    CompareAndSet {
        /// The register.
        key: u64,
        /// The value that it must have; `None`: it was never set.
        expected: Option<u64>,
        /// Its new value.
        value: u64,
    },
    /// A command to the replicated job queue.
    Job(Command),
    /// Looks at a job of the queue. It must be linearizable.
    JobStatus {
        /// The job.
        id: String,
    },
}

/// What a node answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientResponse {
    /// The value that a read saw; `None`: the register was never set.
    Value(Option<u64>),
    /// The register was set.
    Written,
    /// A comparison: whether the value was the expected one, and so was set.
    Compared(bool),
    /// What the job queue answered: an acceptance or a refusal of the state machine, as text in a
    /// fixed form.
    Job(String),
    /// Nothing was done, and nothing will be: ask the leader, if it is known.
    NotLeader(Option<NodeId>),
    /// Nothing was done, and nothing will be.
    Refused(String),
    /// It may have been done, now or later.
    Unknown(String),
}

/// One operation of a client: from the moment when it was sent to the moment when its answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The client: it has one operation at a time.
    pub client: u64,
    /// When it was sent. Of two moments of a run the later has the greater number.
    pub start: u64,
    /// When the answer came; `None`: none came, so it may have happened at any time after `start`.
    pub end: Option<u64>,
    /// What was asked.
    pub request: ClientRequest,
    /// The answer; `None`, [`ClientResponse::Unknown`]: nothing is known.
    pub response: Option<ClientResponse>,
}
