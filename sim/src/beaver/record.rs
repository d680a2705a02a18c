//! What happened to one job: one entry of the history that a client could write down.

use std::fmt;

/// What happened to one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The job.
    pub id: String,
    /// When, in milliseconds.
    pub at_ms: u64,
    /// What.
    pub what: What,
}

/// What happened. A report names the attempt that it is about; 0 stands for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It was enqueued, with this payload and these limits.
    Enqueued {
        /// JSON text, byte for byte.
        payload: String,
        /// How often it may be tried.
        max_attempts: u32,
        /// How long an attempt may take, in milliseconds.
        timeout_ms: u64,
        /// How long it waits after a first attempt that failed, and at most, in milliseconds.
        backoff_ms: [u64; 2],
    },
    /// It was handed out.
    Dispatched,
    /// Its attempt has its whole time again.
    HeldOn {
        /// Which attempt.
        attempt: u32,
    },
    /// It is done.
    Acked {
        /// By which attempt.
        attempt: u32,
    },
    /// It failed and waits again.
    Retried {
        /// Which attempt.
        attempt: u32,
        /// How long it is not handed out, in milliseconds.
        delay_ms: u64,
    },
    /// It took too long and waits again.
    TimedOut {
        /// Which attempt.
        attempt: u32,
        /// How long it is not handed out, in milliseconds.
        delay_ms: u64,
    },
    /// Its delay is over.
    Readied,
    /// It is given up.
    Buried {
        /// The attempt that was the last.
        attempt: u32,
    },
    /// It was given up and waits again.
    Revived,
    /// It was given up and is removed.
    Dropped,
}

impl What {
    /// The name of the event in the log.
    #[must_use]
    pub const fn event_name(&self) -> &'static str {
        match self {
            What::Enqueued { .. } => "ENQUEUE",
            What::Dispatched => "DISPATCH",
            What::HeldOn { .. } => "HEARTBEAT",
            What::Acked { .. } => "ACK",
            What::Retried { .. } => "RETRY",
            What::TimedOut { .. } => "TIMEOUT",
            What::Readied => "READY",
            What::Buried { .. } => "DEAD",
            What::Revived => "REVIVE",
            What::Dropped => "DROP",
        }
    }

    /// The attempt that it names.
    #[must_use]
    pub const fn attempt(&self) -> Option<u32> {
        match self {
            What::HeldOn { attempt }
            | What::Acked { attempt }
            | What::Retried { attempt, .. }
            | What::TimedOut { attempt, .. }
            | What::Buried { attempt } => Some(*attempt),
            _ => None,
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let What::Enqueued { payload, .. } = &self.what {
            return write!(f, "enqueue {} {payload}", self.id);
        }
        let name = self.what.event_name().to_ascii_lowercase();
        write!(f, "{name} {}", self.id)?;
        if let Some(attempt) = self.what.attempt() {
            write!(f, ", attempt {attempt},")?;
        }
        write!(f, " at {}", self.at_ms)
    }
}
