//! What `DiskStorage` promises beyond the contract of the trait: directories, strange entries, the
//! lock of a process.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use beaver_storage::{Access, Storage};
use beaver_storage::{DiskStorage, LOCK_NAME};
use tempfile::{TempDir, tempdir};

fn opened() -> (TempDir, DiskStorage) {
    let directory = tempdir().expect("a temporary directory");
    let storage = DiskStorage::open(directory.path()).expect("an open storage");
    (directory, storage)
}

#[test]
fn open_makes_the_directory_with_its_parents() {
    let root = tempdir().unwrap();
    let path = root.path().join("a/b/c");
    let storage = DiskStorage::open(&path).unwrap();
    storage.create("f").unwrap();
    assert!(path.join("f").is_file());
    let names: Vec<_> = fs::read_dir(&path).unwrap().collect();
    assert_eq!(names.len(), 1, "opening makes no file");
}

#[test]
fn open_takes_paths_with_dots_and_slashes() {
    let root = tempdir().unwrap();
    for path in ["a/", "b/./c", "b/../d/e/", "b/c/../f"] {
        DiskStorage::open(root.path().join(path)).unwrap();
    }
    for path in ["a", "b/c", "d/e", "b/f"] {
        assert!(root.path().join(path).is_dir(), "{path}");
    }
    assert!(DiskStorage::open("").is_err());
    let error = DiskStorage::open(root.path().join("missing/..")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn open_follows_a_link_to_the_directory() {
    let root = tempdir().unwrap();
    fs::create_dir(root.path().join("real")).unwrap();
    symlink("real", root.path().join("link")).unwrap();
    symlink("nowhere", root.path().join("dangling")).unwrap();
    let storage = DiskStorage::open(root.path().join("link")).unwrap();
    storage.create("f").unwrap();
    assert!(root.path().join("real/f").exists());
    assert!(DiskStorage::open(root.path().join("dangling")).is_err());
}

#[test]
fn open_refuses_a_path_that_is_a_file() {
    let root = tempdir().unwrap();
    fs::write(root.path().join("f"), "").unwrap();
    for path in ["f", "f/below"] {
        let path = root.path().join(path);
        for result in [DiskStorage::open(&path), DiskStorage::open_existing(&path)] {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotADirectory);
            let said = format!("open {path:?}: Not a directory");
            assert!(error.to_string().starts_with(&said), "{error}");
        }
    }
}

#[test]
fn open_existing_makes_nothing() {
    let root = tempdir().unwrap();
    let error = DiskStorage::open_existing(root.path().join("a")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(!root.path().join("a").exists());
}

#[test]
fn inspection_changes_nothing() {
    let (directory, owner) = opened();
    owner.create("f").unwrap().write_at(b"text", 0).unwrap();
    let held = owner.lock().unwrap();
    let storage = DiskStorage::open_existing(directory.path()).unwrap();
    let denied = ErrorKind::PermissionDenied;
    assert_eq!(storage.create("g").unwrap_err().kind(), denied);
    assert_eq!(storage.open("f", Access::Write).unwrap_err().kind(), denied);
    assert_eq!(storage.rename("f", "g").unwrap_err().kind(), denied);
    assert_eq!(storage.remove("f").unwrap_err().kind(), denied);
    assert_eq!(storage.sync_dir().unwrap_err().kind(), denied);
    assert_eq!(storage.lock().unwrap_err().kind(), denied);
    drop(held);
    assert_eq!(storage.list().unwrap(), ["f"]);
    let mut buf = [0; 9];
    let file = storage.open("f", Access::Read).unwrap();
    assert_eq!(file.read_at(&mut buf, 0).unwrap(), 4);
}

#[test]
fn the_storage_stays_with_its_directory_when_that_is_renamed() {
    let root = tempdir().unwrap();
    let storage = DiskStorage::open(root.path().join("a")).unwrap();
    fs::rename(root.path().join("a"), root.path().join("b")).unwrap();
    fs::create_dir(root.path().join("a")).unwrap();
    storage.create("f").unwrap();
    storage.sync_dir().unwrap();
    assert!(root.path().join("b/f").exists());
}

#[test]
fn directories_and_pipes_are_not_files() {
    let (directory, storage) = opened();
    fs::create_dir(directory.path().join("sub")).unwrap();
    let pipe = directory.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
    storage.create("f").unwrap();
    assert_eq!(storage.list().unwrap(), ["f"]);

    for access in [Access::Read, Access::Write] {
        let kind = storage.open("sub", access).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::IsADirectory);
        let kind = storage.open("pipe", access).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::InvalidInput);
        assert!(storage.open("socket", access).is_err());
    }
    let kind = storage.create("sub").unwrap_err().kind();
    assert_eq!(kind, ErrorKind::AlreadyExists);
    let kind = storage.rename("sub", "g").unwrap_err().kind();
    assert_eq!(kind, ErrorKind::IsADirectory);
    let kind = storage.rename("f", "sub").unwrap_err().kind();
    assert_eq!(kind, ErrorKind::IsADirectory);
    assert!(storage.remove("sub").is_err());
    assert!(directory.path().join("sub").is_dir());
}

