//! A key-value store in a directory: a log of records, which becomes small again by a rename.
//!
//! ```text
//! record = length of the rest u32, checksum of the rest u64, length of the key u32, key, value
//! ```
//!
//! `log` holds a record for each change. The last one may be torn: it was never acknowledged.

#[cfg(test)]
use beaver_fs as fs;
#[cfg(not(test))]
use std::fs;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[cfg(test)]
mod crash_test;

/// An open store.
#[derive(Debug)]
pub struct Shelf {
    directory: PathBuf,
    values: BTreeMap<String, String>,
    log: fs::File,
    /// A call failed: only opening the store again tells what the disk holds.
    is_broken: bool,
}

impl Shelf {
    /// Opens the store in a directory, which may be empty.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let bytes = match fs::read(directory.join("log")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let (mut values, mut rest) = (BTreeMap::new(), &bytes[..]);
        while let Some((key, value)) = decode(&mut rest) {
            values.insert(key, value);
        }
        // What was read may be in the cache alone: a sync may have failed. So it is written anew.
        let log = write_log(directory, &values)?;
        Ok(Shelf {
            directory: directory.to_owned(),
            values,
            log,
            is_broken: false,
        })
    }

    /// What the store holds.
    pub fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    /// Sets a value, which is durable from now on.
    pub fn set(&mut self, key: &str, value: &str) -> io::Result<()> {
        self.begin()?;
        self.log.write_all(&encode(key, value))?;
        self.log.sync_data()?;
        self.values.insert(key.to_owned(), value.to_owned());
        self.is_broken = false;
        Ok(())
    }

    /// Leaves one record for each key in the log.
    pub fn compact(&mut self) -> io::Result<()> {
        self.begin()?;
        self.log = write_log(&self.directory, &self.values)?;
        self.is_broken = false;
        Ok(())
    }

    /// From here until its end a call may fail.
    fn begin(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.is_broken, true) {
            true => Err(io::Error::other("a call failed: open the store again")),
            false => Ok(()),
        }
    }
}

/// Puts a new log in the place of the old one.
fn write_log(directory: &Path, values: &BTreeMap<String, String>) -> io::Result<fs::File> {
    let (new, log) = (directory.join("log.new"), directory.join("log"));
    // A sync of what is left over may have failed: nothing of that file is used again.
    let _ = fs::remove_file(&new);
    let mut file = fs::File::create_new(&new)?;
    for (key, value) in values {
        file.write_all(&encode(key, value))?;
    }
    file.sync_all()?;
    fs::rename(&new, &log)?;
    fs::File::open(directory)?.sync_all()?;
    Ok(file)
}

fn encode(key: &str, value: &str) -> Vec<u8> {
    let rest = [
        &(key.len() as u32).to_le_bytes(),
        key.as_bytes(),
        value.as_bytes(),
    ]
    .concat();
    let head = (rest.len() as u32).to_le_bytes();
    [&head[..], &checksum(&rest).to_le_bytes(), &rest].concat()
}

/// The next record; nothing at the end, or where a record is torn.
fn decode(bytes: &mut &[u8]) -> Option<(String, String)> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<8>()?;
    let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*head) as usize)?;
    if checksum(record) != u64::from_le_bytes(*sum) {
        return None;
    }
    let (key_len, record) = record.split_first_chunk::<4>()?;
    let (key, value) = record.split_at_checked(u32::from_le_bytes(*key_len) as usize)?;
    *bytes = rest;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Some((text(key), text(value)))
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
