//! `raft-engine`: groups of entries with ascending indexes; one group for each caller.
//!
//! `Engine::sync` does nothing in this version (it writes an empty batch, which returns early), so
//! only `write(batch, true)` is durable.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use ::raft_engine::{Config, Engine, LogBatch, MessageExt, ReadableSize};
use anyhow::Result;
use protobuf::well_known_types::BytesValue;

use crate::contestant::{Contestant, Plan};
use crate::record::{self, Form, Tally};

/// How many entries are fetched at once.
const FETCH: u64 = 1000;

pub struct RaftEngine {
    engine: Engine,
    /// The next index of each group.
    next: Vec<AtomicU64>,
}

/// The index stands before the record.
struct Indexed;

impl MessageExt for Indexed {
    type Entry = BytesValue;

    fn index(entry: &BytesValue) -> u64 {
        let index = entry.get_value().first_chunk::<8>();
        u64::from_le_bytes(*index.expect("an entry begins with its index"))
    }
}

fn open(directory: &Path) -> Result<Engine> {
    Ok(Engine::open(Config {
        dir: directory.display().to_string(),
        batch_compression_threshold: ReadableSize::kb(0),
        ..Config::default()
    })?)
}

impl RaftEngine {
    fn write(&self, caller: usize, records: Vec<Vec<u8>>, sync: bool) -> Result<()> {
        let first = self.next[caller].fetch_add(records.len() as u64, Ordering::Relaxed);
        let entries: Vec<BytesValue> = (first..)
            .zip(records)
            .map(|(index, record)| {
                let mut value = index.to_le_bytes().to_vec();
                value.extend_from_slice(&record);
                let mut entry = BytesValue::new();
                entry.set_value(value);
                entry
            })
            .collect();
        let mut batch = LogBatch::with_capacity(1);
        batch.add_entries::<Indexed>(caller as u64 + 1, &entries)?;
        self.engine.write(&mut batch, sync)?;
        Ok(())
    }
}

impl Contestant for RaftEngine {
    type Input = Vec<u8>;

    fn input(number: u64, form: Form) -> Vec<u8> {
        record::bytes(number, form)
    }

    fn create(directory: &Path, plan: Plan) -> Result<Self> {
        Ok(RaftEngine {
            engine: open(directory)?,
            next: (0..plan.callers).map(|_| AtomicU64::new(1)).collect(),
        })
    }

    fn append(&self, caller: usize, bytes: Vec<u8>) -> Result<()> {
        self.write(caller, vec![bytes], true)
    }

    fn append_batch(&self, batch: Vec<Vec<u8>>) -> Result<()> {
        self.write(0, batch, true)
    }

    fn append_unsynced(&self, bytes: Vec<u8>) -> Result<()> {
        self.write(0, vec![bytes], false)
    }

    /// A key beside the entries, because an empty batch would not sync.
    fn sync(&self) -> Result<()> {
        let mut batch = LogBatch::with_capacity(1);
        batch.put(1, b"end".to_vec(), b"1".to_vec())?;
        self.engine.write(&mut batch, true)?;
        Ok(())
    }

    fn replay(directory: &Path, tally: &mut Tally) -> Result<()> {
        let engine = open(directory)?;
        let mut entries: Vec<BytesValue> = Vec::new();
        for group in engine.raft_groups() {
            let Some(last) = engine.last_index(group) else {
                continue;
            };
            let mut begin = engine.first_index(group).unwrap_or(1);
            while begin <= last {
                let end = (last + 1).min(begin + FETCH);
                engine.fetch_entries_to::<Indexed>(group, begin, end, None, &mut entries)?;
                for entry in entries.drain(..) {
                    tally.add_bytes(&entry.get_value()[8..]);
                }
                begin = end;
            }
        }
        Ok(())
    }

    fn find_last(directory: &Path) -> Result<Option<u64>> {
        Ok(open(directory)?.last_index(1))
    }
}
