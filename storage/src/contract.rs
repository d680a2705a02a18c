//! What every [`Storage`] must do, as claims that can be run against one.
//!
//! A claim is a function that works on a fresh, empty storage and panics with the sentence of the
//! trait's contract that the storage broke. The claims hold without faults; what survives a power
//! cut is not among them, because no test can ask a real disk for one. Writes and reads may be short
//! anywhere and may be interrupted: the claims go on with the rest.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! use beaver_storage::{DiskStorage, contract};
//!
//! for claim in contract::CLAIMS {
//!     let directory = tempfile::tempdir()?;
//!     claim.check(&DiskStorage::open(directory.path())?);
//! }
//! # Ok(())
//! # }
//! ```

mod content;
mod lock;
mod names;

use std::fmt::Debug;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::{Storage, StorageFile};

/// One sentence of the contract.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The claim in words.
    pub name: &'static str,
    run: fn(&dyn Storage),
}

impl Claim {
    const fn new(name: &'static str, run: fn(&dyn Storage)) -> Self {
        Claim { name, run }
    }

    /// Checks the claim on `storage`, which must be empty and used by nothing else.
    ///
    /// # Panics
    ///
    /// If the storage breaks its contract; the message says which sentence of it.
    pub fn check(&self, storage: &dyn Storage) {
        let names = storage.list();
        assert!(
            matches!(&names, Ok(names) if names.is_empty()),
            "a claim needs an empty storage, but it lists {names:?}"
        );
        (self.run)(storage);
    }
}

macro_rules! claims {
    ($($area:ident :: $name:ident),* $(,)?) => {
        &[$(Claim::new(stringify!($name), $area::$name)),*]
    };
}

/// All claims, each independent of the others.
pub const CLAIMS: &[Claim] = claims![
    names::a_created_file_is_empty_and_open_for_both,
    names::create_is_exclusive,
    names::open_never_creates,
    names::list_is_complete_and_in_bytewise_order,
    names::names_that_lead_elsewhere_are_refused,
    names::names_that_only_look_special_are_accepted,
    names::rename_moves_the_file_and_not_only_its_name,
    names::rename_replaces_what_had_the_name,
    names::rename_of_a_missing_file_changes_nothing,
    names::rename_onto_itself_changes_nothing,
    names::remove_takes_the_name_and_leaves_open_handles_usable,
    names::a_file_made_under_a_removed_name_is_a_new_file,
    names::sync_dir_changes_nothing_that_is_seen,
    content::handles_of_one_file_share_its_content,
    content::closing_one_handle_leaves_the_others,
    content::reads_are_short_at_the_end,
    content::a_gap_before_a_write_reads_as_zeros,
    content::a_write_changes_its_range_and_nothing_else,
    content::a_large_write_reads_back,
    content::an_empty_write_does_nothing,
    content::set_len_cuts_and_grows_with_zeros,
    content::cut_bytes_never_come_back,
    content::set_len_to_the_same_length_changes_nothing,
    content::allocate_keeps_what_was_there_and_adds_zeros,
    content::a_read_handle_refuses_every_change,
    content::sync_data_changes_nothing_that_is_seen,
    content::drop_cache_loses_nothing_that_was_synced,
    content::threads_may_share_a_handle,
    lock::the_lock_is_exclusive_until_it_is_dropped,
    lock::the_lock_is_not_a_file_of_the_directory,
    lock::the_lock_does_not_hinder_its_holder,
];

/// Checks all claims, each on a new storage from `make`.
///
/// # Panics
///
/// At the first claim that a storage breaks; the message says which sentence of the contract it is.
pub fn check(mut make: impl FnMut() -> Arc<dyn Storage>) {
    for claim in CLAIMS {
        claim.check(&*make());
    }
}

/// The value of a call that must succeed.
#[track_caller]
fn ok<T>(result: io::Result<T>, sentence: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{sentence}, but the call failed: {error}"),
    }
}

