//! redb under the crash checker, through its `StorageBackend`.

use std::io::{self, ErrorKind};

use adapter_claims::{Entries, Transaction, Value};
use beaver_sim::subject::{Answer, Durability, ErrorClass, Failure, Machine, Promises, Subject};
use beaver_storage::{Access, StorageFile, write_all};
use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, StorageBackend, TableDefinition,
    TableError,
};

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("t");

/// Values that take more than a page.
const LARGE: usize = 6000;

/// The one file of a database.
#[derive(Debug)]
struct Backend(Box<dyn StorageFile>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while done < out.len() {
            match self.0.read_at(&mut out[done..], offset + done as u64) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => done += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        write_all(&*self.0, data, offset)
    }
}

/// How commits are made durable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Commit {
    /// One sync, and checksums: what redb does unless it is told otherwise.
    OnePhase,
    /// `set_two_phase_commit`: two syncs.
    TwoPhase,
}

/// redb with such commits.
#[derive(Debug)]
pub struct Redb {
    /// Of every transaction.
    pub commit: Commit,
}

/// A database that is open.
#[derive(Debug)]
pub struct Open {
    database: Database,
    /// As they were read last.
    entries: Entries,
}

fn failure(error: impl Into<redb::Error>) -> Failure {
    Failure::new(ErrorClass::InDoubt, error.into().to_string())
}

fn read(database: &Database) -> Result<Entries, redb::Error> {
    let begun = database.begin_read()?;
    let table = match begun.open_table(TABLE) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(Entries::new()),
        table => table?,
    };
    let entries = table.iter()?.map(|entry| {
        let (key, value) = entry?;
        Ok((key.value(), Value::of(value.value())))
    });
    entries.collect()
}

fn commit(database: &Database, how: Commit, op: &Transaction) -> Result<(), redb::Error> {
    let mut begun = database.begin_write()?;
    begun.set_two_phase_commit(how == Commit::TwoPhase);
    {
        let mut table = begun.open_table(TABLE)?;
        for (key, value) in &op.0 {
            match value {
                Some(value) => drop(table.insert(key, &value.bytes()[..])?),
                None => drop(table.remove(key)?),
            }
        }
    }
    Ok(begun.commit()?)
}

impl Subject for Redb {
    type Op = Transaction;
    type State = Entries;
    type Store = Open;

    /// A commit that did not return may be seen after a process was killed, and be gone after a power cut: redb does not say
    /// that what it shows is durable.
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
        let file = match machine.storage.open("db", Access::Write) {
            Err(error) if error.kind() == ErrorKind::NotFound => machine.storage.create("db"),
            opened => opened,
        }?;
        // redb knows one file, not its name.
        machine.storage.sync_dir()?;
        let mut builder = Database::builder();
        builder.set_cache_size(1 << 20);
        let database = builder
            .create_with_backend(Backend(file))
            .map_err(failure)?;
        let entries = read(&database).map_err(failure)?;
        Ok(Open { database, entries })
    }

    fn run(&self, open: &mut Open, op: &Transaction) -> Result<Answer, Failure> {
        commit(&open.database, self.commit, op).map_err(failure)?;
        open.entries = read(&open.database).map_err(failure)?;
        Ok(Durability::Durable.into())
    }

    fn state(&self, open: &mut Open) -> Result<Entries, Failure> {
        Ok(open.entries.clone())
    }

    fn checkpoint(&self, open: &mut Open) -> Result<(), Failure> {
        open.database.compact().map_err(failure)?;
        Ok(())
    }
}
