//! The steps of the protocol that a model showed to be needed, each left out on a history where it
//! matters. With the step the same history holds.

mod schedule;

use beaver::storage::sim::{Behaviour, Effect, Event, FailedSync, Failure, Fault, Moment, Subset};
use beaver_sim::faults::Between;
use beaver_sim::scenario::{FaultKind, Step as Command};
use beaver_sim::zoo::left_out::Step;

use schedule::{Schedule, enqueue, enqueue_to_page_end, power_cut};

/// Syncs of the first segment: when it is made, and one for each append.
const SYNC: &str = "sync_data wal-0000000001";

/// Writes to it: its header, and one for each append.
const WRITE: &str = "write_at wal-0000000001";

/// The history holds, and violates `invariant` without `step`.
fn check_needed(step: Step, invariant: u8, schedule: &Schedule) {
    schedule.check_holds(&Between::default());
    schedule.check_violates(invariant, &step.left_out());
}

fn failed_sync() -> Fault {
    Fault::FailedSync(FailedSync {
        error: Failure::Io,
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
            error: Failure::Io,
            effect: Effect::Everything,
            sticky: false,
        },
    );
    check_needed(Step::UndoOfRotate, 8, &schedule);
}

#[test]
fn the_directory_is_synced_after_a_rotate_was_undone() {
    let schedule = Schedule::of([enqueue("a"), Command::Checkpoint, enqueue("b"), power_cut()])
        .fault(
            "sync_dir",
            2,
            FaultKind::SyncDirError,
            Fault::FailedSyncDir {
                error: Failure::Io,
                durable: Subset::All,
            },
        );
    check_needed(Step::DirectorySyncOfUndo, 8, &schedule);
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
            Event::CacheDrop(Subset::All),
        );
    check_needed(Step::MarkersInRewrite, 8, &schedule);
}

#[test]
fn the_last_batch_is_written_again_from_the_verified_buffer() {
    let schedule = Schedule::of([enqueue("a"), enqueue("b"), Command::Reopen, power_cut()])
        .fault(SYNC, 3, FaultKind::SyncMarkClean, failed_sync())
        .event(
            "set_len wal-0000000001",
            1,
            FaultKind::CacheDrop,
            Event::CacheDrop(Subset::All),
        );
    check_needed(Step::VerifiedBuffer, 9, &schedule);
}

#[test]
fn the_last_batch_is_written_again() {
    let schedule = Schedule::of([enqueue("a"), enqueue("b"), Command::Reopen, power_cut()]).fault(
        SYNC,
        3,
        FaultKind::SyncMarkClean,
        failed_sync(),
    );
    check_needed(Step::Rewrite, 3, &schedule);
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
                error: Failure::Io,
                effect: Effect::Everything,
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
    check_needed(Step::BothCuts, 3, &schedule);
}

#[test]
fn open_syncs_also_where_nothing_was_changed() {
    let schedule =
        Schedule::of([enqueue("a"), enqueue("b"), power_cut()]).kill(Moment::Before, SYNC, 3);
    check_needed(Step::IdleSync, 3, &schedule);
}

#[test]
fn what_looks_damaged_is_read_again() {
    let schedule = Schedule::of([enqueue("a"), enqueue("b"), Command::Kill]).fault(
        "read_at wal-0000000001",
        1,
        FaultKind::WrongRead,
        Fault::FlippedRead { byte: 250, bit: 0 },
    );
    check_needed(Step::SecondRead, 1, &schedule);
}