#[test]
fn links_are_listed_and_not_followed() {
    let (directory, storage) = opened();
    let outside = tempdir().unwrap();
    fs::write(outside.path().join("target"), "text").unwrap();
    symlink(outside.path().join("target"), directory.path().join("link")).unwrap();
    assert_eq!(storage.list().unwrap(), ["link"]);
    for access in [Access::Read, Access::Write] {
        assert!(storage.open("link", access).is_err());
    }
    let kind = storage.create("link").unwrap_err().kind();
    assert_eq!(kind, ErrorKind::AlreadyExists);
    storage.remove("link").unwrap();
    assert!(outside.path().join("target").exists());
}

#[test]
fn names_that_are_not_utf8_are_left_out() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let (directory, storage) = opened();
    fs::write(directory.path().join(OsStr::from_bytes(b"wal-\xff")), "").unwrap();
    assert!(storage.list().unwrap().is_empty());
}

#[test]
fn the_lock_file_stays_and_cannot_be_touched() {
    let (directory, storage) = opened();
    drop(storage.lock().unwrap());
    assert!(directory.path().join(LOCK_NAME).is_file());
    let refused = ErrorKind::InvalidInput;
    assert_eq!(storage.remove(LOCK_NAME).unwrap_err().kind(), refused);
    assert_eq!(storage.create(LOCK_NAME).unwrap_err().kind(), refused);
    assert_eq!(storage.rename("f", LOCK_NAME).unwrap_err().kind(), refused);
    drop(storage.lock().unwrap());
}

/// What is written, made or confirmed after the lock file is gone could meet another owner.
#[test]
fn a_lock_whose_file_was_removed_or_replaced_is_lost() {
    for replaced in [false, true] {
        let (directory, storage) = opened();
        let file = storage.create("f").unwrap();
        let held = storage.lock().unwrap();
        file.write_at(b"text", 0).unwrap();
        fs::remove_file(directory.path().join(LOCK_NAME)).unwrap();
        if replaced {
            fs::write(directory.path().join(LOCK_NAME), "").unwrap();
        }
        let second = DiskStorage::open(directory.path()).unwrap();
        assert_eq!(second.lock().unwrap_err().kind(), ErrorKind::WouldBlock);

        let lost = ErrorKind::ResourceBusy;
        assert_eq!(file.write_at(b"more", 0).unwrap_err().kind(), lost);
        assert_eq!(file.set_len(0).unwrap_err().kind(), lost);
        assert_eq!(file.allocate(9).unwrap_err().kind(), lost);
        assert_eq!(file.sync_data().unwrap_err().kind(), lost);
        assert_eq!(storage.create("g").unwrap_err().kind(), lost);
        assert_eq!(storage.rename("f", "g").unwrap_err().kind(), lost);
        assert_eq!(storage.remove("f").unwrap_err().kind(), lost);
        assert_eq!(storage.sync_dir().unwrap_err().kind(), lost);
        assert_eq!(fs::read(directory.path().join("f")).unwrap(), b"text");
        drop(held);
        let held = storage.lock().expect("the lock can be taken again");
        file.write_at(b"more", 0).unwrap();
        drop(held);
    }
}

#[test]
fn the_lock_is_one_for_all_handles_of_a_directory() {
    let (directory, first) = opened();
    symlink(directory.path(), directory.path().join("itself")).unwrap();
    let second = DiskStorage::open(directory.path().join("itself")).unwrap();
    let held = first.lock().unwrap();
    assert_eq!(second.lock().unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(held);
    let held = second.lock().unwrap();
    drop(second);
    assert_eq!(first.lock().unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(held);
    first.lock().unwrap();
}

#[test]
fn the_lock_is_not_inherited_by_a_child_process() {
    let (_directory, storage) = opened();
    let held = storage.lock().unwrap();
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    drop(held);
    storage.lock().expect("the child does not hold the lock");
    drop(child.stdin.take());
    child.wait().unwrap();
}

/// A process that is being started has a copy of every open file for a moment.
#[test]
fn the_lock_is_given_back_at_once_while_processes_are_started() {
    let (_directory, storage) = opened();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..200 {
                Command::new("true").status().unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            drop(storage.lock().expect("the lock was given back"));
        }
    });
}

#[test]
fn reserved_space_is_really_reserved() {
    use std::os::unix::fs::MetadataExt;

    let (directory, storage) = opened();
    let file = storage.create("f").unwrap();
    match file.allocate(1 << 20) {
        Ok(()) => {
            let stat = fs::metadata(directory.path().join("f")).unwrap();
            assert_eq!(stat.len(), 1 << 20);
            assert!(stat.blocks() * 512 >= 1 << 20, "{} blocks", stat.blocks());
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
    }
    assert!(file.allocate(u64::MAX).is_err());
}
