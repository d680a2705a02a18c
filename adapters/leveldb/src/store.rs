//! rusty-leveldb as a [`Subject`].

use std::fmt;
use std::rc::Rc;

use adapter_claims::{Entries, Transaction, Value};
use beaver_sim::subject::{Answer, Durability, ErrorClass, Failure, Machine, Promises, Subject};
use rusty_leveldb::{DB, LdbIterator as _, Options, Status, StatusCode, WriteBatch};

use crate::disk::{Disk, Flush};

/// Large values: three of them fill the memory table.
const LARGE: usize = 300;

/// rusty-leveldb; each op is a batch that is written with `sync`.
#[derive(Debug)]
pub struct Leveldb {
    /// What `flush` of a file does.
    pub flush: Flush,
}

/// A database that is open.
pub struct Open {
    database: DB,
    /// As they were read last.
    entries: Entries,
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Open").field(&self.entries).finish()
    }
}

fn failure(status: Status) -> Failure {
    Failure::new(ErrorClass::InDoubt, status.to_string())
}

fn read(database: &mut DB) -> Result<Entries, Status> {
    let mut entries = Entries::new();
    let mut iterator = database.new_iter()?;
    while let Some((key, value)) = iterator.next() {
        let key = <[u8; 8]>::try_from(&key[..]);
        let key =
            key.map_err(|_| Status::new(StatusCode::Corruption, "a key of another length"))?;
        entries.insert(u64::from_be_bytes(key), Value::of(&value));
    }
    Ok(entries)
}

impl Subject for Leveldb {
    type Op = Transaction;
    type State = Entries;
    type Store = Open;

    /// A write that did not return may be shown after a crash and be gone after the next one: nothing is said of that.
    const PROMISES: Promises = Promises {
        decided: false,
        ..Promises::ALL
    };

    fn apply(state: &mut Entries, op: &Transaction) {
        op.apply(state);
    }

    fn ops(&self, state: &Entries) -> Vec<Transaction> {
        Transaction::worth_trying(state, LARGE)
    }

    fn open(&self, machine: &Machine) -> Result<Open, Failure> {
        let disk = Disk {
            storage: machine.storage.clone(),
            flush: self.flush,
        };
        let options = Options {
            env: Rc::new(Box::new(disk)),
            write_buffer_size: 1000,
            block_cache_capacity_bytes: 1 << 16,
            ..Options::default()
        };
        let mut database = DB::open("db", options).map_err(failure)?;
        let entries = read(&mut database).map_err(failure)?;
        Ok(Open { database, entries })
    }

    fn run(&self, open: &mut Open, op: &Transaction) -> Result<Answer, Failure> {
        let mut batch = WriteBatch::default();
        for (key, value) in &op.0 {
            match value {
                Some(value) => batch.put(&key.to_be_bytes(), &value.bytes()),
                None => batch.delete(&key.to_be_bytes()),
            }
        }
        open.database.write(batch, true).map_err(failure)?;
        open.entries = read(&mut open.database).map_err(failure)?;
        Ok(Durability::Durable.into())
    }

    fn state(&self, open: &mut Open) -> Result<Entries, Failure> {
        Ok(open.entries.clone())
    }

    fn checkpoint(&self, open: &mut Open) -> Result<(), Failure> {
        let (first, last) = (u64::MIN.to_be_bytes(), u64::MAX.to_be_bytes());
        open.database.compact_range(&first, &last).map_err(failure)
    }
}
