use beaver::ManualClock;
use beaver_disk::{Disk, Profile, SimOptions};

use super::*;
use crate::beaver::command::Job;
use crate::beaver::model::Model;
use crate::beaver::{Library, Queue, RequestLog};
use crate::subject::{AnySubject, Damaged, Machine, any_op, any_state};

/// A log that says that this is durable.
struct Durable {
    position: Position,
    report: OpenReport,
}

impl OpenLog for Durable {
    fn report(&self) -> &OpenReport {
        &self.report
    }

    fn applied(&self) -> Position {
        self.position
    }
}

fn enqueue(ids: &[&str]) -> AnyOp {
    let jobs = ids.iter().map(|id| Job {
        id: (*id).to_owned(),
        payload: "1".to_owned(),
        max_attempts: 1,
        timeout_ms: 1,
        backoff_ms: [0, 0],
    });
    let command = Command::Enqueue {
        jobs: jobs.collect(),
    };
    let (op, _) = QueueOp::from(command).resolved(&Model::default(), 0);
    any_op::<RequestLog>(op)
}

/// One op is acknowledged at 1:2, and two were answered since: one record, and two.
fn check_durable(epoch: u64, seq: u64) -> Result<usize, Invariant> {
    let at = |epoch, seq| Some(Position { epoch, seq });
    let mut history = History::new(any_state::<RequestLog>(QueueState::default()));
    history.acknowledge(enqueue(&["a", "b"]), at(1, 2));
    history.answer(enqueue(&["c"]), at(2, 1));
    history.answer(enqueue(&["d", "e"]), at(2, 3));
    let documented = Documented::<_, Durable>::new(Library, any_op::<RequestLog>);
    let mut store = Durable {
        position: Position { epoch, seq },
        report: OpenReport::default(),
    };
    let checked = documented.check_durable(&mut store, &history);
    checked.map_err(|finding| finding.invariant)
}

#[test]
fn what_is_durable_ends_with_an_append() {
    assert_eq!(check_durable(1, 2), Ok(2));
    assert_eq!(check_durable(2, 0), Ok(2), "an empty segment");
    assert_eq!(check_durable(2, 1), Ok(1));
    assert_eq!(check_durable(2, 2), Err(Invariant::Positions));
    assert_eq!(check_durable(2, 3), Ok(0));
}

#[test]
fn what_is_durable_is_no_less_than_promised_and_no_more_than_answered() {
    assert_eq!(check_durable(1, 1), Err(Invariant::Positions));
    assert_eq!(check_durable(2, 4), Err(Invariant::Positions));
    assert_eq!(check_durable(3, 1), Err(Invariant::Positions));
    assert_eq!(
        check_durable(3, 0),
        Ok(0),
        "an empty segment after all of it"
    );
}

/// A store that was opened again after two ops, with a checkpoint between them or not.
struct Reopened {
    subject: AnySubject,
    store: Box<dyn crate::subject::OpenStore>,
    disk: SimDisk,
    history: History,
}

impl Reopened {
    fn new(with_checkpoint: bool) -> Self {
        let subject = AnySubject::new(Queue::new(Library));
        let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let open = || {
            let opened = subject.open(Machine {
                storage: disk.storage(),
                clock: Arc::new(ManualClock::new(0)),
                log: LogSettings::default(),
            });
            opened.unwrap_or_else(|failure| panic!("{failure:?}"))
        };
        let mut store = open();
        let mut history = History::new(subject.initial());
        for id in ["a", "b"] {
            let (op, _) = subject.resolve(&enqueue(&[id]), history.state(), 0);
            let answer = store.run(&op).unwrap();
            history.acknowledge(op, answer.position);
            if with_checkpoint && id == "a" {
                store.checkpoint().unwrap();
            }
        }
        drop(store);
        Reopened {
            store: open(),
            subject,
            disk,
            history,
        }
    }

    fn inspect<T>(&mut self, look: impl FnOnce(&dyn Inspected, &mut Recovered<'_>) -> T) -> T {
        let inspected = self.subject.inspected().expect("its files are documented");
        let report = inspected.report(self.store.as_any());
        let files = self.disk.live();
        let mut recovered = Recovered {
            store: &mut *self.store,
            disk: &self.disk,
            files: &files,
            report: &report,
            history: &self.history,
            damaged: Damaged {
                damage: &InjectedDamage::NONE,
                unreadable: false,
            },
        };
        look(inspected, &mut recovered)
    }

    /// What is wrong with a store that shows this state.
    fn what_is_wrong(&mut self, state: &AnyState) -> Invariant {
        let finding = self.inspect(|inspected, store| inspected.what_is_wrong(store, state));
        finding.invariant
    }
}

#[test]
fn a_state_that_is_not_what_the_log_leads_to_is_the_fault_of_the_snapshot_that_was_used() {
    let other = any_state::<Queue<Library>>(QueueState::default());
    let wrong = Reopened::new(false).what_is_wrong(&other);
    assert_eq!(wrong, Invariant::State);
    let wrong = Reopened::new(true).what_is_wrong(&other);
    assert_eq!(wrong, Invariant::SnapshotEquivalence);
}

#[test]
fn what_the_log_should_tell_and_does_not_comes_before_a_wrong_state() {
    let mut store = Reopened::new(true);
    let state = store.history.state().clone();
    let last = store.history.last_position().unwrap();
    let missing = Position {
        seq: last.seq + 1,
        ..last
    };
    store.history.acknowledge(enqueue(&["c"]), Some(missing));
    assert_eq!(store.what_is_wrong(&state), Invariant::Durability);
}

#[test]
fn the_log_tells_as_many_ops_in_doubt_as_the_state_shows() {
    let mut store = Reopened::new(false);
    store.history.doubt(enqueue(&["c"]));
    let mut check = |shown| {
        let positions = store.inspect(|inspected, store| inspected.check_history(store, shown));
        positions.map_err(|finding| finding.invariant)
    };
    assert_eq!(check(0), Ok(Vec::new()));
    assert_eq!(check(1), Err(Invariant::State));
}
