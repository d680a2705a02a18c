//! `fjall`: a tree of sorted tables; its journal is the log that is measured.

use std::path::Path;

use ::fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use anyhow::Result;

use crate::contestant::{Contestant, Plan};
use crate::record::{self, Form, Tally};

pub struct Fjall {
    database: Database,
    records: Keyspace,
}

fn open(directory: &Path) -> Result<Fjall> {
    let database = Database::builder(directory).open()?;
    let records = database.keyspace("records", KeyspaceCreateOptions::default)?;
    Ok(Fjall { database, records })
}

impl Contestant for Fjall {
    type Input = (u64, Vec<u8>);

    fn input(number: u64, form: Form) -> Self::Input {
        (number, record::bytes(number, form))
    }

    fn create(directory: &Path, _plan: Plan) -> Result<Self> {
        open(directory)
    }

    fn append(&self, _caller: usize, (number, bytes): Self::Input) -> Result<()> {
        self.records.insert(number.to_be_bytes(), bytes)?;
        self.sync()
    }

    fn append_batch(&self, batch: Vec<Self::Input>) -> Result<()> {
        let mut writes = self.database.batch().durability(Some(PersistMode::SyncAll));
        for (number, bytes) in batch {
            writes.insert(&self.records, number.to_be_bytes(), bytes);
        }
        writes.commit()?;
        Ok(())
    }

    fn append_unsynced(&self, (number, bytes): Self::Input) -> Result<()> {
        self.records.insert(number.to_be_bytes(), bytes)?;
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.database.persist(PersistMode::SyncAll)?;
        Ok(())
    }

    fn replay(directory: &Path, tally: &mut Tally) -> Result<()> {
        for entry in open(directory)?.records.iter() {
            tally.add_bytes(&entry.value()?);
        }
        Ok(())
    }

    fn find_last(directory: &Path) -> Result<Option<u64>> {
        let last = open(directory)?.records.last_key_value();
        let key = last.map(::fjall::Guard::key).transpose()?;
        let number = key.and_then(|key| key.first_chunk::<8>().copied());
        Ok(number.map(|number| u64::from_be_bytes(number) + 1))
    }
}
