//! What clients ask of the cluster, and what they learn.

use beaver::{Command, JobStatus};

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
    /// What the job queue answered.
    Job(JobAnswer),
    /// Nothing was done, and nothing will be: ask the leader, if it is known.
    NotLeader(Option<NodeId>),
    /// Nothing was done, and nothing will be.
    Refused(String),
    /// It may have been done, now or later.
    Unknown(String),
}

/// What the state machine of the job queue answered to a command or a look. It names the jobs, so that
/// a judge needs neither the library nor the clock of the leader to know what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobAnswer {
    /// A dispatch handed out this job.
    Dispatched {
        /// The job.
        id: String,
        /// Which attempt of it, counted from 1.
        attempt: u32,
    },
    /// Any other command was planned and applied.
    Accepted {
        /// The jobs that it changed, in the order of the planned events.
        jobs: Vec<String>,
    },
    /// There was nothing to do: no job was pending, none was due.
    Nothing,
    /// The command is illegal in the state that it found; nothing has changed.
    Refused {
        /// The job that the error names.
        id: String,
        /// What the error says.
        reason: String,
    },
    /// Where the job stands; `None`: it was never enqueued.
    Status(Option<JobStatus>),
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
