//! A log that syncs on request: what it promises is held against it, and a log that promises too
//! early is caught.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::io;
use std::sync::atomic::AtomicBool;

use beaver_sim::beaver::engine::LogEntry;
use beaver_sim::beaver::model::{Record, What};
use beaver_sim::beaver::{Command, OpenRequestLog, QueueOp, QueueState, RequestLog, library};
use beaver_sim::explore::{Options, Running, explore_seed};
use beaver_sim::invariant::Invariant;
use beaver_sim::marks::Mark;
use beaver_sim::result::{Outcome, RunResult};
use beaver_sim::run::{Keep, run_seed};
use beaver_sim::scenario::{Range, Scenario};
use beaver_sim::shrink::{Limits, shrink};
use beaver_sim::subject::{
    Answer, AnySubject, Durability, Expected, Failure, Machine, Position, Subject,
};
use beaver_storage::{InterposedFile, Interposer};
use beaver_zoo::interposed::is_recovering;

/// The scenario that the default run has.
fn scenario() -> Scenario {
    let text = include_str!("../../scenarios/what-is-not-synced-is-lost-from-its-end-only.json");
    let mut scenario: Scenario = serde_json::from_str(text).unwrap();
    scenario.name = "on-request".to_owned();
    scenario
}

/// The first of `seeds` seeds that does not hold.
fn first_failure(subject: &AnySubject, scenario: &Scenario, seeds: u64) -> Option<RunResult> {
    let mut runs = (0..seeds).map(|seed| run_seed(subject, scenario, seed, Keep::default()));
    runs.find(|run| run.outcome != Outcome::Held)
}

/// A scenario of these steps, each as JSON, over the log alone.
fn written_out(steps: &str) -> Scenario {
    let text = format!(
        r#"{{"claim": "c", "log": {{"sync": "on-request"}}, "script": {{"steps": [{steps}]}}}}"#
    );
    let scenario: Scenario = serde_json::from_str(&text).unwrap();
    assert_eq!(scenario.check(&library(&scenario)), Vec::new());
    scenario
}

const ENQUEUE_A: &str =
    r#"{"enqueue": {"jobs": [{"id": "a", "payload": "1", "max_attempts": 1, "timeout_ms": 1}]}}"#;

/// The library's log, asked in a way that gets one thing wrong. What the checker could read of its
/// files is kept from it, so that its promises alone are held against it.
#[derive(Debug)]
struct Wrongly {
    log: RequestLog,
    wrong: Wrong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// Nothing.
    Nothing,
    /// `sync` answers and does nothing.
    SyncDoesNothing,
    /// What is only answered is said to be durable.
    AnsweredIsDurable,
    /// Of what is only answered all but the last op is said to be durable.
    AllButTheLastIsDurable,
    /// A sync does not answer that anything is durable.
    SyncAnswersLess,
    /// A sync answers with the position before the last one.
    SyncAnswersEarlier,
}

impl Wrongly {
    fn subject(wrong: Wrong) -> AnySubject {
        AnySubject::new(Wrongly {
            log: RequestLog::default(),
            wrong,
        })
    }
}

impl Subject for Wrongly {
    type Op = QueueOp;
    type State = QueueState;
    type Store = OpenRequestLog;

    fn apply(state: &mut QueueState, op: &QueueOp) {
        RequestLog::apply(state, op);
    }

    fn ops(&self, state: &QueueState) -> Vec<QueueOp> {
        self.log.ops(state)
    }

    fn simpler(&self, op: &QueueOp) -> Vec<QueueOp> {
        self.log.simpler(op)
    }

    fn resolve(&self, op: &QueueOp, state: &QueueState, now_ms: u64) -> (QueueOp, Expected) {
        self.log.resolve(op, state, now_ms)
    }

    fn takes_ms(op: &QueueOp) -> i64 {
        RequestLog::takes_ms(op)
    }

    fn open(&self, machine: &Machine) -> Result<OpenRequestLog, Failure> {
        self.log.open(machine)
    }

    fn run(&self, log: &mut OpenRequestLog, op: &QueueOp) -> Result<Answer, Failure> {
        let syncs = op.command == Command::Sync;
        if syncs && self.wrong == Wrong::SyncDoesNothing {
            return Ok(Durability::Durable.into());
        }
        let answer = self.log.run(log, op)?;
        let durability = match self.wrong {
            Wrong::AnsweredIsDurable => Durability::Durable,
            Wrong::AllButTheLastIsDurable if !syncs => Durability::AllBut { pending: 1 },
            Wrong::SyncAnswersLess if syncs => Durability::NotYet,
            _ => answer.durability,
        };
        let mut position = answer.position;
        if let (true, Wrong::SyncAnswersEarlier, Some(position)) =
            (syncs, self.wrong, &mut position)
        {
            position.seq = position.seq.saturating_sub(1);
        }
        Ok(Answer {
            durability,
            position,
            ..answer
        })
    }

