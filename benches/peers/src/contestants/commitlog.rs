//! `commitlog`: never syncs (its `flush` ends in `File::flush`, which does nothing), so it only
//! takes part where something is read.

use std::path::Path;
use std::sync::Mutex;

use ::commitlog::message::MessageSet;
use ::commitlog::{LogOptions, ReadLimit};
use anyhow::{Result, anyhow};

use crate::contestant::{Contestant, Plan};
use crate::record::{self, Form, Tally};

/// How many bytes one read asks for.
const READ: usize = 1 << 20;

pub struct CommitLog(Mutex<::commitlog::CommitLog>);

fn open(directory: &Path) -> Result<::commitlog::CommitLog> {
    Ok(::commitlog::CommitLog::new(LogOptions::new(directory))?)
}

impl Contestant for CommitLog {
    type Input = Vec<u8>;

    fn input(number: u64, form: Form) -> Vec<u8> {
        record::bytes(number, form)
    }

    fn create(directory: &Path, _plan: Plan) -> Result<Self> {
        open(directory).map(|log| CommitLog(Mutex::new(log)))
    }

    fn append_batch(&self, batch: Vec<Vec<u8>>) -> Result<()> {
        let mut log = self.0.lock().expect("no thread panicked");
        for bytes in &batch {
            log.append_msg(bytes)
                .map_err(|error| anyhow!("append: {error:?}"))?;
        }
        Ok(())
    }

    fn close(self) -> Result<()> {
        self.0.into_inner().expect("no thread panicked").flush()?;
        Ok(())
    }

    fn replay(directory: &Path, tally: &mut Tally) -> Result<()> {
        let log = open(directory)?;
        let mut next = 0;
        while next < log.next_offset() {
            let read = log.read(next, ReadLimit::max_bytes(READ));
            let messages = read.map_err(|error| anyhow!("read: {error}"))?;
            for message in messages.iter() {
                if !message.verify_hash() {
                    return Err(anyhow!("a wrong hash at {next}"));
                }
                tally.add_bytes(message.payload());
                next = message.offset() + 1;
            }
        }
        Ok(())
    }

    fn find_last(directory: &Path) -> Result<Option<u64>> {
        Ok(open(directory)?.last_offset().map(|offset| offset + 1))
    }
}
