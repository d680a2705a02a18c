//! `writeahead`: asynchronous, one writer thread, two alternating commit slots.

use std::path::Path;

use ::writeahead::{SimpleFile, WriteAheadOptions, WriteHandle};
use anyhow::Result;
use futures::StreamExt;
use futures::executor::block_on;

use crate::contestant::{Contestant, Plan};
use crate::record::{self, Form, Tally};

type Log = ::writeahead::WriteAhead<SimpleFile>;

pub struct WriteAhead {
    handles: Vec<WriteHandle>,
    log: Log,
}

fn open(directory: &Path) -> Result<Log> {
    let mut log = Log::with_options(WriteAheadOptions {
        log_dir: directory.to_owned(),
        ..WriteAheadOptions::default()
    });
    log.start()?;
    Ok(log)
}

impl Contestant for WriteAhead {
    type Input = Vec<u8>;

    fn input(number: u64, form: Form) -> Vec<u8> {
        record::bytes(number, form)
    }

    fn create(directory: &Path, plan: Plan) -> Result<Self> {
        let log = open(directory)?;
        let handles = (0..plan.callers).map(|_| log.writer());
        Ok(WriteAhead {
            handles: handles.collect::<Result<_>>()?,
            log,
        })
    }

    fn append(&self, caller: usize, bytes: Vec<u8>) -> Result<()> {
        block_on(self.handles[caller].write(bytes))?;
        Ok(())
    }

    fn append_batch(&self, batch: Vec<Vec<u8>>) -> Result<()> {
        block_on(self.handles[0].write_batch(batch))?;
        Ok(())
    }

    fn close(self) -> Result<()> {
        drop(self.handles);
        drop(self.log);
        Ok(())
    }

    fn replay(directory: &Path, tally: &mut Tally) -> Result<()> {
        let log = open(directory)?;
        let mut stream = log.create_stream()?;
        block_on(async {
            while let Some(entry) = stream.next().await {
                tally.add_bytes(&entry?.1);
            }
            Ok(())
        })
    }

    fn find_last(directory: &Path) -> Result<Option<u64>> {
        open(directory)?;
        Ok(None)
    }

    fn open_for_writing(directory: &Path) -> Result<()> {
        open(directory)?.writer()?;
        Ok(())
    }
}
