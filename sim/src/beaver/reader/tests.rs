//! The reader is judged: it is told the truth once and lies many times, and must know which is
//! which.

use super::*;
use crate::beaver::model::{Model, What};
use crate::beaver::{Command, Job, Library, Queue, QueueState};
use crate::subject::{any_op, any_state};

/// When everything here happens.
const AT_MS: u64 = 5;

fn enqueue(ids: &[&str]) -> Command {
    let jobs = ids.iter().map(|id| Job {
        id: (*id).to_owned(),
        payload: "{\"n\":1}".to_owned(),
        max_attempts: 3,
        timeout_ms: 100,
        backoff_ms: [0, 0],
    });
    Command::Enqueue {
        jobs: jobs.collect(),
    }
}

/// Commands as they are when they are given one after the other.
fn ops<const COUNT: usize>(commands: [Command; COUNT]) -> [AnyOp; COUNT] {
    let mut model = Model::default();
    commands.map(|command| {
        let (op, expected) = QueueOp::from(command).resolved(&model, AT_MS);
        assert!(expected.changes, "{op:?} writes something down");
        op.records().iter().for_each(|record| model.apply(record));
        any_op::<Queue<Library>>(op)
    })
}

fn position(epoch: u64, seq: u64) -> Position {
    Position { epoch, seq }
}

/// Three ops that were acknowledged (the second writes down two records), then two in doubt, one of
/// them of two records.
fn history() -> History {
    let mut history = History::new(any_state::<Queue<Library>>(QueueState::default()));
    let [a, bc, dispatch, de, f] = ops([
        enqueue(&["a"]),
        enqueue(&["b", "c"]),
        Command::Dispatch,
        enqueue(&["d", "e"]),
        enqueue(&["f"]),
    ]);
    history.acknowledge(a, Some(position(1, 1)));
    history.acknowledge(bc, Some(position(1, 3)));
    history.acknowledge(dispatch, Some(position(2, 1)));
    history.doubt(de);
    history.doubt(f);
    history
}

/// The truth: what an honest log tells that brought the first `shown` ops in doubt back.
fn truth(shown: usize) -> LogView {
    let history = history();
    let decided = told(history.decided());
    let mut tail: Vec<LogEntry> = decided
        .iter()
        .map(|told| LogEntry {
            position: told.position,
            record: told.record.clone(),
        })
        .collect();
    for record in history.doubtful()[..shown].iter().flat_map(records) {
        let seq = tail[tail.len() - 1].position.seq + 1;
        tail.push(LogEntry {
            position: position(2, seq),
            record: record.clone(),
        });
    }
    LogView {
        applied: tail[tail.len() - 1].position,
        after: Position::default(),
        tail,
    }
}

/// A record that was never asked for.
fn ghost() -> Record {
    let [ghost] = ops([enqueue(&["ghost"])]);
    records(&ghost)[0].clone()
}

/// Changes the truth with `lie` and requires that the judge names `invariant`.
#[track_caller]
fn check_caught(invariant: Invariant, shown: usize, lie: impl FnOnce(&mut LogView)) {
    let mut view = truth(shown);
    lie(&mut view);
    match judge(&history(), &view) {
        Ok(positions) => panic!("the judge believed a lie: {positions:?}"),
        Err(finding) => assert_eq!(finding.invariant, invariant, "{finding:?}"),
    }
}

/// The last position is that of the last entry.
fn applied_to_the_end(view: &mut LogView) {
    view.applied = view.tail[view.tail.len() - 1].position;
}

#[test]
fn the_truth_is_believed_whatever_came_back_of_what_was_in_doubt() {
    assert_eq!(judge(&history(), &truth(0)), Ok(vec![]));
    assert_eq!(judge(&history(), &truth(1)), Ok(vec![position(2, 3)]));
    let both = vec![position(2, 3), position(2, 4)];
    assert_eq!(judge(&history(), &truth(2)), Ok(both));
}

#[test]
fn a_log_without_what_a_snapshot_stands_for_is_believed() {
    let mut view = truth(1);
    view.after = position(1, 3);
    view.tail.drain(..3);
    assert_eq!(judge(&history(), &view), Ok(vec![position(2, 3)]));
}

