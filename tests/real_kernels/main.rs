//! What only a real kernel does: a device that refuses to write, a full file system, a quota.
//!
//! Needs root, in a mount namespace of its own; a test that cannot have what it needs is left out and
//! says why.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod device;
#[path = "../../storage/tests/private_mounts/mod.rs"]
#[expect(
    dead_code,
    reason = "the tests of full file systems use the rest of it"
)]
mod private_mounts;

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use beaver::storage::DiskStorage;
use beaver::{CommandError, Controller, ControllerOptions, Error, JobId, JobSpec, Payload};
use device::{RefusingDevice, run};
use private_mounts::{SmallFileSystem, with_private_mounts};
use tempfile::tempdir;

fn open(directory: &Path, preallocate_bytes: u64) -> beaver::Result<Controller> {
    let storage = Arc::new(DiskStorage::open(directory).expect("an open directory"));
    let mut options = ControllerOptions::default();
    options.store.wal.preallocate_bytes = preallocate_bytes;
    Controller::open(storage, options).map(|(controller, _)| controller)
}

/// Enqueues a job with `filling` bytes to carry.
fn enqueue(controller: &mut Controller, name: &str, filling: &str) -> Result<(), Error> {
    let payload = Payload::new(format!("\"{filling}\"")).expect("a valid payload");
    let spec = JobSpec::new(JobId::new(name).expect("a valid name"), payload);
    controller.enqueue(spec).map_err(|error| match error {
        CommandError::Log(error) => error,
        CommandError::Rejected(error) => panic!("a new job was refused: {error}"),
    })
}

fn has(controller: &Controller, name: &str) -> bool {
    let id = JobId::new(name).expect("a valid name");
    controller.state().status(&id).is_some()
}

/// A new ext4, as it is mounted by default.
fn ext4_image() -> Result<Vec<u8>, String> {
    let directory = tempdir().unwrap();
    let path = directory.path().join("image");
    fs::File::create(&path).unwrap().set_len(16 << 20).unwrap();
    run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&path))?;
    Ok(fs::read(&path).unwrap())
}

const MARKER: &str = "REFUSED-BY-THE-DEVICE";

/// The device refuses the write-back of a batch of `refused` bytes once, after `before` bytes of
/// others. The store is opened again on the same mount, goes on, and the power is cut. Says what was
/// lost of what was acknowledged after that.
fn refused_once(image: &[u8], before: usize, refused: usize) -> Result<Option<String>, String> {
    let directory = tempdir().unwrap();
    let device = RefusingDevice::mount(image.to_vec(), directory.path())?;
    let store = device.path().join("store");
    let mut owner = open(&store, 0).unwrap();
    enqueue(&mut owner, "before", &"b".repeat(before)).unwrap();
    device.refuse(MARKER.as_bytes());
    let filling = MARKER.repeat(refused / MARKER.len() + 1);
    let error = enqueue(&mut owner, "refused", &filling).unwrap_err();
    assert!(error.is_indeterminate(), "{error}");
    assert!(device.refused() > 0);
    drop(owner);

    let mut again = open(&store, 0).unwrap();
    let shown = has(&again, "refused");
    let later: Vec<_> = (0..3).map(|number| format!("later-{number}")).collect();
    for name in &later {
        enqueue(&mut again, name, "x").unwrap();
    }
    let left = device.image();
    drop(again);
    drop(device);

    let directory = tempdir().unwrap();
    let device = RefusingDevice::mount(left, directory.path())?;
    let lost = match open(&device.path().join("store"), 0) {
        Err(error) => Some(format!("refused: {error}")),
        Ok(found) => {
            let mut promised: Vec<&str> = later.iter().map(String::as_str).collect();
            promised.push("before");
            promised.extend(shown.then_some("refused"));
            let lost: Vec<_> = promised
                .into_iter()
                .filter(|name| !has(&found, name))
                .collect();
            (!lost.is_empty()).then(|| format!("lost: {lost:?}"))
        }
    };
    Ok(lost)
}

#[test]
fn a_device_that_refused_a_write_once_loses_nothing_that_is_acknowledged_later() {
    with_private_mounts(
        "a_device_that_refused_a_write_once_loses_nothing_that_is_acknowledged_later",
        || {
            let image = match ext4_image() {
                Ok(image) => image,
                Err(reason) => return println!("left out: {reason}"),
            };
            let mut lost = Vec::new();
            for before in [10, 3_000, 3_700, 9_000] {
                for refused in [40, 700, 5_000, 14_000] {
                    match refused_once(&image, before, refused) {
                        Err(reason) => {
                            println!("left out: {reason}");
                            return;
                        }
                        Ok(None) => {}
                        Ok(Some(what)) => lost.push(format!("{before}, {refused}: {what}")),
                    }
                }
            }
            assert!(lost.is_empty(), "{} of 16: {lost:#?}", lost.len());
        },
    );
}

/// The bytes of the file, a page and a half.
fn again() -> Vec<u8> {
    b"again".repeat(1_200)
}

