//! Every error that the library can answer with is answered by something, and says where and why.

use std::io::ErrorKind;
use std::sync::Arc;

use beaver::storage::{InterposedFile, Interposer, interpose};
use beaver::store::CommandError;
use beaver::wal::{BatchWriter, QueueOptions};
use beaver::{Controller, ControllerOptions, Error, JobError, JobId, SnapshotStore};

use crate::support::*;

/// How a variant comes about.
type Producer = (&'static str, fn() -> Error);

const PRODUCED: &[Producer] = &[
    ("ChecksumMismatch", || {
        let disk = log_of(1..=2);
        let text = disk.text(WAL1).replace("\"event\":1", "\"event\":9");
        disk.put(WAL1, text);
        recover_error(&disk)
    }),
    ("Corrupt", || {
        recover_error(&Lines::first().damaged(1, 1).event(2, 2).disk())
    }),
    ("SequenceGap", || {
        recover_error(&Lines::first().event(2, 2).disk())
    }),
    ("BrokenChain", || {
        let disk = Memory::new();
        Lines::after(2, 0).on(&disk);
        open_error(&disk)
    }),
    ("NoSnapshot", || {
        let disk = store_with(2, store_options());
        flip(&disk, &snapshot(1), 333);
        flip(&disk, &snapshot(2), 333);
        recover_error(&disk)
    }),
    ("Version", || {
        let newer = "{\"wal\":\"beaver\",\"version\":3,\"x\":0";
        let log = Lines::headless(1).line(beaver::ChecksumKind::Header, newer);
        open_error(&log.disk())
    }),
    ("UnknownEvent", || {
        recover_error(&Lines::first().any_event(1, 1, false, "\"unknown\"").disk())
    }),
    ("IllegalEvent", || {
        recover_error(&Lines::first().any_event(1, 1, false, "\"illegal\"").disk())
    }),
    ("InvalidState", || {
        let disk = store_with(1, store_options());
        disk.put(&snapshot(1), lines::snapshot_document(1, 2, "0"));
        recover_error(&disk)
    }),
    ("UnstableRead", || {
        let disk = Lines::first().event(1, 1).raw("torn").disk();
        let offset = disk.bytes(WAL1).len() as u64 - 2;
        for nth in 0..40_u8 {
            disk.inject(Fault::on(Op::Read, "wal").wrong(offset, nth + 1));
        }
        open_error(&disk)
    }),
    ("NoStore", || {
        let disk = Memory::new();
        disk.put("wal-0000000001.jsonl.gz", "");
        open_error(&disk)
    }),
    ("OutOfResources", || {
        let disk = store_with(1, store_options());
        let endless = interpose(disk.storage(), Arc::new(EndlessSnapshots));
        SnapshotStore::new(endless).load().unwrap_err()
    }),
    ("Locked", || {
        let disk = log_of(1..=1);
        let _owner = open(&disk);
        try_open(&disk).unwrap_err()
    }),
    ("Poisoned", || {
        let disk = log_of(1..=1);
        let mut wal = open(&disk);
        disk.inject(Fault::on(Op::SyncData, "wal"));
        wal.append(&[line(2)]).unwrap_err();
        wal.append(&[line(3)]).unwrap_err()
    }),
    ("Closed", || {
        let writer = BatchWriter::new(open(&Memory::new()), QueueOptions::default()).unwrap();
        writer.close().unwrap();
        writer.append(&[line(1)]).unwrap_err()
    }),
    ("Indeterminate", || {
        let disk = log_of(1..=1);
        let mut wal = open(&disk);
        disk.inject(Fault::on(Op::SyncData, "wal").kind(ErrorKind::StorageFull));
        wal.append(&[line(2)]).unwrap_err()
    }),
    ("TooLarge", || {
        let event = line("x".repeat(17 << 20));
        open(&Memory::new()).append(&[event]).unwrap_err()
    }),
    ("InvalidEvent", || {
        SnapshotStore::new(Memory::new().storage())
            .write(at(1, 1), b"\n")
            .unwrap_err()
    }),
    ("Refused", || {
        let (empty, out) = (Memory::new().storage(), Memory::new().storage());
        beaver::inspect::repair(&empty, &out, COPY).unwrap_err()
    }),
    ("RotateFirst", || {
        let disk = Lines::first().lost(1, u64::MAX - 1).disk();
        open(&disk).append(&[line(1)]).unwrap_err()
    }),
    ("Storage", || {
        let disk = log_of(1..=1);
        disk.inject(Fault::on(Op::Open, WAL1).kind(ErrorKind::PermissionDenied));
        open_error(&disk)
    }),
];

/// Snapshots say that they are larger than all memory.
#[derive(Debug)]
struct EndlessSnapshots;

impl Interposer for EndlessSnapshots {
    fn len(&self, file: &InterposedFile) -> std::io::Result<u64> {
        match file.name().starts_with("snapshot-") {
            true => Ok(1 << 62),
            false => file.next().len(),
        }
    }
}

/// The name of a variant.
fn variant(error: &Error) -> String {
    let debug = format!("{error:?}");
    let end = debug.find(|c: char| !c.is_alphanumeric());
    debug[..end.unwrap_or(debug.len())].to_owned()
}

#[test]
fn every_error_is_produced() {
    for (name, produce) in PRODUCED {
        assert_eq!(variant(&produce()), *name);
    }
}

#[test]
fn every_variant_of_the_source_is_in_the_table() {
    let source = include_str!("../../src/error.rs");
    let body = source.split("pub enum Error {").nth(1).unwrap();
    let body = body.split("\n}\n").next().unwrap();
    let is_variant = |line: &&str| {
        let inner = line.strip_prefix("    ").unwrap_or(" ");
        inner.starts_with(|c: char| c.is_ascii_uppercase())
    };
    let variants = body.lines().filter(is_variant);
    let names: Vec<_> = variants
        .map(|line| line.trim().trim_end_matches([' ', '{', ',']).to_owned())
        .collect();
    let mut produced: Vec<_> = PRODUCED
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let mut names = names;
    names.sort();
    produced.sort();
    assert_eq!(names, produced);
}

#[test]
fn every_error_about_a_file_names_it_and_the_offset() {
    for (name, produce) in PRODUCED {
        let (error, text) = (produce(), produce().to_string());
        let place = [
            "ChecksumMismatch",
            "Corrupt",
            "SequenceGap",
            "UnknownEvent",
            "UnstableRead",
        ];
        if place.contains(name) {
            assert!(text.contains(WAL1) && text.contains("byte"), "{text}");
        }
        assert!(!text.is_empty() && !text.ends_with('.'), "{text}");
        assert_eq!(variant(&error.clone()), *name);
    }
}

#[test]
fn only_an_indeterminate_error_leaves_the_outcome_open() {
    for (name, produce) in PRODUCED {
        assert_eq!(produce().is_indeterminate(), *name == "Indeterminate");
    }
}

#[test]
fn the_kind_of_the_storage_error_is_known_whatever_it_was_wrapped_in() {
    let kind = |name: &str| {
        let (_, produce) = PRODUCED.iter().find(|(other, _)| *other == name).unwrap();
        produce().io_kind()
    };
    assert_eq!(kind("Storage"), Some(ErrorKind::PermissionDenied));
    assert_eq!(kind("Indeterminate"), Some(ErrorKind::StorageFull));
    assert_eq!(kind("Poisoned"), Some(ErrorKind::Other));
    assert_eq!(kind("Corrupt"), None);
}

#[test]
fn a_command_that_the_queue_rejects_is_told_from_one_that_the_log_could_not_take() {
    let disk = Memory::new();
    let (mut queue, _) = Controller::open(disk.storage(), ControllerOptions::default()).unwrap();
    let id = JobId::new("nobody").unwrap();
    let rejected: Result<(), CommandError<JobError>> = queue.ack(&id, 1);
    assert!(matches!(rejected, Err(CommandError::Rejected(_))));
}
