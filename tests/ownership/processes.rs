//! Processes that are forked while a store is open.

use std::fs;
use std::io::{ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use beaver::Error;
use fork::Fork;

use crate::{check_whole, enqueue, has, open, owned};

/// Forks a process that does `work` and ends. Returns at once.
fn forked(work: impl FnOnce()) -> i32 {
    match fork::fork().unwrap() {
        Fork::Parent(child) => child,
        Fork::Child => {
            let done = catch_unwind(AssertUnwindSafe(work));
            std::process::exit(i32::from(done.is_err()));
        }
    }
}

/// Waits until it has ended, as it should.
fn wait(child: i32) {
    let status = fork::waitpid(child).unwrap();
    assert_eq!(status, 0, "the forked process failed");
}

#[test]
fn a_fork_that_drops_its_copy_leaves_the_lock_to_its_parent() {
    let (directory, owner) = owned();
    let mut owner = Some(owner);
    wait(forked(|| drop(owner.take())));
    assert!(matches!(open(directory.path()), Err(Error::Locked)));
    let mut owner = owner.unwrap();
    enqueue(&mut owner, "second").unwrap();
    drop(owner);
    let again = open(directory.path()).unwrap();
    assert!(has(&again, "before") && has(&again, "second"));
}

#[test]
fn a_fork_changes_nothing_in_its_parents_store() {
    let (directory, mut owner) = owned();
    let files = || {
        let entries = fs::read_dir(directory.path()).unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| entry.unwrap().path())
            .map(|path| (fs::read(&path).unwrap(), path))
            .collect();
        files.sort();
        files
    };
    let before = files();
    wait(forked(|| {
        let error = enqueue(&mut owner, "of the fork").unwrap_err();
        assert_eq!(
            error.io_kind(),
            Some(ErrorKind::PermissionDenied),
            "{error}"
        );
        assert!(owner.checkpoint().is_err());
    }));
    assert!(files() == before);
    enqueue(&mut owner, "second").unwrap();
    drop(owner);
    check_whole(directory.path());
}

/// The daemon pattern: the process that opened the store ends, and its fork goes on.
#[test]
fn a_daemon_that_was_forked_after_opening_is_no_owner() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (mut told, tell) = std::io::pipe().unwrap();
    let mut tell = Some(tell);
    wait(forked(|| {
        let mut owner = open(path).unwrap();
        enqueue(&mut owner, "before").unwrap();
        forked(|| {
            // It is to end when the test has looked, or failed.
            drop(tell.take());
            assert!(enqueue(&mut owner, "of the daemon").is_err());
            let _ = told.read(&mut [0]).unwrap();
        });
        // Without giving the lock back: this process is the one that took it.
        std::process::exit(0);
    }));
    let error = open(path).unwrap_err();
    assert!(matches!(error, Error::Locked), "{error}");
    drop(tell);
    let again = loop {
        match open(path) {
            Err(Error::Locked) => std::thread::yield_now(),
            opened => break opened.unwrap(),
        }
    };
    assert!(has(&again, "before") && !has(&again, "of the daemon"));
}

/// What a descriptor of this process stands for.
fn descriptor(number: u32) -> Option<std::path::PathBuf> {
    fs::read_link(format!("/proc/self/fd/{number}")).ok()
}

#[test]
fn no_file_of_a_store_is_a_standard_stream() {
    if descriptor(0).is_none() {
        println!("left out: this system does not tell what a descriptor stands for");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    for closed in [&[0][..], &[1], &[2], &[0, 1, 2]] {
        wait(forked(|| {
            close_streams(closed);
            let mut owner = open(path).unwrap();
            enqueue(&mut owner, &format!("{closed:?}")).unwrap();
            owner.checkpoint().unwrap();
            enqueue(&mut owner, &format!("{closed:?} again")).unwrap();
            check_streams(path);
        }));
    }
    let again = open(path).unwrap();
    assert!(has(&again, "[0, 1, 2] again"));
}

fn check_streams(store: &Path) {
    for number in 0..3 {
        let leads_to = descriptor(number);
        let into_store = leads_to
            .as_ref()
            .is_some_and(|path| path.starts_with(store));
        assert!(!into_store, "descriptor {number} is {leads_to:?}");
    }
}

/// Closes these standard streams of this process, and opens `/dev/null` as the others.
fn close_streams(closed: &[usize]) {
    fork::close_fd().unwrap();
    let nothing: Vec<_> = (0..3)
        .map(|_| fs::File::open("/dev/null").unwrap())
        .collect();
    for (number, file) in nothing.into_iter().enumerate() {
        match closed.contains(&number) {
            true => drop(file),
            false => std::mem::forget(file),
        }
    }
}