#[test]
fn every_record_stands_before_the_last_one_of_its_op() {
    let history = history();
    let told = told(history.decided());
    let positions: Vec<Position> = told.iter().map(|told| told.position).collect();
    let expected = [(1, 1), (1, 2), (1, 3), (2, 1)];
    assert_eq!(positions, expected.map(|(epoch, seq)| position(epoch, seq)));
    let ops: Vec<usize> = told.iter().map(|told| told.op).collect();
    assert_eq!(ops, [0, 1, 1, 2]);
}

#[test]
fn a_lost_last_record_is_durability() {
    check_caught(Invariant::Durability, 0, |view| {
        view.tail.pop();
        applied_to_the_end(view);
    });
}

#[test]
fn a_lost_record_in_the_middle_is_durability() {
    check_caught(Invariant::Durability, 0, |view| {
        view.tail.remove(1);
    });
}

#[test]
fn a_record_that_was_never_asked_for_is_a_phantom() {
    check_caught(Invariant::NoPhantom, 2, |view| {
        view.tail.push(LogEntry {
            position: position(2, 5),
            record: ghost(),
        });
        applied_to_the_end(view);
    });
    check_caught(Invariant::NoPhantom, 0, |view| {
        view.tail[1].record = ghost();
    });
}

#[test]
fn a_record_told_twice_is_a_phantom() {
    check_caught(Invariant::NoPhantom, 0, |view| {
        let mut again = view.tail[3].clone();
        again.position.seq = 2;
        view.tail.push(again);
        applied_to_the_end(view);
    });
}

#[test]
fn two_records_in_the_other_order_are_noticed() {
    check_caught(Invariant::Durability, 0, |view| {
        view.tail.swap(1, 2);
        let (one, other) = (view.tail[1].position, view.tail[2].position);
        (view.tail[1].position, view.tail[2].position) = (other, one);
    });
}

#[test]
fn a_wrong_payload_in_the_history_is_a_phantom() {
    check_caught(Invariant::NoPhantom, 0, |view| {
        if let What::Enqueued { payload, .. } = &mut view.tail[0].record.what {
            *payload = "{\"n\":1.0}".to_owned();
        }
    });
}

#[test]
fn half_an_append_is_a_phantom() {
    check_caught(Invariant::NoPhantom, 1, |view| {
        view.tail.pop();
        applied_to_the_end(view);
    });
}

#[test]
fn a_later_op_in_doubt_without_the_earlier_is_a_phantom() {
    check_caught(Invariant::NoPhantom, 2, |view| {
        view.tail.drain(4..6);
        view.tail[4].position.seq = 2;
        applied_to_the_end(view);
    });
}

#[test]
fn what_one_recovery_showed_must_be_shown_by_the_next() {
    let mut history = history();
    history.decide(1, &[position(2, 3)]);
    let wrong = judge(&history, &truth(0)).unwrap_err();
    assert_eq!(wrong.invariant, Invariant::Decided);
    assert_eq!(judge(&history, &truth(1)), Ok(vec![]));
    // And what it did not show must stay away.
    let wrong = judge(&history, &truth(2)).unwrap_err();
    assert_eq!(wrong.invariant, Invariant::NoPhantom);
}

#[test]
fn positions_must_be_true() {
    check_caught(Invariant::Positions, 0, |view| {
        view.applied = position(2, 2);
    });
    check_caught(Invariant::Positions, 0, |view| {
        view.tail[3].position = position(1, 4);
    });
    check_caught(Invariant::Positions, 1, |view| {
        view.tail[5].position.seq += 1;
        view.applied.seq += 1;
    });
}

#[test]
fn a_reader_of_a_log_in_use_sees_all_that_is_decided_and_doubt_only_where_it_may_show() {
    let history = history();
    let told = told(history.decided());
    let read = |view: LogView, may_show| {
        let read = judge_reading(&told, &view.tail, may_show);
        read.map_err(|finding| finding.invariant)
    };
    assert_eq!(read(truth(0), false), Ok(()));
    assert_eq!(read(truth(1), true), Ok(()));
    assert_eq!(read(truth(1), false), Err(Invariant::NoPhantom));
    let changed = |change: fn(&mut LogView)| {
        let mut view = truth(0);
        change(&mut view);
        view
    };
    let missing = changed(|view| drop(view.tail.pop()));
    let elsewhere = changed(|view| view.tail[3].position.seq += 1);
    let other = changed(|view| view.tail[1].record = ghost());
    for view in [missing, elsewhere, other] {
        assert_eq!(read(view, true), Err(Invariant::Idempotence));
    }
}
