//! The judge is judged: it is told the truth once and lies many times, and must know which is
//! which.

use super::*;
use crate::invariant::Invariant;
use crate::oracle::model::{Model, Standing, What};

fn enqueue(id: &str) -> Record {
    Record {
        id: id.to_owned(),
        at_ms: 5,
        what: What::Enqueued {
            payload: "{\"n\":1}".to_owned(),
            max_attempts: 3,
            timeout_ms: 100,
        },
    }
}

fn place(epoch: u64, seq: u64) -> Place {
    Place { epoch, seq }
}

/// Three acknowledged commands (the second a group of two), then two groups in doubt, one of them
/// of two records.
fn history() -> History {
    let mut history = History::default();
    history.acknowledge(vec![enqueue("a")], place(1, 1));
    history.acknowledge(vec![enqueue("b"), enqueue("c")], place(1, 3));
    let dispatch = Record {
        id: "a".to_owned(),
        at_ms: 6,
        what: What::Dispatched,
    };
    history.acknowledge(vec![dispatch], place(2, 1));
    history.doubt(vec![enqueue("d"), enqueue("e")]);
    history.doubt(vec![enqueue("f")]);
    history
}

/// The truth: what an honest store shows that brought the first `groups` groups in doubt back.
fn truth(groups: usize) -> View {
    let history = history();
    let mut tail: Vec<Entry> = history
        .decided()
        .iter()
        .map(|d| Entry {
            place: d.place,
            record: d.record.clone(),
        })
        .collect();
    let mut state = history.state().clone();
    for record in history.doubtful()[..groups].iter().flatten() {
        state.apply(record);
        let seq = tail.last().unwrap().place.seq + 1;
        tail.push(Entry {
            place: place(2, seq),
            record: record.clone(),
        });
    }
    View {
        state: Shown::from(&state),
        applied: tail.last().unwrap().place,
        after: Place::default(),
        tail,
        from_snapshot: false,
    }
}

/// Changes the truth with `lie` and requires that the judge names `invariant`.
#[track_caller]
fn check_caught(invariant: Invariant, groups: usize, lie: impl FnOnce(&mut View)) {
    let mut view = truth(groups);
    lie(&mut view);
    match judge(&history(), &view) {
        Ok(verdict) => panic!("the judge believed a lie: {verdict:?}"),
        Err(wrong) => {
            let finding = wrong.finding();
            assert_eq!(finding.invariant, invariant, "{finding:?}");
        }
    }
}

fn refold(view: &mut View) {
    view.state = Shown::from(&Model::fold(view.tail.iter().map(|entry| &entry.record)));
    view.applied = view.tail.last().unwrap().place;
}

#[test]
fn the_truth_is_believed_whatever_came_back_of_what_was_in_doubt() {
    for (groups, records) in [(0, 0), (1, 2), (2, 3)] {
        let verdict = judge(&history(), &truth(groups)).unwrap();
        assert_eq!((verdict.groups, verdict.places.len()), (groups, records));
    }
}

#[test]
fn a_store_that_forgot_the_start_behind_a_snapshot_is_believed() {
    let mut view = truth(1);
    view.after = place(1, 3);
    view.tail.drain(..3);
    view.from_snapshot = true;
    assert_eq!(judge(&history(), &view).unwrap().groups, 1);
}

#[test]
fn a_lost_last_record_is_durability() {
    check_caught(Invariant::Durability, 0, |view| {
        view.tail.pop();
        refold(view);
    });
}

#[test]
fn a_lost_record_in_the_middle_is_durability() {
    check_caught(Invariant::Durability, 0, |view| {
        view.tail.remove(1);
        refold(view);
    });
}

#[test]
fn a_record_that_nobody_asked_for_is_a_phantom() {
    check_caught(Invariant::NoPhantom, 2, |view| {
        view.tail.push(Entry {
            place: place(2, 5),
            record: enqueue("ghost"),
        });
        refold(view);
    });
    check_caught(Invariant::NoPhantom, 0, |view| {
        view.tail[1].record = enqueue("ghost")
    });
}

#[test]
fn a_record_told_twice_is_a_phantom() {
    check_caught(Invariant::NoPhantom, 0, |view| {
        let mut again = view.tail[3].clone();
        again.place.seq = 2;
        view.tail.push(again);
        refold(view);
    });
}

#[test]
fn two_records_in_the_other_order_are_noticed() {
    check_caught(Invariant::Durability, 0, |view| {
        view.tail.swap(1, 2);
        let (a, b) = (view.tail[1].place, view.tail[2].place);
        (view.tail[1].place, view.tail[2].place) = (b, a);
        refold(view);
    });
}

#[test]
fn a_wrong_payload_in_the_history_is_a_phantom() {
    check_caught(Invariant::NoPhantom, 0, |view| {
        let mut record = enqueue("a");
        if let What::Enqueued { payload, .. } = &mut record.what {
            *payload = "{\"n\":1.0}".to_owned();
        }
        view.tail[0].record = record;
    });
}

#[test]
fn half_a_group_is_a_phantom() {
    check_caught(Invariant::NoPhantom, 1, |view| {
        view.tail.pop();
        refold(view);
    });
}

#[test]
fn a_later_group_in_doubt_without_the_earlier_is_a_phantom() {
    check_caught(Invariant::NoPhantom, 2, |view| {
        view.tail.drain(4..6);
        view.tail[4].place.seq = 2;
        refold(view);
    });
}

#[test]
fn what_one_recovery_showed_must_be_shown_by_the_next() {
    let mut history = history();
    history.decide(1, &[place(2, 2), place(2, 3)]);
    let wrong = judge(&history, &truth(0)).unwrap_err();
    assert_eq!(wrong.finding().invariant, Invariant::Decided);
    assert!(judge(&history, &truth(1)).is_ok());
    // And what it did not show must stay away.
    let wrong = judge(&history, &truth(2)).unwrap_err();
    assert_eq!(wrong.finding().invariant, Invariant::NoPhantom);
}

#[test]
fn every_field_of_the_state_counts() {
    for (invariant, from_snapshot) in [
        (Invariant::State, false),
        (Invariant::SnapshotEquivalence, true),
    ] {
        let check = |change: fn(&mut Shown)| {
            check_caught(invariant, 0, |view| {
                view.from_snapshot = from_snapshot;
                change(&mut view.state);
            });
        };
        check(|state| state.jobs[0].attempts += 1);
        check(|state| state.jobs[0].standing = Standing::Waiting);
        check(|state| state.jobs[1].payload.push(' '));
        check(|state| state.jobs[1].max_attempts += 1);
        check(|state| state.jobs[1].timeout_ms += 1);
        check(|state| state.waiting.swap(0, 1));
        check(|state| drop(state.waiting.pop()));
        check(|state| drop(state.jobs.pop()));
        check(|state| state.dead.push("a".to_owned()));
        // One job twice, and another one not at all.
        check(|state| state.jobs[1] = state.jobs[0].clone());
    }
}

#[test]
fn positions_must_be_true() {
    check_caught(Invariant::Positions, 0, |view| view.applied = place(2, 2));
    check_caught(Invariant::Positions, 0, |view| {
        view.tail[3].place = place(1, 4)
    });
    check_caught(Invariant::Positions, 1, |view| {
        view.tail[5].place.seq += 1;
        view.applied.seq += 1;
    });
}
