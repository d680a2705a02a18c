//! The limits of the machine: system calls without a log.

use std::fs::{File, OpenOptions};
use std::io::{IoSlice, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};

use crate::contestant::{Contestant, Plan};
use crate::record::{self, Form, Tally};

const NAME: &str = "raw.jsonl";

/// More after one write makes the cache use large folios, which later small writes pay for.
const FILL_PIECE: usize = 64 << 10;

/// One write and one `fdatasync` into a file of written blocks, full of `BLANK` bytes; without sync,
/// a buffer of 64 KiB.
pub struct Raw<const BLANK: u8> {
    file: File,
    end: AtomicU64,
    buffer: Mutex<Vec<u8>>,
}

impl<const BLANK: u8> Contestant for Raw<BLANK> {
    type Input = Vec<u8>;

    fn input(number: u64, form: Form) -> Vec<u8> {
        let mut line = record::bytes(number, form);
        line.push(b'\n');
        line
    }

    fn create(directory: &Path, plan: Plan) -> Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create_new(true)
            .open(directory.join(NAME))?;
        // A buffered writer grows its file anyway; filling it first would only measure the cache.
        if !plan.unsynced {
            let blank = vec![BLANK; FILL_PIECE];
            for _ in 0..plan.bytes().div_ceil(FILL_PIECE as u64) {
                file.write_all(&blank)?;
            }
        }
        file.sync_all()?;
        File::open(directory)?.sync_all()?;
        Ok(Raw {
            file,
            end: AtomicU64::new(0),
            buffer: Mutex::new(Vec::with_capacity(FILL_PIECE)),
        })
    }

    fn append(&self, _caller: usize, line: Vec<u8>) -> Result<()> {
        let at = self.end.fetch_add(line.len() as u64, Ordering::Relaxed);
        self.file.write_all_at(&line, at)?;
        rustix::fs::fdatasync(&self.file)?;
        Ok(())
    }

    fn append_batch(&self, lines: Vec<Vec<u8>>) -> Result<()> {
        let length: usize = lines.iter().map(Vec::len).sum();
        let at = self.end.fetch_add(length as u64, Ordering::Relaxed);
        let slices: Vec<IoSlice<'_>> = lines.iter().map(|line| IoSlice::new(line)).collect();
        let written = rustix::io::pwritev(&self.file, &slices, at)?;
        ensure!(written == length, "a short write");
        rustix::fs::fdatasync(&self.file)?;
        Ok(())
    }

    fn append_unsynced(&self, line: Vec<u8>) -> Result<()> {
        let mut buffer = self.buffer.lock().expect("no thread panicked");
        if buffer.len() + line.len() > FILL_PIECE {
            self.write_buffer(&mut buffer)?;
        }
        buffer.extend_from_slice(&line);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.write_buffer(&mut self.buffer.lock().expect("no thread panicked"))?;
        rustix::fs::fdatasync(&self.file)?;
        Ok(())
    }

    fn close(self) -> Result<()> {
        self.file.set_len(self.end.into_inner())?;
        self.file.sync_all()?;
        Ok(())
    }

    fn replay(directory: &Path, tally: &mut Tally) -> Result<()> {
        each_line(&directory.join(NAME), |line| {
            if !line.is_empty() {
                tally.add_bytes(line);
            }
            Ok(())
        })
    }

    fn find_last(directory: &Path) -> Result<Option<u64>> {
        let file = File::open(directory.join(NAME))?;
        let length = file.metadata()?.len();
        let mut end = length;
        loop {
            let start = end.saturating_sub(64 << 10);
            let mut tail = vec![0; (end - start) as usize];
            file.read_exact_at(&mut tail, start)?;
            if let Some(last) = tail.iter().rposition(|byte| *byte != b'\n') {
                let line = memchr::memrchr(b'\n', &tail[..last]).map_or(0, |at| at + 1);
                let mut tally = Tally::default();
                tally.add_bytes(&tail[line..=last]);
                return Ok(Some(tally.only() + 1));
            }
            ensure!(start > 0, "the file is blank");
            end = start;
        }
    }

    /// The syncs that opening a log takes, and nothing else: of the directory above, of the
    /// directory, and of a file whose end was cut and written again.
    fn open_for_writing(directory: &Path) -> Result<()> {
        let last = Self::find_last(directory)?;
        ensure!(last.is_some(), "there is no record");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(directory.join(NAME))?;
        let parent = directory.parent().unwrap_or(directory);
        rustix::fs::fsync(&File::open(parent)?)?;
        rustix::fs::fsync(&File::open(directory)?)?;
        let length = file.metadata()?.len();
        let mut end = vec![0; 1024];
        let start = length.saturating_sub(end.len() as u64);
        file.read_exact_at(&mut end, start)?;
        file.set_len(length)?;
        file.write_all_at(&end, start)?;
        rustix::fs::fdatasync(&file)?;
        Ok(())
    }
}

impl<const BLANK: u8> Raw<BLANK> {
    fn write_buffer(&self, buffer: &mut Vec<u8>) -> Result<()> {
        let at = self.end.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.file.write_all_at(buffer, at)?;
        buffer.clear();
        Ok(())
    }
}

/// Hands out the lines of a file, read in pieces of 1 MiB.
pub fn each_line(path: &Path, mut look: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    let mut filled = 0;
    loop {
        let read = file.read(&mut buffer[filled..])?;
        if read == 0 {
            ensure!(filled == 0, "the last line has no newline");
            return Ok(());
        }
        filled += read;
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', &buffer[..filled]) {
            look(&buffer[start..newline])?;
            start = newline + 1;
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
    }
}
