//! Real file systems that refuse: read-only, full.

mod private_mounts;

use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull};
use std::io::{self, ErrorKind};

use beaver_storage::DiskStorage;
use beaver_storage::{Access, Storage};
use private_mounts::{BindMount, ReadOnlyDirectory, SmallFileSystem, with_private_mounts};

fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> ErrorKind {
    result.expect_err("a call that must be refused").kind()
}

/// Whether the device of `small` has these bytes, whatever the system still holds in memory. `None`
/// if it has no device.
fn device_has(small: &SmallFileSystem, bytes: &[u8]) -> Option<bool> {
    let image = std::fs::read(small.path().with_extension("image")).ok()?;
    Some(memchr::memmem::find(&image, bytes).is_some())
}

#[test]
fn a_read_only_mount_refuses_changes_by_kind() {
    with_private_mounts("a_read_only_mount_refuses_changes_by_kind", || {
        for small in SmallFileSystem::all() {
            let storage = DiskStorage::open(small.path().join("data")).unwrap();
            let file = storage.create("f").unwrap();
            file.write_at(b"text", 0).unwrap();
            file.sync_data().unwrap();
            drop((file, storage));
            small.remount("ro");

            let storage = DiskStorage::open(small.path().join("data")).unwrap();
            assert_eq!(kind(storage.lock()), ReadOnlyFilesystem);
            assert_eq!(kind(storage.create("g")), ReadOnlyFilesystem);
            assert_eq!(kind(storage.open("f", Access::Write)), ReadOnlyFilesystem);
            assert_eq!(kind(storage.rename("f", "g")), ReadOnlyFilesystem);
            assert_eq!(kind(storage.remove("f")), ReadOnlyFilesystem);
            let missing = DiskStorage::open(small.path().join("other"));
            assert_eq!(kind(missing), ReadOnlyFilesystem);

            let storage = DiskStorage::open_existing(small.path().join("data")).unwrap();
            assert_eq!(storage.list().unwrap(), ["f"]);
            let mut buf = [0; 4];
            let file = storage.open("f", Access::Read).unwrap();
            assert_eq!(file.read_at(&mut buf, 0).unwrap(), 4);
            assert_eq!(&buf, b"text");
        }
    });
}

#[test]
fn what_was_synced_is_on_the_device() {
    with_private_mounts("what_was_synced_is_on_the_device", || {
        let is_there = |small: &SmallFileSystem, what: &str| {
            let found = device_has(small, what.as_bytes());
            assert_ne!(found, Some(false), "{}: {what}", small.kind);
        };
        for small in SmallFileSystem::all() {
            let made = small.path().join("directory-that-was-made");
            let storage = DiskStorage::open(&made).unwrap();
            is_there(&small, "directory-that-was-made");
            let file = storage.create("file-that-was-made").unwrap();
            file.write_at(b"bytes-that-were-synced", 0).unwrap();
            file.sync_data().unwrap();
            is_there(&small, "bytes-that-were-synced");
            storage.sync_dir().unwrap();
            is_there(&small, "file-that-was-made");

            let found = small.path().join("directory-that-was-there");
            std::fs::create_dir(&found).unwrap();
            DiskStorage::open(&found).unwrap();
            is_there(&small, "directory-that-was-there");
        }
    });
}

#[test]
fn a_read_only_directory_refuses_changes_by_kind() {
    let directory = tempfile::tempdir().unwrap();
    let storage = DiskStorage::open(directory.path()).unwrap();
    storage.create("f").unwrap().write_at(b"text", 0).unwrap();
    let Some(_guard) = ReadOnlyDirectory::new(directory.path()) else {
        return;
    };
    assert_eq!(kind(storage.lock()), PermissionDenied);
    assert_eq!(kind(storage.create("g")), PermissionDenied);
    assert_eq!(kind(storage.open("f", Access::Write)), PermissionDenied);
    assert_eq!(kind(storage.rename("f", "g")), PermissionDenied);
    assert_eq!(kind(storage.remove("f")), PermissionDenied);
    let storage = DiskStorage::open_existing(directory.path()).unwrap();
    assert_eq!(storage.open("f", Access::Read).unwrap().len().unwrap(), 4);
}

#[test]
fn a_full_file_system_refuses_by_kind_and_keeps_what_is_there() {
    with_private_mounts(
        "a_full_file_system_refuses_by_kind_and_keeps_what_is_there",
        || {
            for small in SmallFileSystem::overwriting() {
                println!("{}", small.kind);
                let storage = DiskStorage::open(small.path().join("data")).unwrap();
                let file = storage.create("f").unwrap();
                file.write_at(&[1; 4096], 0).unwrap();
                file.sync_data().unwrap();
                let ballast = small.fill("ballast");
                let large = std::fs::metadata(&ballast).unwrap().len();
                // XFS keeps some of it for itself.
                let rest = large - (512 << 10);
                std::fs::File::options()
                    .write(true)
                    .open(&ballast)
                    .unwrap()
                    .set_len(rest)
                    .unwrap();
                assert_eq!(kind(file.allocate(1 << 20)), StorageFull);
                assert_eq!(file.len().unwrap(), 4096, "nothing stays reserved");
                storage
                    .create("g")
                    .unwrap()
                    .write_at(&[4; 32 << 10], 0)
                    .unwrap();
                storage.remove("g").unwrap();
                small.fill("ballast");

                assert_eq!(kind(file.allocate(1 << 20)), StorageFull);
                assert_eq!(
                    file.len().unwrap(),
                    4096,
                    "a failed reservation leaves the length"
                );
                let mut end = 4096;
                let full = loop {
                    match file.write_at(&[2; 4096], end) {
                        Ok(written) => end += written as u64,
                        Err(error) => break error.kind(),
                    }
                };
                assert_eq!(full, StorageFull);
                file.set_len(4096).unwrap();
                file.sync_data().unwrap();
                let mut buf = [0; 4097];
                assert_eq!(file.read_at(&mut buf, 0).unwrap(), 4096);
                assert_eq!(buf[..4096], [1; 4096]);

                std::fs::remove_file(ballast).unwrap();
                file.allocate(1 << 20).unwrap();
                file.write_at(&[3; 4096], 4096).unwrap();
                file.sync_data().unwrap();
            }
        },
    );
}

#[test]
fn the_lock_of_a_directory_is_that_of_its_bind_mount() {
    with_private_mounts("the_lock_of_a_directory_is_that_of_its_bind_mount", || {
        let (directory, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let _mounted = BindMount::new(directory.path(), other.path());
        let first = DiskStorage::open(directory.path()).unwrap();
        let second = DiskStorage::open(other.path()).unwrap();
        let held = first.lock().unwrap();
        assert_eq!(kind(second.lock()), ErrorKind::WouldBlock);
        drop(held);
        second.lock().unwrap();
    });
}
