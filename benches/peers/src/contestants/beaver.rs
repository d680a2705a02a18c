//! Beaver's log: `Wal` for one caller, `BatchWriter` for many.

use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Result, anyhow, bail, ensure};
use beaver::storage::DiskStorage;
use beaver::wal::{LogReader, QueueOptions, SyncPolicy};
use beaver::{BatchWriter, Event, Position, Storage, Wal, WalOptions, inspect};

use crate::contestant::{Contestant, Plan};
use crate::record::{self, Form, Tally};

/// With its default options, under which it makes free space as it grows; or, as `raw` and `okaywal`
/// have it too, with all the space it needs made before the clock starts.
pub enum Beaver<const FILLED: bool> {
    One(Mutex<Wal>),
    Many(BatchWriter),
}

impl<const FILLED: bool> Contestant for Beaver<FILLED> {
    type Input = Event;

    fn input(number: u64, form: Form) -> Event {
        record::event(number, form)
    }

    fn create(directory: &Path, plan: Plan) -> Result<Self> {
        let storage = Arc::new(DiskStorage::open(directory)?);
        let options = WalOptions {
            sync: match plan.unsynced {
                true => SyncPolicy::OnRequest,
                false => SyncPolicy::EveryAppend,
            },
            ..WalOptions::default()
        };
        let (mut wal, _) = Wal::open(storage, options)?;
        if FILLED {
            wal.preallocate(plan.bytes())?;
        }
        Ok(match plan.callers {
            1 => Beaver::One(Mutex::new(wal)),
            _ => Beaver::Many(BatchWriter::new(wal, QueueOptions::default())?),
        })
    }

    fn append(&self, _caller: usize, event: Event) -> Result<()> {
        match self {
            Beaver::One(wal) => wal
                .lock()
                .expect("no thread panicked")
                .append(std::slice::from_ref(&event))?,
            Beaver::Many(writer) => writer.append(std::slice::from_ref(&event))?,
        };
        Ok(())
    }

    fn append_batch(&self, events: Vec<Event>) -> Result<()> {
        match self {
            Beaver::One(wal) => wal.lock().expect("no thread panicked").append(&events)?,
            Beaver::Many(writer) => writer.append(&events)?,
        };
        Ok(())
    }

    /// The log was opened with the policy under which an append does not sync.
    fn append_unsynced(&self, event: Event) -> Result<()> {
        self.append(0, event)
    }

    fn sync(&self) -> Result<()> {
        match self {
            Beaver::One(wal) => wal.lock().expect("no thread panicked").sync()?,
            Beaver::Many(_) => bail!("it has no policy but to sync"),
        };
        Ok(())
    }

    fn close(self) -> Result<()> {
        match self {
            Beaver::One(wal) => wal.into_inner().expect("no thread panicked").close()?,
            Beaver::Many(writer) => writer.close()?,
        }
        Ok(())
    }

    /// Every event is an append of its own; a thousand of them share a sync.
    fn fill(directory: &Path, plan: Plan) -> Result<()> {
        let storage = Arc::new(DiskStorage::open(directory)?);
        let (wal, _) = Wal::open(storage, WalOptions::default())?;
        let writer = BatchWriter::new(wal, QueueOptions::default())?;
        for number in 0..plan.records {
            writer.submit(&[record::event(number, plan.form)])?;
            if number % 1000 == 999 {
                writer.flush()?;
            }
        }
        writer.close()?;
        Ok(())
    }

    fn replay(directory: &Path, tally: &mut Tally) -> Result<()> {
        let storage = Arc::new(DiskStorage::open_existing(directory)?);
        let reader = LogReader::<Event>::open(storage)?;
        reader.replay(Position::default(), |_, event| {
            tally.add_timestamp(event.timestamp_ms);
            Ok::<(), std::convert::Infallible>(())
        })?;
        Ok(())
    }

    fn validate(directory: &Path) -> Result<u64> {
        let storage: Arc<dyn Storage> = Arc::new(DiskStorage::open_existing(directory)?);
        let stats = inspect::stats::<Event>(&storage)?;
        match stats.problems.first() {
            None => Ok(stats.events),
            Some(problem) => Err(anyhow!("{problem}")),
        }
    }

    fn find_last(directory: &Path) -> Result<Option<u64>> {
        let storage = Arc::new(DiskStorage::open_existing(directory)?);
        let last = LogReader::<Event>::open(storage)?.last_position()?;
        Ok(last.map(|position| position.seq.0))
    }

    fn open_for_writing(directory: &Path) -> Result<()> {
        let storage = Arc::new(DiskStorage::open(directory)?);
        let (wal, report) = Wal::<Event>::open(storage, WalOptions::default())?;
        ensure!(report.torn_tail.is_none(), "the log was closed properly");
        ensure!(wal.last_seq().0 > 0, "there is no event");
        Ok(())
    }
}