    fn state(&self, log: &mut OpenRequestLog) -> Result<QueueState, Failure> {
        self.log.state(log)
    }

    fn close(&self, log: OpenRequestLog) -> Result<(), Failure> {
        self.log.close(log)
    }
}

/// Ops, and ends of processes, with nothing else that goes wrong.
fn ops_and_crashes() -> Scenario {
    let text = r#"{"claim": "c", "log": {"sync": "on-request"},
        "workload": {"commands": 40, "weights": {"op": 20, "kill": 2, "power-cut": 2, "reopen": 1}}}"#;
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_log_that_says_what_is_durable_is_believed_without_a_look_at_its_files() {
    let subject = Wrongly::subject(Wrong::Nothing);
    let failure = first_failure(&subject, &ops_and_crashes(), 100);
    assert!(failure.is_none(), "{failure:#?}");
}

#[test]
fn a_log_that_calls_a_prefix_durable_that_is_not_is_caught() {
    let subject = Wrongly::subject(Wrong::AllButTheLastIsDurable);
    let run = first_failure(&subject, &ops_and_crashes(), 20).expect("it is caught");
    let violation = run.outcome.failure().unwrap();
    assert_eq!(violation.invariant, Invariant::Durability, "{violation:#?}");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn the_library_keeps_what_it_promises() {
    let failure = first_failure(&library(&scenario()), &scenario(), 300);
    assert!(failure.is_none(), "{failure:#?}");
}

#[test]
fn a_sync_that_writes_nothing_is_caught_and_shrinks_to_three_commands() {
    let subject = Wrongly::subject(Wrong::SyncDoesNothing);
    let scenario = ops_and_crashes();
    let run = first_failure(&subject, &scenario, 20).expect("it is caught");
    let saved = beaver_sim::run::saved_failure(&scenario, &run);
    let shrunk = shrink(&subject, &saved, Limits::runs(3000)).unwrap();
    assert_eq!(shrunk.likeness.invariant.number(), 1, "{shrunk:#?}");
    // An append, a sync, and the end of the process.
    assert!(shrunk.after.commands <= 3, "{}", shrunk.after);
    assert!(shrunk.after.crashes <= 1, "{}", shrunk.after);
    let sound = run_seed(
        &Wrongly::subject(Wrong::Nothing),
        &shrunk.scenario,
        0,
        Keep::default(),
    );
    assert_eq!(sound.outcome, Outcome::Held);
}

fn assert_caught(wrong: Wrong, invariant: Invariant) {
    let run = first_failure(&Wrongly::subject(wrong), &ops_and_crashes(), 20);
    let run = run.expect("it is caught");
    let violation = run.outcome.failure().unwrap();
    assert_eq!(violation.invariant, invariant, "{violation:#?}");
}

#[test]
fn a_log_that_calls_durable_what_it_only_answered_is_caught() {
    assert_caught(Wrong::AnsweredIsDurable, Invariant::Durability);
}

#[test]
fn a_sync_that_does_not_answer_that_everything_is_durable_is_caught() {
    assert_caught(Wrong::SyncAnswersLess, Invariant::Positions);
}

#[test]
fn a_sync_that_answers_with_another_position_is_caught() {
    assert_caught(Wrong::SyncAnswersEarlier, Invariant::Positions);
}

#[test]
fn what_a_sync_and_a_rotate_answer_is_where_the_log_ends() {
    // In a log without events too, and after a rotate that nothing came after.
    let steps = format!(r#""sync", "rotate", {ENQUEUE_A}, "sync", "rotate", "sync", "rotate""#);
    let scenario = written_out(&steps);
    let run = run_seed(&library(&scenario), &scenario, 0, Keep::default());
    assert_eq!(run.outcome, Outcome::Held);
}

/// What is durable, and a job that is not.
fn one_more(log: &OpenRequestLog) -> Result<Vec<LogEntry>, Failure> {
    let mut entries = log.read_durable()?;
    let what = What::Enqueued {
        payload: "1".to_owned(),
        max_attempts: 1,
        timeout_ms: 1,
        backoff_ms: [0, 0],
    };
    entries.push(LogEntry {
        position: Position { epoch: 1, seq: 1 },
        record: Record {
            id: "a".to_owned(),
            at_ms: 0,
            what,
        },
    });
    Ok(entries)
}

/// What is durable without the last of it.
fn one_less(log: &OpenRequestLog) -> Result<Vec<LogEntry>, Failure> {
    let mut entries = log.read_durable()?;
    entries.pop();
    Ok(entries)
}

#[test]
fn a_reader_shows_what_is_durable_no_less_and_no_more() {
    let more = RequestLog::read_by(one_more);
    let less = RequestLog::read_by(one_less);
    for (log, synced, invariant) in [
        (more, "", Invariant::NoPhantom),
        (less, "\"sync\",", Invariant::Idempotence),
    ] {
        let scenario = written_out(&format!("{ENQUEUE_A}, {synced} \"inspect\""));
        let run = run_seed(&AnySubject::new(log), &scenario, 0, Keep::default());
        let violation = run.outcome.failure().expect("it is caught");
        assert_eq!(violation.invariant, invariant, "{violation:#?}");
        let run = run_seed(&library(&scenario), &scenario, 0, Keep::default());
        assert_eq!(run.outcome, Outcome::Held);
    }
}

/// Syncs a segment that it made, and of an older one only what makes it trustworthy.
#[derive(Debug)]
struct SyncsNothingAfterRecovery;

impl Interposer for SyncsNothingAfterRecovery {
    fn sync_data(&self, file: &InterposedFile) -> io::Result<()> {
        match file.opened_for().is_some() && !is_recovering(file) {
            true => Ok(()),
            false => file.next().sync_data(),
        }
    }
}

#[test]
fn what_is_appended_after_a_recovery_is_synced_and_must_be_there() {
    let scenario = written_out(&format!("{ENQUEUE_A}, \"sync\""));
    let explore = |subject: &AnySubject| {
        let running = Running {
            jobs: std::num::NonZeroUsize::MIN,
            progress: &|_, _| {},
            cancel: &AtomicBool::new(false),
        };
        explore_seed(subject, &scenario, 0, &Options::default(), running)
    };
    let wrong = library(&scenario).interposed(|| SyncsNothingAfterRecovery);
    let explored = explore(&wrong);
    let wrong = explored.failures.first().expect("it is caught");
    assert_eq!(
        wrong.finding.invariant,
        Invariant::Durability,
        "{:#?}",
        wrong.finding
    );
    assert!(explore(&library(&scenario)).failures.is_empty());
}

/// Writes, and never syncs what was written to a segment that is in use.
#[derive(Debug)]
struct NeverSyncs;

impl Interposer for NeverSyncs {
    fn sync_data(&self, file: &InterposedFile) -> io::Result<()> {
        match file.name().ends_with(".jsonl") && !is_recovering(file) {
            true => Ok(()),
            false => file.next().sync_data(),
        }
    }
}

#[test]
fn a_sync_that_does_not_reach_the_disk_is_caught() {
    let subject = library(&scenario()).interposed(|| NeverSyncs);
    let run = first_failure(&subject, &scenario(), 20).expect("it is caught");
    let violation = run.outcome.failure().unwrap();
    // It is missing, or a later batch proves that it was there and nothing excuses the refusal.
    assert!(
        [1, 8].contains(&violation.invariant.number()),
        "{violation:#?}"
    );
}

#[test]
fn what_is_not_synced_may_go_with_the_process_and_what_is_synced_may_not() {
    let lost = written_out(&format!("{ENQUEUE_A}, \"kill\""));
    let run = run_seed(&library(&lost), &lost, 0, Keep::default());
    assert_eq!(run.outcome, Outcome::Held);
    assert_eq!(run.marks.get(&Mark::UnsyncedLost), Some(&1));
    for promise in ["\"sync\"", "\"rotate\"", "\"reopen\""] {
        let kept = written_out(&format!("{ENQUEUE_A}, {promise}, {{\"power-cut\": {{}}}}"));
        let run = run_seed(&library(&kept), &kept, 0, Keep::default());
        assert_eq!(run.outcome, Outcome::Held, "{promise}");
        assert_eq!(run.marks.get(&Mark::UnsyncedLost), None, "{promise}");
        assert_eq!(run.marks.get(&Mark::SyncedOnRequest), Some(&1), "{promise}");
    }
}

#[test]
fn a_second_opener_may_be_refused_because_the_disk_is_read_only() {
    // The power cut is what lets it be mounted again.
    let steps = r#""sync", "second-opener", {"power-cut": {}}"#;
    let mut scenario = written_out(&format!("{ENQUEUE_A}, {steps}"));
    let fault = r#"{"call": 12, "kind": "sync-read-only", "effect": {"call": {"failed-sync":
        {"error": "io", "behaviour": "read-only", "failed": "all"}}}}"#;
    let script = scenario.script.as_mut().expect("it has steps");
    script.faults.push(serde_json::from_str(fault).unwrap());
    let run = run_seed(&library(&scenario), &scenario, 0, Keep::default());
    assert_eq!(run.outcome, Outcome::Held);
    assert_eq!(run.marks.get(&Mark::SecondOpenerRefused), None);
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_batch_at_its_limit_is_promised_unasked() {
    let payload = "1".repeat(9 << 20);
    let job = |id: &str| {
        format!(
            r#"{{"enqueue": {{"jobs": [{{"id": "{id}", "payload": "{payload}", "max_attempts": 1, "timeout_ms": 1}}]}}}}"#
        )
    };
    let steps = format!("{}, {}, \"kill\"", job("a"), job("b"));
    let scenario = written_out(&steps);
    let run = run_seed(&library(&scenario), &scenario, 0, Keep::default());
    assert_eq!(run.outcome, Outcome::Held);
    assert_eq!(run.marks.get(&Mark::BatchLimitSynced), Some(&1));
}

