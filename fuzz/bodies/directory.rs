//! Any files as a store: each begins with a line `@NAME`.

use std::collections::BTreeMap;

use beaver::storage::check_name;
use beaver::{Epoch, Event, JobQueue, inspect, store};

use super::{MAX_INPUT, disk, log, sealed, snapshot};

/// More files show nothing that fewer do not.
const MAX_FILES: usize = 12;

pub(crate) fn check(input: &[u8]) {
    if input.len() > MAX_INPUT {
        return;
    }
    let files = files(input);
    if files.len() > MAX_FILES {
        return;
    }
    let disk = disk(&files);
    log::check_reading(&disk);
    let storage = disk.storage();
    // Here the events must also be those of a job queue.
    drop(inspect::stats::<Event>(&storage));
    let strict = store::read_state::<JobQueue>(&storage);
    if strict.is_ok() {
        beaver::inspect::salvage_state::<JobQueue>(&storage)
            .expect("lenient refuses no more than strict");
    }
    snapshot::check_store(&disk.fork());
    log::check_opening(&disk);
    assert!(!disk.is_out_of_calls());
}

/// The files of an input, by name; the last one of a name counts.
fn files(input: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut current = None;
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        let name = line.strip_prefix(b"@").map(|rest| rest.trim_ascii_end());
        match name.map(str::from_utf8) {
            Some(Ok(name)) if check_name(name).is_ok() => {
                files.insert(name.to_owned(), Vec::new());
                current = Some(name.to_owned());
            }
            _ => {
                if let Some(file) = current.as_ref().and_then(|name| files.get_mut(name)) {
                    file.extend_from_slice(line);
                }
            }
        }
    }
    let sealed = |(name, text): (String, Vec<u8>)| {
        let bytes = sealed(epoch(&name), &text);
        (name, bytes)
    };
    files.into_iter().map(sealed).collect()
}

/// The number in a name.
fn epoch(name: &str) -> Epoch {
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    Epoch(digits.parse().unwrap_or(0))
}