/// Checks that a call failed, and with the right kind.
#[track_caller]
fn fails<T: Debug>(result: io::Result<T>, kind: ErrorKind, sentence: &str) {
    match result {
        Ok(value) => panic!("{sentence}, but the call returned Ok({value:?})"),
        Err(error) => assert_eq!(error.kind(), kind, "{sentence}, but with another kind"),
    }
}

#[track_caller]
fn create(storage: &dyn Storage, name: &str) -> Box<dyn StorageFile> {
    ok(
        storage.create(name),
        "`create` makes a file under a free name",
    )
}

#[track_caller]
fn create_with(storage: &dyn Storage, name: &str, content: &[u8]) -> Box<dyn StorageFile> {
    let file = create(storage, name);
    write(&*file, content, 0);
    file
}

/// Repeats a call for as long as it is interrupted, which means that it did nothing.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Writes all of `bytes`, in as many calls as the storage wants.
#[track_caller]
fn write(file: &dyn StorageFile, bytes: &[u8], offset: u64) {
    let mut done = 0;
    while done < bytes.len() {
        match uninterrupted(|| file.write_at(&bytes[done..], offset + done as u64)) {
            Ok(0) => panic!("`write_at` of some bytes writes at least one of them"),
            Ok(written) => done += written,
            Err(error) => {
                panic!("`write_at` writes to a file that is open for writing, but: {error}")
            }
        }
    }
    assert_eq!(
        done,
        bytes.len(),
        "`write_at` writes at most the bytes it was given"
    );
}

/// Reads up to `len` bytes from `offset`, or to the end.
#[track_caller]
fn read(file: &dyn StorageFile, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0x55; len];
    let mut done = 0;
    while done < len {
        match uninterrupted(|| file.read_at(&mut bytes[done..], offset + done as u64)) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) => panic!("`read_at` reads from an open file, but: {error}"),
        }
    }
    assert!(
        done <= len,
        "`read_at` reads at most the bytes it was asked for"
    );
    bytes.truncate(done);
    bytes
}

/// Checks that nothing can be read at `offset`, and that `buf` stays as it is.
#[track_caller]
fn reads_nothing(file: &dyn StorageFile, buf: &mut [u8], offset: u64, sentence: &str) {
    let before = buf.to_vec();
    let read = ok(uninterrupted(|| file.read_at(buf, offset)), sentence);
    assert_eq!(read, 0, "{sentence}");
    assert!(
        buf == before,
        "`read_at` leaves the rest of the buffer alone"
    );
}

/// Checks the content of an open file: by its length, and by reading past its end.
#[track_caller]
fn holds(file: &dyn StorageFile, content: &[u8], sentence: &str) {
    let len = ok(file.len(), "`len` answers on an open file");
    assert_eq!(len, content.len() as u64, "{sentence}: the length");
    let found = read(file, 0, content.len() + 1);
    let first = found.iter().zip(content).position(|(a, b)| a != b);
    assert!(
        found == content,
        "{sentence}: {} bytes expected, {} read, the first that differs at {first:?}",
        content.len(),
        found.len(),
    );
}

/// Checks the content of the file that has the name `name`.
#[track_caller]
fn named_holds(storage: &dyn Storage, name: &str, content: &[u8], sentence: &str) {
    let file = ok(storage.open(name, super::Access::Read), sentence);
    holds(&*file, content, sentence);
}

#[track_caller]
fn lists(storage: &dyn Storage, names: &[&str], sentence: &str) {
    let found = ok(storage.list(), "`list` answers");
    assert_eq!(found, names, "{sentence}");
}

/// `len` bytes without zeros among them, different for each `seed`.
fn pattern(seed: u8, len: usize) -> Vec<u8> {
    (1..=250u8)
        .cycle()
        .skip(usize::from(seed) * 31)
        .take(len)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_no_zeros_and_differ_from_the_first_byte_on() {
        for seed in 0..8 {
            let bytes = pattern(seed, 1000);
            assert!(bytes.len() == 1000 && !bytes.contains(&0));
            for other in 0..seed {
                let other = pattern(other, 1000);
                assert!(bytes.iter().zip(&other).all(|(a, b)| a != b));
            }
        }
    }
}
