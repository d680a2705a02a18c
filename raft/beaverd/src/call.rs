//! What clients ask for, and what they are told when it fails.

use std::net::SocketAddr;

use beaver::{Command, JobId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a client asks for. The leader answers it, whichever node was asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Call {
    /// Change the queue.
    Command(Command),
    /// Where does this job stand? It sees everything that was acknowledged before it was asked.
    Job(JobId),
    /// How many jobs stand where? As fresh as [`Call::Job`].
    Stats,
    /// Who is a member?
    Members,
    /// Add a node that learns and does not vote.
    AddLearner {
        /// Its number, which no member has.
        id: u64,
        /// Where the others reach it.
        address: SocketAddr,
    },
    /// Let a learner vote.
    Promote(u64),
    /// Remove a node, whether it votes or learns.
    Remove(u64),
    /// Let another voter lead.
    Transfer(u64),
}

impl Call {
    /// Whether it has an effect, so that asking twice is not the same as asking once.
    #[must_use]
    pub(crate) fn changes_something(&self) -> bool {
        !matches!(self, Call::Job(_) | Call::Stats | Call::Members)
    }
}

/// What a client is told: JSON, or why not.
pub(crate) type CallAnswer = Result<Box<RawValue>, CallError>;

/// Why a call failed, and what is known of its effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CallError {
    /// The request cannot be understood.
    #[error("{0}")]
    Invalid(String),
    /// There is nothing of that name.
    #[error("{0}")]
    NotFound(String),
    /// The queue or the cluster, as it stands, forbids it.
    #[error("{0}")]
    Refused(String),
    /// No leader was heard of in the time that a request has.
    #[error(
        "there is no leader: fewer than a majority of the voters reach each other, or they are electing one"
    )]
    NoLeader,
    /// The node that was asked belongs to no cluster yet.
    #[error(
        "there is no leader: this node belongs to no cluster yet. It waits for the other founders, or to be added by POST /v1/members"
    )]
    NoCluster,
    /// It was not begun, and the same request may succeed later.
    #[error("{0}")]
    NotDone(String),
    /// It was begun, and may be done now, later, or never.
    #[error("{0}; it may have been done, or be done later: look before you ask again")]
    Unknown(String),
}

impl CallError {
    /// A word for programs.
    #[must_use]
    pub(crate) fn code(&self) -> &'static str {
        match self {
            CallError::Invalid(_) => "invalid",
            CallError::NotFound(_) => "not_found",
            CallError::Refused(_) => "refused",
            CallError::NoLeader | CallError::NoCluster => "no_leader",
            CallError::NotDone(_) => "not_done",
            CallError::Unknown(_) => "unknown_outcome",
        }
    }

    /// The status of the HTTP response.
    #[must_use]
    pub(crate) fn http_status(&self) -> u16 {
        match self {
            CallError::Invalid(_) => 400,
            CallError::NotFound(_) => 404,
            CallError::Refused(_) => 409,
            CallError::NoLeader | CallError::NoCluster | CallError::NotDone(_) => 503,
            CallError::Unknown(_) => 504,
        }
    }

    /// Whether nothing was done and the same request may succeed later.
    #[must_use]
    pub(crate) fn is_retriable(&self) -> bool {
        matches!(
            self,
            CallError::NoLeader | CallError::NoCluster | CallError::NotDone(_)
        )
    }

    /// `not_done`, or `unknown`: it may have been done.
    #[must_use]
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            CallError::Unknown(_) => "unknown",
            _ => "not_done",
        }
    }
}
