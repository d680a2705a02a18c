//! wal-db under the crash checker: its own sources on `beaver-fs`.

use beaver_fs::Mounted;
use beaver_sim::subject::{Answer, Durability, ErrorClass, Failure, Machine, Promises, Subject};

include!(concat!(env!("OUT_DIR"), "/engine.rs"));

use engine::{Lsn, SegmentedStore, Wal, WalError};

/// How long a record is: a few of them fill a segment.
const RECORD: usize = 40;

/// What a segment holds; a record may lie in two.
const SEGMENT: u64 = 100;

/// A segmented log in which the last record counts: each op is one, a byte that is repeated. A checkpoint drops those before
/// the last.
#[derive(Debug)]
pub struct LastRecord;

/// A log that is open. It goes before its disk.
#[derive(Debug)]
pub struct Open {
    log: Wal<SegmentedStore>,
    last: Option<(Lsn, u8)>,
    _disk: Mounted,
}

fn failure(error: WalError) -> Failure {
    Failure::new(ErrorClass::InDoubt, error.to_string())
}

/// The last record, and where it is; one that is not whole is 0.
fn last(log: &Wal<SegmentedStore>) -> Result<Option<(Lsn, u8)>, WalError> {
    let Some(record) = log.iter()?.last().transpose()? else {
        return Ok(None);
    };
    let first = record.data().first().copied().unwrap_or(0);
    let is_whole = record.data() == [first; RECORD];
    Ok(Some((record.lsn(), if is_whole { first } else { 0 })))
}

impl Subject for LastRecord {
    type Op = u8;
    type State = Option<u8>;
    type Store = Open;

    /// `append` says that a record may be lost until `sync` returns, also one that was read in between.
    const PROMISES: Promises = Promises {
        decided: false,
        ..Promises::ALL
    };

    fn apply(state: &mut Option<u8>, op: &u8) {
        *state = Some(*op);
    }

    fn ops(&self, state: &Option<u8>) -> Vec<u8> {
        vec![state.unwrap_or(0) % u8::MAX + 1]
    }

    fn open(&self, machine: &Machine) -> Result<Open, Failure> {
        let disk = beaver_fs::mount_numbered("wal-db", machine.storage.clone())?;
        // The root of the disk: that it is there needs no sync.
        let log = Wal::open_segmented(disk.path(), SEGMENT).map_err(failure)?;
        let last = last(&log).map_err(failure)?;
        Ok(Open {
            log,
            last,
            _disk: disk,
        })
    }

    fn run(&self, open: &mut Open, op: &u8) -> Result<Answer, Failure> {
        let _place = open.log.append_and_sync(&[*op; RECORD]).map_err(failure)?;
        open.last = last(&open.log).map_err(failure)?;
        Ok(Durability::Durable.into())
    }

    fn state(&self, open: &mut Open) -> Result<Option<u8>, Failure> {
        Ok(open.last.map(|(_, byte)| byte))
    }

    fn checkpoint(&self, open: &mut Open) -> Result<(), Failure> {
        if let Some((lsn, _)) = open.last {
            let _head = open.log.truncate_before(lsn).map_err(failure)?;
        }
        Ok(())
    }
}
