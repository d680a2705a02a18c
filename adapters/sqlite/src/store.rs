//! SQLite as a [`Subject`]: one table of values under keys.

use adapter_claims::{Entries, Transaction, Value};
use beaver_sim::subject::{Answer, Durability, ErrorClass, Failure, Machine, Promises, Subject};
use rusqlite::{Connection, OpenFlags};

use crate::file::{Device, Disk};
use crate::vfs::Vfs;

/// How a database is set up, and what its documentation promises of that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mode {
    /// `PRAGMA journal_mode`.
    pub journal: &'static str,
    /// `PRAGMA synchronous`.
    pub synchronous: &'static str,
    /// What the device is said to do.
    pub device: Device,
    /// How durable a transaction is when its commit returns.
    pub durability: Durability,
}

/// SQLite, set up like this.
#[derive(Debug)]
pub struct Sqlite(pub Mode);

/// A database that is open. The connection goes before its VFS.
pub struct Database {
    connection: Connection,
    /// As it was read last.
    entries: Entries,
    _vfs: Vfs,
}

/// Values that take a page and a half.
const LARGE: usize = 6000;

impl Mode {
    /// A database on a disk that promises no more than `os_unix.c` says. Its commits are durable when they return.
    #[must_use]
    pub const fn new(journal: &'static str, synchronous: &'static str) -> Self {
        Mode {
            journal,
            synchronous,
            device: Device::UNIX,
            durability: Durability::Durable,
        }
    }
}

fn failure(error: rusqlite::Error) -> Failure {
    Failure::new(ErrorClass::InDoubt, error.to_string())
}

fn read(database: &Connection) -> rusqlite::Result<Entries> {
    let mut select = database.prepare_cached("SELECT k, v FROM t")?;
    let rows = select.query_map((), |row| {
        let key: i64 = row.get(0)?;
        Ok((key.cast_unsigned(), Value::of(row.get_ref(1)?.as_blob()?)))
    })?;
    rows.collect()
}

fn commit(database: &mut Connection, transaction: &Transaction) -> rusqlite::Result<()> {
    let begun = database.transaction()?;
    for (key, value) in &transaction.0 {
        let key = key.cast_signed();
        match value {
            Some(value) => {
                let mut put = begun.prepare_cached("REPLACE INTO t VALUES (?, ?)")?;
                put.execute((key, value.bytes()))?
            }
            None => begun
                .prepare_cached("DELETE FROM t WHERE k = ?")?
                .execute([key])?,
        };
    }
    begun.commit()
}

impl Sqlite {
    fn connect(&self, vfs: &Vfs) -> rusqlite::Result<Connection> {
        let Mode {
            journal,
            synchronous,
            ..
        } = self.0;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let database = Connection::open_with_flags_and_vfs("db", flags, vfs.name())?;
        if journal == "wal" {
            // So that its index is in memory. With a journal it would mean another mode: the journal is not deleted.
            database.pragma_update(None, "locking_mode", "exclusive")?;
        }
        database.execute_batch("PRAGMA temp_store = MEMORY")?;
        // To the end: the answer comes before the change is committed, and the error after it.
        let mut set = database.prepare(&format!("PRAGMA journal_mode = {journal}"))?;
        let answers: Vec<String> = set
            .query_map((), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        drop(set);
        if answers != [journal] {
            return Err(rusqlite::Error::InvalidQuery);
        }
        database.pragma_update(None, "synchronous", synchronous)?;
        database.execute_batch("CREATE TABLE IF NOT EXISTS t (k INTEGER PRIMARY KEY, v BLOB)")?;
        Ok(database)
    }
}

impl Subject for Sqlite {
    type Op = Transaction;
    type State = Entries;
    type Store = Database;

    /// A commit that did not return may be seen after a crash and be gone after the next one: a recovery believes the journal
    /// that it finds, and does not sync it first.
    const PROMISES: Promises = Promises {
        decided: false,
        ..Promises::ALL
    };

    fn name(&self) -> String {
        let Mode {
            journal,
            synchronous,
            ..
        } = self.0;
        format!("SQLite {journal} {synchronous}")
    }

    fn apply(state: &mut Entries, op: &Transaction) {
        op.apply(state);
    }

    fn ops(&self, state: &Entries) -> Vec<Transaction> {
        Transaction::worth_trying(state, LARGE)
    }

    fn open(&self, machine: &Machine) -> Result<Database, Failure> {
        let vfs = Vfs::register(Disk::new(machine.storage.clone(), self.0.device));
        let connection = self.connect(&vfs).map_err(failure)?;
        Ok(Database {
            entries: read(&connection).map_err(failure)?,
            connection,
            _vfs: vfs,
        })
    }

    fn run(&self, database: &mut Database, op: &Transaction) -> Result<Answer, Failure> {
        commit(&mut database.connection, op).map_err(failure)?;
        database.entries = read(&database.connection).map_err(failure)?;
        Ok(self.0.durability.into())
    }

    fn state(&self, database: &mut Database) -> Result<Entries, Failure> {
        Ok(database.entries.clone())
    }

    fn checkpoint(&self, database: &mut Database) -> Result<(), Failure> {
        let sql = match self.0.journal {
            "wal" => "PRAGMA wal_checkpoint(TRUNCATE)",
            _ => "VACUUM",
        };
        database.connection.execute_batch(sql).map_err(failure)
    }

    /// Closing a database copies its log into it too, but tells nobody whether that worked.
    fn close(&self, mut database: Database) -> Result<(), Failure> {
        match self.0.journal {
            "wal" => self.checkpoint(&mut database),
            _ => Ok(()),
        }
    }
}
