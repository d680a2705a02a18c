//! okaywal under the crash checker: its own sources on `beaver-fs`.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use beaver_fs::Mounted;
use beaver_sim::subject::{Answer, Durability, Failure, Machine, Promises, Subject};

include!(concat!(env!("OUT_DIR"), "/engine.rs"));

use engine::{Configuration, Entry, EntryId, LogManager, SegmentReader, WriteAheadLog};

/// How long an entry is.
const ENTRY: usize = 600;

/// A log of one segment: each op is an entry, a byte that is repeated. It is never so long that okaywal begins a checkpoint, so
/// that its thread has nothing to do.
#[derive(Debug)]
pub struct Log;

/// A log that is open. It goes before its disk.
#[derive(Debug)]
pub struct Open {
    log: WriteAheadLog,
    entries: Vec<u8>,
    _disk: Mounted,
}

/// What was recovered, as the example of okaywal reads it: each entry whole, or not at all.
#[derive(Clone, Debug, Default)]
struct Recovered(Arc<Mutex<Vec<u8>>>);

impl LogManager for Recovered {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        let Some(chunks) = entry.read_all_chunks()? else {
            return Ok(());
        };
        let bytes = chunks.concat();
        let first = bytes.first().copied().unwrap_or(0);
        let is_whole = bytes == [first; ENTRY];
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(if is_whole { first } else { 0 });
        Ok(())
    }

    fn checkpoint_to(
        &mut self,
        _: EntryId,
        _: &mut SegmentReader,
        _: &WriteAheadLog,
    ) -> io::Result<()> {
        Err(io::Error::other("the log is not so long"))
    }
}

impl Subject for Log {
    type Op = u8;
    type State = Vec<u8>;
    type Store = Open;

    /// An entry whose commit did not return may be shown after a crash and be gone after the next one: nothing is said of that.
    const PROMISES: Promises = Promises {
        decided: false,
        ..Promises::ALL
    };

    fn apply(state: &mut Vec<u8>, op: &u8) {
        state.push(*op);
    }

    fn ops(&self, state: &Vec<u8>) -> Vec<u8> {
        vec![state.last().copied().unwrap_or(0) % u8::MAX + 1]
    }

    fn open(&self, machine: &Machine) -> Result<Open, Failure> {
        let disk = beaver_fs::mount_numbered("okaywal", machine.storage.clone())?;
        let recovered = Recovered::default();
        let log = Configuration::default_for(disk.path())
            .preallocate_bytes(8192)
            .buffer_bytes(512)
            .open(recovered.clone())?;
        let entries = recovered.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Open {
            log,
            entries: entries.clone(),
            _disk: disk,
        })
    }

    fn run(&self, open: &mut Open, op: &u8) -> Result<Answer, Failure> {
        let mut entry = open.log.begin_entry()?;
        entry.write_chunk(&[*op; ENTRY])?;
        entry.commit()?;
        open.entries.push(*op);
        Ok(Durability::Durable.into())
    }

    fn state(&self, open: &mut Open) -> Result<Vec<u8>, Failure> {
        Ok(open.entries.clone())
    }
}