#[test]
fn a_command_that_such_a_log_does_not_have_is_refused_with_its_field() {
    let fields = |text: &str| -> Vec<String> {
        let scenario: Scenario = serde_json::from_str(text).unwrap();
        scenario
            .check(&library(&scenario))
            .into_iter()
            .map(|no| no.field)
            .collect()
    };
    let alone = r#"{"claim": "c", "log": {"sync": "on-request"},
        "workload": {"weights": {"enqueue": 1, "checkpoint": 1, "lenient": 1, "sync": 1}}}"#;
    let expected = ["workload.weights.checkpoint", "workload.weights.lenient"];
    assert_eq!(fields(alone), expected);
    let store = r#"{"claim": "c", "workload": {"weights": {"enqueue": 1, "rotate": 1}}}"#;
    assert_eq!(fields(store), ["workload.weights.rotate"]);
    let script = r#"{"claim": "c", "script": {"steps": ["sync", "checkpoint"]}}"#;
    assert_eq!(fields(script), ["script.steps[0]"]);
    let script = r#"{"claim": "c", "log": {"sync": "on-request"},
        "script": {"steps": ["sync", "checkpoint"]}}"#;
    assert_eq!(fields(script), ["script.steps[1]"]);
    let script = r#"{"claim": "c", "log": {"sync": "on-request"},
        "script": {"steps": [{"checkpoint-amid": {"during_write": []}}]}}"#;
    assert_eq!(fields(script), ["script.steps[0]"]);
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn every_crash_of_a_run_is_explored_without_a_finding() {
    let mut scenario = scenario();
    scenario.workload.commands = 14;
    scenario.workload.payload_bytes = Range::new(0, 12_000);
    let running = Running {
        jobs: std::num::NonZeroUsize::MIN,
        progress: &|_, _| {},
        cancel: &AtomicBool::new(false),
    };
    let options = Options {
        cap: 24,
        ..Options::default()
    };
    for seed in 0..3 {
        let subject = library(&scenario);
        let explored = explore_seed(&subject, &scenario, seed, &options, running);
        let wrong = explored.failures.first();
        assert!(
            wrong.is_none(),
            "{seed}: {:#?}",
            wrong.map(|wrong| &wrong.finding)
        );
        assert!(explored.tally.recoveries > 50, "{:?}", explored.tally);
    }
}

#[test]
fn the_explorer_catches_a_sync_that_writes_nothing() {
    let scenario = written_out(&format!("{ENQUEUE_A}, \"sync\""));
    let running = Running {
        jobs: std::num::NonZeroUsize::MIN,
        progress: &|_, _| {},
        cancel: &AtomicBool::new(false),
    };
    let explore = |wrong| {
        let subject = Wrongly::subject(wrong);
        explore_seed(&subject, &scenario, 0, &Options::default(), running)
    };
    let explored = explore(Wrong::SyncDoesNothing);
    let wrong = explored.failures.first().expect("it is caught");
    assert_eq!(
        wrong.finding.invariant,
        Invariant::Durability,
        "{:#?}",
        wrong.finding
    );
    assert!(explore(Wrong::Nothing).failures.is_empty());
}
