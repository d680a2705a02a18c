//! `okaywal`: entries of chunks in one large segment, never checkpointed (that would discard them).

use std::path::Path;
use std::sync::{Arc, Mutex};

use ::okaywal::{Configuration, Entry, EntryId, LogManager, SegmentReader, WriteAheadLog};
use anyhow::Result;

use crate::contestant::{Contestant, Plan};
use crate::record::{self, Form, Tally};

pub struct OkayWal(WriteAheadLog);

/// Counts what is recovered.
#[derive(Debug, Default)]
struct Counting(Arc<Mutex<Vec<u64>>>);

impl LogManager for Counting {
    fn recover(&mut self, entry: &mut Entry<'_>) -> std::io::Result<()> {
        let mut seen = self.0.lock().expect("no thread panicked");
        for chunk in entry.read_all_chunks()?.unwrap_or_default() {
            let mut tally = Tally::default();
            tally.add_bytes(&chunk);
            seen.push(tally.only());
        }
        Ok(())
    }

    fn checkpoint_to(
        &mut self,
        _last: EntryId,
        _entries: &mut SegmentReader,
        _wal: &WriteAheadLog,
    ) -> std::io::Result<()> {
        Ok(())
    }
}

fn configuration(directory: &Path, bytes: u64) -> Configuration {
    Configuration::default_for(directory)
        .preallocate_bytes(u32::try_from(bytes).unwrap_or(u32::MAX))
        .checkpoint_after_bytes(u64::MAX / 2)
}

impl Contestant for OkayWal {
    type Input = Vec<u8>;

    fn input(number: u64, form: Form) -> Vec<u8> {
        record::bytes(number, form)
    }

    fn create(directory: &Path, plan: Plan) -> Result<Self> {
        let log = configuration(directory, plan.bytes()).open(Counting::default())?;
        Ok(OkayWal(log))
    }

    fn append(&self, _caller: usize, bytes: Vec<u8>) -> Result<()> {
        self.append_batch(vec![bytes])
    }

    fn append_batch(&self, batch: Vec<Vec<u8>>) -> Result<()> {
        let mut entry = self.0.begin_entry()?;
        for bytes in &batch {
            entry.write_chunk(bytes)?;
        }
        entry.commit()?;
        Ok(())
    }

    fn close(self) -> Result<()> {
        self.0.shutdown()?;
        Ok(())
    }

    fn replay(directory: &Path, tally: &mut Tally) -> Result<()> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let counting = Counting(Arc::clone(&seen));
        configuration(directory, 1 << 20)
            .open(counting)?
            .shutdown()?;
        for number in &*seen.lock().expect("no thread panicked") {
            tally.add(*number);
        }
        Ok(())
    }
}
