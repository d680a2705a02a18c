//! The steps of the protocol that a model showed to be needed, each left out on a history where it
//! matters. With the step the same history holds.

mod schedule;

use beaver_disk::{
    Behaviour, CallEffect, DiskEvent, FailedSync, FailureKind, Fault, Moment, Subset,
};
use beaver_sim::invariant::Invariant;
use beaver_sim::scenario::{FaultKind, Step as Command};
use beaver_sim::subject::Subject;
use beaver_zoo::left_out::Step;

use beaver_zoo::plain::{Bug, Plain};

use schedule::{Schedule, enqueue, enqueue_to_page_end, job, power_cut};

/// Syncs of the first segment: when it is made, and one for each append.
const SYNC: &str = "sync_data wal-0000000001";

/// Writes to it: its header, and one for each append.
const WRITE: &str = "write_at wal-0000000001";

/// The history holds, and violates `invariant` without `step`.
fn check_needed(step: Step, invariant: Invariant, schedule: &Schedule) {
    schedule.check_holds(&Subject::default());
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
    let schedule = Schedule::of([
        enqueue("a"),
        Command::Checkpoint,
        enqueue("b"),
        Command::Kill,
    ])
    .fault(
        "rename wal-0000000002",
        1,
        FaultKind::RenameErrorDone,
        Fault::Error {
            error: FailureKind::Io,
            effect: CallEffect::Everything,
            sticky: false,
        },
    );
    check_needed(Step::UndoOfRotate, Invariant::Honesty, &schedule);
}

#[test]
fn the_directory_is_synced_after_a_rotate_was_undone() {
    let schedule = Schedule::of([enqueue("a"), Command::Checkpoint, enqueue("b"), power_cut()])
        .fault(
            "sync_dir",
            2,
            FaultKind::SyncDirError,
            Fault::FailedSyncDir {
                error: FailureKind::Io,
                durable: Subset::All,
            },
        );
    check_needed(Step::DirectorySyncOfUndo, Invariant::Honesty, &schedule);
}

#[test]
fn markers_are_written_again() {
    let a = enqueue_to_page_end(&[], "a");
    let schedule = Schedule::of([a, Command::Reopen, enqueue("b"), Command::Kill])
        .fault(SYNC, 3, FaultKind::SyncMarkClean, failed_sync())
        .event(
            WRITE,
            4,
            FaultKind::CacheDrop,
            DiskEvent::CacheDrop(Subset::All),
        );
    check_needed(Step::MarkersInRewrite, Invariant::Honesty, &schedule);
}

#[test]
fn the_last_batch_is_written_again_from_the_verified_buffer() {
    let schedule = Schedule::of([enqueue("a"), enqueue("b"), Command::Reopen, power_cut()])
        .fault(SYNC, 3, FaultKind::SyncMarkClean, failed_sync())
        .event(
            "set_len wal-0000000001",
            1,
            FaultKind::CacheDrop,
            DiskEvent::CacheDrop(Subset::All),
        );
    check_needed(Step::VerifiedBuffer, Invariant::Positions, &schedule);
}

#[test]
fn the_last_batch_is_written_again() {
    let schedule = Schedule::of([enqueue("a"), enqueue("b"), Command::Reopen, power_cut()]).fault(
        SYNC,
        3,
        FaultKind::SyncMarkClean,
        failed_sync(),
    );
    check_needed(Step::Rewrite, Invariant::Decided, &schedule);
}

#[test]
fn a_failed_write_or_free_space_is_cut() {
    let a = enqueue_to_page_end(&[], "a");
    let schedule = Schedule::of([a, enqueue("b"), Command::Reopen, power_cut()])
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
    schedule.check_holds(&Step::CutOfFailedWrite.left_out());
    schedule.check_holds(&Step::CutOfFreeSpace.left_out());
    check_needed(Step::BothCuts, Invariant::Decided, &schedule);
}

#[test]
fn open_syncs_also_where_nothing_was_changed() {
    let schedule =
        Schedule::of([enqueue("a"), enqueue("b"), power_cut()]).kill(Moment::Before, SYNC, 3);
    check_needed(Step::IdleSync, Invariant::Decided, &schedule);
}

#[test]
fn what_looks_damaged_is_read_again() {
    let schedule = Schedule::of([enqueue("a"), enqueue("b"), Command::Kill]).fault(
        "read_at wal-0000000001",
        1,
        FaultKind::WrongRead,
        Fault::FlippedRead { byte: 250, bit: 0 },
    );
    check_needed(Step::SecondRead, Invariant::Durability, &schedule);
}

/// The history holds, and violates `invariant` if the reader of the plain store lacks a rule.
fn check_rule(rule: Bug, invariant: Invariant, schedule: &Schedule) {
    schedule.check_holds(&Plain::sound());
    schedule.check_violates(invariant, &Plain::with(rule));
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
        Command::Checkpoint,
        enqueue("b"),
        Command::Checkpoint,
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
    schedule.check_holds(&Subject::default());
    check_rule(Bug::ContiguityEverywhere, Invariant::Honesty, &schedule);
}

#[test]
fn a_gap_is_damage_and_not_yet_corruption() {
    let jobs = ["b", "c", "d"].map(|id| job(id, format!("\"{}\"", "x".repeat(5000))));
    let jobs = jobs.into();
    let schedule = Schedule::of([enqueue("a"), Command::Enqueue { jobs }, power_cut()]).fault(
        SYNC,
        3,
        FaultKind::SyncMarkClean,
        Fault::FailedSync(FailedSync {
            failed: Subset::Only(vec![1]),
            ..FailedSync::default()
        }),
    );
    schedule.check_holds(&Subject::default());
    check_rule(Bug::GapIsCorruption, Invariant::Honesty, &schedule);
}

#[test]
fn proof_is_looked_for_at_every_offset() {
    let schedule = Schedule::of([enqueue("a"), enqueue("b"), enqueue("c"), Command::Kill]);
    let newline = schedule.written(&Plain::sound(), 3).end - 1;
    let schedule = flipped(schedule, newline);
    check_rule(Bug::ProofAtLinesOnly, Invariant::Honesty, &schedule);
}

#[test]
fn a_marker_is_a_proof() {
    let schedule = Schedule::of([enqueue("a"), enqueue("b"), Command::Reopen]);
    let inside = schedule.written(&Plain::sound(), 3).start + 30;
    let schedule = flipped(schedule, inside);
    check_rule(Bug::NoMarkerProof, Invariant::Honesty, &schedule);
}

#[test]
fn the_first_event_of_a_batch_is_a_proof() {
    let schedule = Schedule::of([enqueue("a"), Command::Reopen, enqueue("b"), Command::Kill]);
    let marker = schedule.written(&Plain::sound(), 3).start + 5;
    let flip = DiskEvent::FlipBit {
        file: "wal-0000000001.jsonl".to_owned(),
        offset: marker as u64,
        bit: 0,
    };
    let schedule = schedule.event("lock .", 3, FaultKind::BitFlip, flip);
    check_rule(Bug::NoFirstOfBatchProof, Invariant::Honesty, &schedule);
}
