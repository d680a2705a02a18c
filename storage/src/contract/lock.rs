//! The claims about the lock.

use std::io::ErrorKind::WouldBlock;

use super::{create_with, fails, lists, named_holds, ok};
use crate::Storage;

pub(super) fn the_lock_is_exclusive_until_it_is_dropped(storage: &dyn Storage) {
    for _ in 0..3 {
        let held = ok(storage.lock(), "`lock` takes a free lock");
        let sentence = "`lock` fails with `WouldBlock` at once if another holder exists";
        fails(storage.lock(), WouldBlock, sentence);
        fails(storage.lock(), WouldBlock, sentence);
        drop(held);
    }
    ok(storage.lock(), "dropping the guard gives the lock back");
}

pub(super) fn the_lock_is_not_a_file_of_the_directory(storage: &dyn Storage) {
    let held = ok(storage.lock(), "`lock` takes a free lock");
    lists(storage, &[], "the lock is not listed");
    drop(held);
    lists(
        storage,
        &[],
        "the lock is not listed after it was given back",
    );
}

pub(super) fn the_lock_does_not_hinder_its_holder(storage: &dyn Storage) {
    let held = ok(storage.lock(), "`lock` takes a free lock");
    let file = create_with(storage, "a", b"text");
    ok(file.sync_data(), "the holder of the lock may sync");
    ok(
        storage.sync_dir(),
        "the holder of the lock may sync the directory",
    );
    ok(
        storage.rename("a", "b"),
        "the holder of the lock may rename",
    );
    named_holds(storage, "b", b"text", "the holder of the lock may read");
    drop(held);
    ok(
        storage.remove("b"),
        "giving the lock back closes nothing else",
    );
}
