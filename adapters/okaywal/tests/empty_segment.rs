//! On real files, without a crash and without the checker.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use okaywal::{Entry, EntryId, LogManager, SegmentReader, WriteAheadLog};

/// Counts what is recovered.
#[derive(Debug)]
struct Counts(Arc<AtomicUsize>);

impl LogManager for Counts {
    fn recover(&mut self, _: &mut Entry<'_>) -> io::Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn checkpoint_to(
        &mut self,
        _: EntryId,
        _: &mut SegmentReader,
        _: &WriteAheadLog,
    ) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_checkpoint_of_an_empty_segment_loses_what_is_committed_after_it() -> io::Result<()> {
    let name = format!("okaywal-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    let recovered = Arc::new(AtomicUsize::new(0));
    let log = WriteAheadLog::recover(&directory, Counts(recovered.clone()))?;
    log.checkpoint_active()?;
    let mut entry = log.begin_entry()?;
    entry.write_chunk(b"acknowledged")?;
    entry.commit()?;
    log.shutdown()?;
    let names = fs::read_dir(&directory)?.map(|entry| Ok(entry?.file_name()));
    let names: Vec<_> = names.collect::<io::Result<_>>()?;
    let again = WriteAheadLog::recover(&directory, Counts(recovered.clone()))?;
    again.shutdown()?;
    fs::remove_dir_all(&directory)?;
    assert_eq!(names, ["wal-1-cp"], "the active segment has this name");
    assert_eq!(recovered.load(Ordering::Relaxed), 0, "it is recovered");
    Ok(())
}
