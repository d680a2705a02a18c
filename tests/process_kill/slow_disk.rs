//! Real files that take every write in pieces, with a pause after each, so that a kill finds a
//! write half done: a short write is legal, and the kernel makes one of a large write that is
//! killed, but seldom.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use beaver::Storage;
use beaver::storage::DiskStorage;
use beaver_storage::{InterposedFile, Interposer, interpose};

/// The storage of `disk`, slow.
pub(crate) fn slow(disk: DiskStorage) -> Arc<dyn Storage> {
    interpose(Arc::new(disk), Arc::new(SlowWrites))
}

#[derive(Debug)]
struct SlowWrites;

impl Interposer for SlowWrites {
    fn write_at(&self, file: &InterposedFile, buf: &[u8], offset: u64) -> io::Result<usize> {
        let piece = buf.len().min(37 + buf.len() / 5);
        let written = file.next().write_at(&buf[..piece], offset);
        std::thread::sleep(Duration::from_micros(150));
        written
    }
}
