//! Who takes part in what.

use std::path::Path;

use anyhow::Result;

use crate::contestant::Contestant;
use crate::contestants::{
    Beaver, BeaverQueue, CommitLog, Fjall, LineScan, OkayWal, PlainRead, RaftEngine, Raw,
    SerdeBorrowed, Sqlite, WalDb, WriteAhead,
};
use crate::drive::{measure, measure_shared, plan};
use crate::sample::Sample;
use crate::workload::Workload;
use crate::workload::Workload::{
    Append1, Append8, Append64, Batch64, Batch1000, Controller64, OpenRead, OpenWrite, Recover,
    Replay, Unsynced, Validate,
};

/// One that takes part.
pub struct Entry {
    pub name: &'static str,
    /// Its version; nothing for what is part of this repository or no log at all.
    pub version: &'static str,
    /// Whether an append of it is durable when it returns.
    pub durable: bool,
    pub workloads: &'static [Workload],
    measure: fn(&str, Workload, u64, &Path) -> Result<Sample>,
    fill: fn(Workload, u64, &Path) -> Result<()>,
}

impl Entry {
    /// Fills `directory` with a log for a workload that reads.
    pub fn fill(&self, workload: Workload, records: u64, directory: &Path) -> Result<()> {
        (self.fill)(workload, records, directory)
    }

    /// Measures in this process.
    pub fn measure(&self, workload: Workload, records: u64, directory: &Path) -> Result<Sample> {
        (self.measure)(self.name, workload, records, directory)
    }

    /// The one of that name.
    pub fn find(name: &str) -> Option<&'static Entry> {
        ROSTER.iter().find(|entry| entry.name == name)
    }

    /// Those who take part in `workload`.
    pub fn of(workload: Workload) -> Vec<&'static Entry> {
        let all = ROSTER.iter();
        all.filter(|entry| entry.workloads.contains(&workload))
            .collect()
    }
}

/// The one that `workload` is compared with: the limit of the machine, or of a plain reader.
pub fn baseline(workload: Workload) -> &'static str {
    match workload {
        Append1 | OpenRead | OpenWrite => "raw",
        Append8 | Append64 | Batch64 | Batch1000 => "raw-shared",
        Unsynced => "raw",
        Replay => "serde-json",
        Validate => "line-scan-crc",
        Recover => "serde-json-files",
        Controller64 => "beaver-log",
    }
}

const fn entry<C: Contestant>(
    name: &'static str,
    version: &'static str,
    durable: bool,
    workloads: &'static [Workload],
) -> Entry {
    Entry {
        name,
        version,
        durable,
        workloads,
        measure: measure::<C>,
        fill: |workload, records, directory| C::fill(directory, plan(workload, records)),
    }
}

/// All contestants, in the order of the first round.
pub static ROSTER: &[Entry] = &[
    entry::<Raw<b'\n'>>(
        "raw",
        "",
        true,
        &[
            Append1, Append8, Append64, Unsynced, Replay, OpenRead, OpenWrite,
        ],
    ),
    Entry {
        measure: measure_shared::<Raw<b'\n'>>,
        ..entry::<Raw<b'\n'>>(
            "raw-shared",
            "",
            true,
            &[Append8, Append64, Batch64, Batch1000],
        )
    },
    entry::<Raw<0>>("raw-zeros", "", true, &[Append1]),
    Entry {
        measure: measure_shared::<Raw<0>>,
        ..entry::<Raw<0>>("raw-shared-zeros", "", true, &[Batch64, Batch1000])
    },
    entry::<Beaver<false>>(
        "beaver",
        "",
        true,
        &[
            Append1, Append8, Append64, Batch64, Batch1000, Unsynced, Replay, Validate, OpenRead,
            OpenWrite,
        ],
    ),
    entry::<Beaver<true>>("beaver-filled", "", true, &[Append1, Batch64, Batch1000]),
    entry::<Beaver<false>>("beaver-log", "", true, &[Controller64]),
    entry::<BeaverQueue>("beaver-queue", "", true, &[Recover, Controller64]),
    entry::<WriteAhead>(
        "writeahead",
        "0.4.1",
        true,
        &[
            Append1, Append8, Append64, Batch64, Batch1000, Replay, OpenRead, OpenWrite,
        ],
    ),
    entry::<RaftEngine>(
        "raft-engine",
        "0.4.2",
        true,
        &[
            Append1, Append8, Append64, Batch64, Batch1000, Unsynced, Replay, OpenRead,
        ],
    ),
    entry::<OkayWal>(
        "okaywal",
        "0.3.1",
        true,
        &[Append1, Append8, Append64, Batch64, Batch1000, Replay],
    ),
    entry::<WalDb>(
        "wal-db",
        "1.1.0",
        true,
        &[
            Append1, Append8, Append64, Batch64, Batch1000, Unsynced, Replay, OpenRead,
        ],
    ),
    entry::<Fjall>(
        "fjall",
        "3.1.13",
        true,
        &[
            Append1, Append8, Append64, Batch64, Batch1000, Unsynced, Replay, OpenRead,
        ],
    ),
    entry::<Sqlite>(
        "sqlite",
        "rusqlite 0.41.1",
        true,
        &[
            Append1, Append8, Append64, Batch64, Batch1000, Unsynced, Replay, OpenRead,
        ],
    ),
    entry::<CommitLog>("commitlog", "0.2.0", false, &[Replay, OpenRead]),
    entry::<LineScan<false>>("line-scan", "", false, &[Replay, Validate]),
    entry::<LineScan<true>>("line-scan-crc", "", false, &[Replay, Validate]),
    entry::<SerdeBorrowed<false>>("serde-json", "", false, &[Replay]),
    entry::<SerdeBorrowed<true>>("serde-json-str", "", false, &[Replay]),
    entry::<PlainRead>("serde-json-files", "", false, &[Recover]),
];
