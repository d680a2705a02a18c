//! SQLite in WAL mode with `synchronous=FULL`: what a user would pick otherwise.

use std::path::Path;
use std::sync::Mutex;

use anyhow::Result;
use rusqlite::{Connection, params};

use crate::contestant::{Contestant, Plan};
use crate::record::{self, Form, Tally};

const INSERT: &str = "INSERT INTO log (seq, body) VALUES (?1, ?2)";

pub struct Sqlite(Mutex<Connection>);

fn open(directory: &Path, synchronous: &str) -> Result<Connection> {
    let connection = Connection::open(directory.join("log.sqlite"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    )?;
    Ok(connection)
}

impl Sqlite {
    fn insert(&self, (number, bytes): (u64, Vec<u8>)) -> Result<()> {
        let connection = self.0.lock().expect("no thread panicked");
        let mut insert = connection.prepare_cached(INSERT)?;
        insert.execute(params![number as i64, bytes])?;
        Ok(())
    }
}

impl Contestant for Sqlite {
    type Input = (u64, Vec<u8>);

    fn input(number: u64, form: Form) -> Self::Input {
        (number, record::bytes(number, form))
    }

    fn create(directory: &Path, plan: Plan) -> Result<Self> {
        let synchronous = if plan.unsynced { "OFF" } else { "FULL" };
        open(directory, synchronous).map(|connection| Sqlite(Mutex::new(connection)))
    }

    fn append(&self, _caller: usize, input: Self::Input) -> Result<()> {
        self.insert(input)
    }

    fn append_batch(&self, batch: Vec<Self::Input>) -> Result<()> {
        let mut connection = self.0.lock().expect("no thread panicked");
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            for (number, bytes) in batch {
                insert.execute(params![number as i64, bytes])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn append_unsynced(&self, input: Self::Input) -> Result<()> {
        self.insert(input)
    }

    fn sync(&self) -> Result<()> {
        let connection = self.0.lock().expect("no thread panicked");
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(()))?;
        Ok(())
    }

    fn replay(directory: &Path, tally: &mut Tally) -> Result<()> {
        let connection = open(directory, "FULL")?;
        let mut select = connection.prepare("SELECT body FROM log ORDER BY seq")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            tally.add_bytes(row.get_ref(0)?.as_blob()?);
        }
        Ok(())
    }

    fn find_last(directory: &Path) -> Result<Option<u64>> {
        let connection = open(directory, "FULL")?;
        let last = connection.query_row("SELECT MAX(seq) FROM log", [], |row| {
            row.get::<_, Option<i64>>(0)
        })?;
        Ok(last.map(|last| last as u64 + 1))
    }
}
