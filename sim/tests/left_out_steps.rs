//! The steps of the protocol that a model showed to be needed, each left out on a history where it
//! matters. With the step the same history holds.

mod schedule;

use beaver_disk::{
    Behaviour, CallEffect, DiskEvent, FailedSync, FailureKind, Fault, Moment, Subset,
};
use beaver_sim::beaver::Command;
use beaver_sim::invariant::Invariant;
use beaver_sim::scenario::{FaultKind, Step};
use beaver_zoo::interposed::library;
use beaver_zoo::left_out::ProtocolStep;
use beaver_zoo::plain::{PlainBug, PlainStore};

use schedule::{Schedule, enqueue, enqueue_to_page_end, job, power_cut, step};

/// Syncs of the first segment: when it is made, and one for each append.
const SYNC: &str = "sync_data wal-0000000001";

/// Writes to it: its header, and one for each append.
const WRITE: &str = "write_at wal-0000000001";

/// The history holds, and violates `invariant` without `step`.
fn check_needed(step: ProtocolStep, invariant: Invariant, schedule: &Schedule) {
    schedule.check_holds(&library());
    schedule.check_violates(invariant, &step.left_out());
}

fn failed_sync() -> Fault {
    Fault::FailedSync(FailedSync {
        error: FailureKind::Io,
        behaviour: Behaviour::MarkClean,
        failed: Subset::All,
        ..FailedSync::default()
    })
}

#[test]
fn a_failed_rotate_is_undone() {
    let schedule = Schedule::of([enqueue("a"), Step::Checkpoint, enqueue("b"), Step::Kill]).fault(
        "rename wal-0000000002",
        1,
        FaultKind::RenameErrorAfterEffect,
        Fault::Error {
            error: FailureKind::Io,
            effect: CallEffect::Everything,
            sticky: false,
        },
    );
    check_needed(ProtocolStep::UndoOfRotate, Invariant::Honesty, &schedule);
}

#[test]
fn the_directory_is_synced_after_a_rotate_was_undone() {
    let schedule = Schedule::of([enqueue("a"), Step::Checkpoint, enqueue("b"), power_cut()]).fault(
        "sync_dir",
        2,
        FaultKind::SyncDirError,
        Fault::FailedSyncDir {
            error: FailureKind::Io,
            durable: Subset::All,
        },
    );
    check_needed(
        ProtocolStep::DirectorySyncOfUndo,
        Invariant::Honesty,
        &schedule,
    );
}

#[test]
fn markers_are_written_again() {
    let a = enqueue_to_page_end(&[], "a");
    let schedule = Schedule::of([a, Step::Reopen, enqueue("b"), Step::Kill])
        .with_cache_kept()
        .fault(SYNC, 3, FaultKind::SyncMarkClean, failed_sync())
        .event(
            WRITE,
            4,
            FaultKind::CacheDrop,
            DiskEvent::CacheDrop(Subset::All),
        );
    check_needed(
        ProtocolStep::MarkersInRewrite,
        Invariant::Honesty,
        &schedule,
    );
}

#[test]
fn the_last_batch_is_written_again_from_the_verified_buffer() {
    let schedule = Schedule::of([enqueue("a"), enqueue("b"), Step::Reopen, power_cut()])
        .with_cache_kept()
        .fault(SYNC, 3, FaultKind::SyncMarkClean, failed_sync())
        .event(
            "set_len wal-0000000001",
            1,
            FaultKind::CacheDrop,
            DiskEvent::CacheDrop(Subset::All),
        );
    check_needed(
        ProtocolStep::VerifiedBuffer,
        Invariant::Positions,
        &schedule,
    );
}

#[test]
fn the_last_batch_is_written_again() {
    let schedule = Schedule::of([enqueue("a"), enqueue("b"), Step::Reopen, power_cut()])
        .with_cache_kept()
        .fault(SYNC, 3, FaultKind::SyncMarkClean, failed_sync());
    check_needed(ProtocolStep::Rewrite, Invariant::Decided, &schedule);
}

#[test]
fn a_failed_write_or_free_space_is_cut() {
    let a = enqueue_to_page_end(&[], "a");
    let schedule = Schedule::of([a, enqueue("b"), Step::Reopen, power_cut()])
        .with_cache_kept()
        .fault(
            WRITE,
            3,
            FaultKind::WriteError,
            Fault::Error {
                error: FailureKind::Io,
                effect: CallEffect::Everything,
                sticky: false,
            },
        )
        .fault(
            SYNC,
            3,
            FaultKind::SyncMarkClean,
            Fault::FailedSync(FailedSync {
                left: [(1, 1)].into(),
                ..FailedSync::default()
            }),
        );
    schedule.check_holds(&ProtocolStep::CutOfFailedWrite.left_out());
    schedule.check_holds(&ProtocolStep::CutOfFreeSpace.left_out());
    check_needed(ProtocolStep::BothCuts, Invariant::Decided, &schedule);
}