fn put(mut file: &fs::File, bytes: &[u8]) {
    file.write_all(bytes).unwrap();
    file.sync_all().unwrap();
}

/// What a power cut leaves of a file whose first sync failed, when `again` has then written and synced it.
fn after_refusal(image: &[u8], again: impl Fn(&Path)) -> Result<Vec<u8>, String> {
    let directory = tempdir().unwrap();
    let device = RefusingDevice::mount(image.to_vec(), directory.path())?;
    let path = device.path().join("file");
    device.refuse(MARKER.as_bytes());
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(MARKER.repeat(400).as_bytes()).unwrap();
    file.sync_all().unwrap_err();
    assert!(device.refused() > 0);
    drop(file);
    again(&path);
    fs::File::open(device.path()).unwrap().sync_all().unwrap();
    let left = device.image();
    drop(device);

    let directory = tempdir().unwrap();
    let device = RefusingDevice::mount(left, directory.path())?;
    Ok(fs::read(device.path().join("file")).unwrap())
}

/// Where the rule of `mark-clean-unwritten` ends that the simulated disk has: a page that was cut away whole, and one of
/// a new file, is written as any other. Those that are only overwritten are printed: Linux 6.18 loses them.
#[test]
fn pages_that_were_cut_away_after_a_failed_sync_are_written_again() {
    with_private_mounts(
        "pages_that_were_cut_away_after_a_failed_sync_are_written_again",
        || {
            let image = match ext4_image() {
                Ok(image) => image,
                Err(reason) => return println!("left out: {reason}"),
            };
            for is_new in [false, true] {
                let left = after_refusal(&image, |path| {
                    if is_new {
                        fs::remove_file(path).unwrap();
                    }
                    put(&fs::File::create(path).unwrap(), &again());
                });
                match left {
                    Err(reason) => return println!("left out: {reason}"),
                    Ok(left) => assert!(left == again(), "a new file: {is_new}"),
                }
            }
            let cut_to = |len: u64| {
                after_refusal(&image, |path| {
                    let file = fs::File::options().append(true).open(path).unwrap();
                    file.set_len(len).unwrap();
                    put(&file, &again());
                })
                .unwrap()
            };
            let left = cut_to(4096);
            assert!(left[4096..] == again(), "cut to a page");
            println!("the page that stayed is lost: {}", is_blank(&left[..4096]));
            let left = cut_to(100);
            println!("a page cut in part is lost: {}", is_blank(&left[..4096]));
            let left = after_refusal(&image, |path| {
                put(
                    &fs::File::options().write(true).open(path).unwrap(),
                    &again(),
                );
            });
            let first = is_blank(&left.unwrap()[..4096]);
            println!("a page that is overwritten is lost: {first}");
        },
    );
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Enqueues jobs of a kilobyte until one is refused: how many there are then, and the error.
fn enqueue_until_refused(owner: &mut Controller) -> (usize, Error) {
    loop {
        let number = owner.state().pending().count();
        if let Err(error) = enqueue(owner, &format!("job-{number}"), &"x".repeat(1_000)) {
            return (number, error);
        }
    }
}

#[test]
fn a_quota_that_is_used_up_loses_nothing_and_stops_only_until_there_is_room() {
    with_private_mounts(
        "a_quota_that_is_used_up_loses_nothing_and_stops_only_until_there_is_room",
        || {
            let small = match SmallFileSystem::btrfs() {
                Ok(small) => small,
                Err(reason) => return println!("left out: {reason}"),
            };
            let limit = |bytes: &str| {
                let mut limit = Command::new("btrfs");
                run(limit.args(["qgroup", "limit", bytes]).arg(small.path()))
            };
            let mut enable = Command::new("btrfs");
            let enabled = run(enable.args(["quota", "enable"]).arg(small.path()));
            if let Err(reason) = enabled.and_then(|()| limit("3M")) {
                return println!("left out: {reason}");
            }
            for preallocate_bytes in [0, 256 << 10] {
                limit("3M").unwrap();
                let store = small.path().join(format!("store-{preallocate_bytes}"));
                let mut owner = open(&store, preallocate_bytes).unwrap();
                let (acknowledged, error) = enqueue_until_refused(&mut owner);
                println!("{preallocate_bytes} bytes ahead: {acknowledged} jobs, then {error}");
                assert_eq!(error.io_kind(), Some(ErrorKind::QuotaExceeded), "{error}");
                assert!(error.is_full(), "{error}");
                // Taking back a write can need room too: Btrfs writes what is left of a page anew.
                assert_eq!(error.is_indeterminate(), owner.poisoned().is_some());
                limit("8M").unwrap();
                drop(owner);
                let mut again = open(&store, preallocate_bytes).unwrap();
                let found = again.state().pending().count();
                let last = usize::from(error.is_indeterminate());
                assert!(
                    (acknowledged..=acknowledged + last).contains(&found),
                    "{found}"
                );
                enqueue(&mut again, "later", "x").unwrap();
                again.close().unwrap();
                fs::remove_dir_all(&store).unwrap();
            }
        },
    );
}
