//! Real files that take every write in pieces, with a pause after each, so that a kill finds a
//! write half done: a short write is legal, and the kernel makes one of a large write that is
//! killed, but seldom.

use std::io;
use std::time::Duration;

use beaver::storage::DiskStorage;
use beaver::{Access, Storage, StorageFile, StorageLock};

#[derive(Debug)]
pub(crate) struct SlowDisk(pub(crate) DiskStorage);

#[derive(Debug)]
struct SlowFile(Box<dyn StorageFile>);

fn slow(file: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
    Box::new(SlowFile(file))
}

impl Storage for SlowDisk {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.0.create(name).map(slow)
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        self.0.open(name, access).map(slow)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.0.sync_dir()
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        self.0.lock()
    }
}

impl StorageFile for SlowFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        let piece = buf.len().min(37 + buf.len() / 5);
        let written = self.0.write_at(&buf[..piece], offset);
        std::thread::sleep(Duration::from_micros(150));
        written
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.0.allocate(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
