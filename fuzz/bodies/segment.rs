//! Any bytes as the only segment of a log.

use beaver::Epoch;

use super::{MAX_INPUT, disk, log, sealed};

pub(crate) fn check(input: &[u8]) {
    if input.len() > MAX_INPUT {
        return;
    }
    let bytes = sealed(Epoch(1), input);
    let disk = disk(&[("wal-0000000001.jsonl".to_owned(), bytes)]);
    log::check_reading(&disk);
    log::check_opening(&disk);
    assert!(!disk.is_out_of_calls());
}
