//! What takes part: a log that can be filled and read, and what the driver asks of it.

use std::path::Path;

use anyhow::{Result, bail};

use crate::record::{Form, Tally};

/// What a log is made for, so that those who preallocate know how much.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many threads will call.
    pub callers: usize,
    /// How many records will be written.
    pub records: u64,
    /// How long they are.
    pub form: Form,
    /// Whether nothing is to be synced before the end.
    pub unsynced: bool,
}

impl Plan {
    /// An upper bound for the bytes on disk, with room for what a log adds to a record.
    pub fn bytes(&self) -> u64 {
        let record = match self.form {
            Form::Short => 192,
            Form::Long => 1_152,
        };
        self.records * record + (1 << 20)
    }
}

/// One log. What it cannot do it leaves as it is here; the roster says what it is asked.
pub trait Contestant: Sized + Send + Sync {
    /// A record as this log takes it; made before the clock starts.
    type Input: Send;

    fn input(number: u64, form: Form) -> Self::Input;

    /// A new log in an empty directory.
    fn create(directory: &Path, plan: Plan) -> Result<Self>;

    /// Appends one record; durable when it returns, if that is what this log does.
    fn append(&self, _caller: usize, _input: Self::Input) -> Result<()> {
        bail!("no append")
    }

    /// Appends records with one call.
    fn append_batch(&self, _inputs: Vec<Self::Input>) -> Result<()> {
        bail!("no batches")
    }

    /// Appends one record and does not wait for the disk.
    fn append_unsynced(&self, _input: Self::Input) -> Result<()> {
        bail!("no append without sync")
    }

    /// Makes everything durable.
    fn sync(&self) -> Result<()> {
        bail!("no sync")
    }

    /// Ends the log properly.
    fn close(self) -> Result<()> {
        Ok(())
    }

    /// Fills a new log; it is not measured.
    fn fill(directory: &Path, plan: Plan) -> Result<()> {
        let log = Self::create(directory, plan)?;
        let mut number = 0;
        while number < plan.records {
            let end = plan.records.min(number + 1000);
            let inputs = (number..end).map(|number| Self::input(number, plan.form));
            log.append_batch(inputs.collect())?;
            number = end;
        }
        log.close()
    }

    /// Opens the log and counts every record in it.
    fn replay(directory: &Path, tally: &mut Tally) -> Result<()>;

    /// Opens the log and checks all of it; answers with the number of records.
    fn validate(_directory: &Path) -> Result<u64> {
        bail!("no validation")
    }

    /// Opens the log for reading and finds the number of its last record, counted from 1; `None`
    /// if this log can be opened but has no call that tells.
    fn find_last(_directory: &Path) -> Result<Option<u64>> {
        bail!("no way to find the last record")
    }

    /// Opens the log for writing.
    fn open_for_writing(_directory: &Path) -> Result<()> {
        bail!("no opening for writing")
    }
}
