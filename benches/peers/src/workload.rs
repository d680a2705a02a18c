//! What is measured, and how much of it.

use serde::{Deserialize, Serialize};

use crate::record::Form;

/// One row of the comparison.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// One caller, every append durable before it returns.
    #[value(name = "append-1")]
    #[serde(rename = "append-1")]
    Append1,
    /// The same with 8 callers.
    #[value(name = "append-8")]
    #[serde(rename = "append-8")]
    Append8,
    /// The same with 64 callers.
    #[value(name = "append-64")]
    #[serde(rename = "append-64")]
    Append64,
    /// One caller, 64 records made durable by one call.
    #[value(name = "batch-64")]
    #[serde(rename = "batch-64")]
    Batch64,
    /// The same with 1,000 records.
    #[value(name = "batch-1000")]
    #[serde(rename = "batch-1000")]
    Batch1000,
    /// One caller, no append waits for the disk, one sync at the end.
    Unsynced,
    /// Opening a log and reading all of it.
    Replay,
    /// Opening a log and checking all of it.
    Validate,
    /// Finding the last record of a large log that is opened for reading.
    OpenRead,
    /// Opening a large log for writing.
    OpenWrite,
    /// Opening a job queue: a snapshot, and as many events after it.
    Recover,
    /// 64 callers give commands to one job queue, each durable before it returns.
    #[value(name = "controller-64")]
    #[serde(rename = "controller-64")]
    Controller64,
}

impl Workload {
    pub const ALL: [Workload; 12] = [
        Workload::Append1,
        Workload::Append8,
        Workload::Append64,
        Workload::Batch64,
        Workload::Batch1000,
        Workload::Unsynced,
        Workload::Replay,
        Workload::Validate,
        Workload::OpenRead,
        Workload::OpenWrite,
        Workload::Recover,
        Workload::Controller64,
    ];

    /// The name on the command line.
    pub fn name(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self).expect("none is skipped");
        value.get_name().to_owned()
    }

    /// A heading for its table.
    pub fn title(self) -> &'static str {
        match self {
            Workload::Append1 => "Durable append, 1 thread",
            Workload::Append8 => "Durable append, 8 threads",
            Workload::Append64 => "Durable append, 64 threads",
            Workload::Batch64 => "Durable batches of 64, 1 thread",
            Workload::Batch1000 => "Durable batches of 1,000, 1 thread",
            Workload::Unsynced => "Append without sync, then one sync",
            Workload::Replay => "Open and replay",
            Workload::Validate => "Validate",
            Workload::OpenRead => "Find the last record of a large log",
            Workload::OpenWrite => "Open a large log for writing",
            Workload::Recover => "Recover a job queue",
            Workload::Controller64 => "Job queue commands, 64 callers",
        }
    }

    /// How many threads call.
    pub fn callers(self) -> usize {
        match self {
            Workload::Append8 => 8,
            Workload::Append64 | Workload::Controller64 => 64,
            _ => 1,
        }
    }

    /// How many records one call carries.
    pub fn batch(self) -> usize {
        match self {
            Workload::Batch64 => 64,
            Workload::Batch1000 => 1000,
            _ => 1,
        }
    }

    /// Whether it reads a log that was filled before, by another process.
    pub fn reads(self) -> bool {
        matches!(
            self,
            Workload::Replay
                | Workload::Validate
                | Workload::OpenRead
                | Workload::OpenWrite
                | Workload::Recover
        )
    }

    /// Whether it is the time for the whole that counts, not the records in a second.
    pub fn is_one_act(self) -> bool {
        matches!(
            self,
            Workload::OpenRead | Workload::OpenWrite | Workload::Recover
        )
    }

    /// Whether what it does must be durable.
    pub fn is_durable(self) -> bool {
        !self.reads() && self != Workload::Unsynced
    }

    /// The size of its records.
    pub fn form(self) -> Form {
        match self {
            Workload::OpenRead | Workload::OpenWrite => Form::Long,
            _ => Form::Short,
        }
    }

    /// How many records it writes or finds; `quick` for a smoke run.
    pub fn records(self, quick: bool) -> u64 {
        let (full, smoke) = match self {
            Workload::Append1 => (3_000, 200),
            Workload::Append8 => (8 * 1_500, 8 * 50),
            Workload::Append64 | Workload::Controller64 => (64 * 1_000, 64 * 20),
            Workload::Batch64 => (64 * 1_000, 64 * 20),
            Workload::Batch1000 => (1_000 * 300, 1_000 * 5),
            Workload::Unsynced => (2_000_000, 20_000),
            Workload::Replay | Workload::Validate => (2_000_000, 20_000),
            Workload::OpenRead | Workload::OpenWrite => (1 << 20, 1 << 12),
            Workload::Recover => (1_000_000, 5_000),
        };
        if quick { smoke } else { full }
    }
}