#[test]
fn open_syncs_also_where_nothing_was_changed() {
    let schedule =
        Schedule::of([enqueue("a"), enqueue("b"), power_cut()]).kill(Moment::Before, SYNC, 3);
    check_needed(ProtocolStep::IdleSync, Invariant::Decided, &schedule);
}

#[test]
fn what_looks_damaged_is_read_again() {
    let schedule = Schedule::of([enqueue("a"), enqueue("b"), Step::Kill]).fault(
        "read_at wal-0000000001",
        1,
        FaultKind::WrongRead,
        Fault::FlippedRead { byte: 250, bit: 0 },
    );
    check_needed(ProtocolStep::SecondRead, Invariant::Durability, &schedule);
}

/// The history holds, and violates `invariant` if the reader of the plain store lacks a rule.
fn check_rule(rule: PlainBug, invariant: Invariant, schedule: &Schedule) {
    schedule.check_holds(&PlainStore::sound());
    schedule.check_violates(invariant, &PlainStore::with(rule));
}

/// The second process starts: what is damaged before it is damaged at rest.
const SECOND_PROCESS: &str = "lock .";

/// Bit 0 of one byte of the first segment is wrong when the second process starts.
fn flipped(schedule: Schedule, offset: usize) -> Schedule {
    let flip = DiskEvent::FlipBit {
        file: "wal-0000000001.jsonl".to_owned(),
        offset: offset as u64,
        bit: 0,
    };
    schedule.event(SECOND_PROCESS, 2, FaultKind::BitFlip, flip)
}

#[test]
fn segments_must_be_contiguous_above_the_snapshot_only() {
    let schedule = Schedule::of([
        enqueue("a"),
        Step::Checkpoint,
        enqueue("b"),
        Step::Checkpoint,
        power_cut(),
    ])
    .fault(
        "create snapshot-0000000001",
        1,
        FaultKind::CreateError,
        Fault::Error {
            error: FailureKind::Io,
            effect: CallEffect::Nothing,
            sticky: false,
        },
    )
    // The prune removes two segments, and the removal of the second alone is durable.
    .fault(
        "sync_dir",
        5,
        FaultKind::SyncDirError,
        Fault::FailedSyncDir {
            error: FailureKind::Io,
            durable: Subset::Mask(0b10),
        },
    );
    schedule.check_holds(&library());
    check_rule(
        PlainBug::ContiguityEverywhere,
        Invariant::Honesty,
        &schedule,
    );
}

#[test]
fn a_gap_is_damage_and_not_yet_corruption() {
    let jobs = ["b", "c", "d"].map(|id| job(id, format!("\"{}\"", "x".repeat(5000))));
    let jobs = jobs.into();
    let schedule = Schedule::of([enqueue("a"), step(Command::Enqueue { jobs }), power_cut()])
        .fault(
            SYNC,
            3,
            FaultKind::SyncMarkClean,
            Fault::FailedSync(FailedSync {
                failed: Subset::Only(vec![1]),
                ..FailedSync::default()
            }),
        );
    schedule.check_holds(&library());
    check_rule(PlainBug::GapIsCorruption, Invariant::Honesty, &schedule);
}

#[test]
fn proof_is_looked_for_at_every_offset() {
    let schedule = Schedule::of([enqueue("a"), enqueue("b"), enqueue("c"), Step::Kill]);
    let newline = schedule.written(&PlainStore::sound(), 3).end - 1;
    let schedule = flipped(schedule, newline);
    check_rule(PlainBug::ProofAtLinesOnly, Invariant::Honesty, &schedule);
}

#[test]
fn a_marker_is_a_proof() {
    let schedule = Schedule::of([enqueue("a"), enqueue("b"), Step::Reopen]);
    let inside = schedule.written(&PlainStore::sound(), 3).start + 30;
    let schedule = flipped(schedule, inside);
    check_rule(PlainBug::NoMarkerProof, Invariant::Honesty, &schedule);
}

#[test]
fn the_first_event_of_a_batch_is_a_proof() {
    let schedule = Schedule::of([enqueue("a"), Step::Reopen, enqueue("b"), Step::Kill]);
    let marker = schedule.written(&PlainStore::sound(), 3).start + 5;
    let flip = DiskEvent::FlipBit {
        file: "wal-0000000001.jsonl".to_owned(),
        offset: marker as u64,
        bit: 0,
    };
    let schedule = schedule.event("lock .", 3, FaultKind::BitFlip, flip);
    check_rule(PlainBug::NoFirstOfBatchProof, Invariant::Honesty, &schedule);
}
