//! A log that syncs on request: what it promises is held against it, and a log that promises too
//! early is caught.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use beaver::{Clock, Storage};
use beaver_sim::explore::{Options, Running, explore_seed};
use beaver_sim::marks::Mark;
use beaver_sim::oracle::history::Place;
use beaver_sim::oracle::judge::Entry;
use beaver_sim::oracle::model::{Record, What};
use beaver_sim::oracle::shown::Shown;
use beaver_sim::result::{Outcome, RunResult};
use beaver_sim::run::{Keep, run_seed_of};
use beaver_sim::scenario::{Crashes, LogSettings, Range, Scenario, Step};
use beaver_sim::shrink::{Limits, shrink};
use beaver_sim::subject::{Answer, Begun, Failure, Process, Report, Store, Subject};
use beaver_storage::{InterposedFile, Interposer};
use beaver_zoo::recovering::is_recovering;

/// The scenario that the default run has.
fn scenario() -> Scenario {
    let text = include_str!("../../scenarios/what-is-not-synced-is-lost-from-its-end-only.json");
    let mut scenario: Scenario = serde_json::from_str(text).unwrap();
    scenario.name = "on-request".to_owned();
    scenario
}

/// The first of so many seeds that does not hold.
fn first_failure(subject: &Subject, scenario: &Scenario, seeds: u64) -> Option<RunResult> {
    let mut runs = (0..seeds).map(|seed| run_seed_of(subject, scenario, seed, Keep::default()));
    runs.find(|run| run.outcome != Outcome::Held)
}

/// A scenario of these steps, each as JSON, over the log alone.
fn written_out(steps: &str) -> Scenario {
    let text = format!(
        r#"{{"claim": "c", "log": {{"sync": "on-request"}}, "script": {{"steps": [{steps}]}}}}"#
    );
    let scenario: Scenario = serde_json::from_str(&text).unwrap();
    assert_eq!(scenario.check(), Vec::new());
    scenario
}

const ENQUEUE_A: &str =
    r#"{"enqueue": {"jobs": [{"id": "a", "payload": "1", "max_attempts": 1, "timeout_ms": 1}]}}"#;

/// The library's log, asked in a way that gets one thing wrong.
#[derive(Debug)]
struct Wrongly {
    store: Arc<dyn Store>,
    wrong: Wrong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// `sync` returns `Ok` and does nothing.
    SyncDoesNothing,
    /// What is only answered is said to be durable.
    AnsweredIsDurable,
    /// A sync is answered with where the log ended at the sync before.
    SyncAnswersLate,
    /// A reader shows what is only answered.
    ReaderShowsTheAnswered,
    /// A reader does not show the last event.
    ReaderLeavesOneOut,
}

impl Wrongly {
    fn subject(wrong: Wrong) -> Subject {
        let store = Subject::default().store;
        Subject::of(Wrongly { store, wrong })
    }
}

impl Store for Wrongly {
    fn open(
        &self,
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        settings: &LogSettings,
    ) -> Result<(Box<dyn Process>, Report), Failure> {
        let (log, report) = self.store.open(storage, clock, settings)?;
        let before = log.durable();
        let wrong = self.wrong;
        let log = WrongLog {
            log,
            wrong,
            before,
            answered: None,
        };
        Ok((Box::new(log), report))
    }

    fn replay_after(
        &self,
        storage: &Arc<dyn Storage>,
        after: Place,
    ) -> Result<Vec<Entry>, Failure> {
        self.store.replay_after(storage, after)
    }
}

#[derive(Debug)]
struct WrongLog {
    log: Box<dyn Process>,
    wrong: Wrong,
    /// Where the log ended at the last sync.
    before: Place,
    /// A job that was enqueued since.
    answered: Option<Entry>,
}

impl Process for WrongLog {
    fn command(&mut self, step: &Step) -> Answer {
        let answer = self.log.command(step);
        if let (Step::Enqueue { jobs }, Answer::Done(_)) = (step, &answer) {
            let what = What::Enqueued {
                payload: jobs[0].payload.clone(),
                max_attempts: jobs[0].max_attempts,
                timeout_ms: jobs[0].timeout_ms,
            };
            let (id, at_ms) = (jobs[0].id.clone(), 0);
            let record = Record { id, at_ms, what };
            let place = self.log.applied();
            self.answered = Some(Entry { place, record });
        }
        answer
    }

    fn group(&mut self, steps: &[Step]) -> Vec<(Answer, Option<Place>)> {
        self.log.group(steps)
    }

    fn begin_checkpoint(&mut self) -> Result<Option<Box<dyn Begun>>, Failure> {
        self.log.begin_checkpoint()
    }

    fn finish_checkpoint(&mut self, written: Box<dyn Any>) -> Result<usize, Failure> {
        self.log.finish_checkpoint(written)
    }

    fn checkpoint(&mut self) -> Result<Option<usize>, Failure> {
        self.log.checkpoint()
    }

    fn state(&self) -> Shown {
        self.log.state()
    }

    fn applied(&self) -> Place {
        self.log.applied()
    }

    fn durable(&self) -> Place {
        match self.wrong {
            Wrong::SyncDoesNothing | Wrong::AnsweredIsDurable => self.log.applied(),
            _ => self.log.durable(),
        }
    }

    fn read_durable(&self) -> Result<Vec<Entry>, Failure> {
        let mut entries = self.log.read_durable()?;
        match self.wrong {
            Wrong::ReaderShowsTheAnswered => entries.extend(self.answered.clone()),
            Wrong::ReaderLeavesOneOut => drop(entries.pop()),
            _ => {}
        }
        Ok(entries)
    }

    fn sync(&mut self) -> Result<Place, Failure> {
        match self.wrong {
            Wrong::SyncDoesNothing => Ok(self.log.applied()),
            Wrong::SyncAnswersLate => {
                let synced = self.log.sync()?;
                Ok(std::mem::replace(&mut self.before, synced))
            }
            _ => {
                self.answered = None;
                self.log.sync()
            }
        }
    }

    fn rotate(&mut self) -> Result<Place, Failure> {
        self.log.rotate()
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.log.close()
    }

    fn close_queued(self: Box<Self>, steps: &[Step]) -> Vec<(Answer, Option<Place>)> {
        self.log.close_queued(steps)
    }
}

#[test]
fn the_library_keeps_what_it_promises() {
    let failure = first_failure(&Subject::default(), &scenario(), 300);
    assert!(failure.is_none(), "{failure:#?}");
}

#[test]
fn a_sync_that_writes_nothing_is_caught_and_shrinks_to_three_commands() {
    let subject = Wrongly::subject(Wrong::SyncDoesNothing);
    let scenario = Scenario {
        faults: Vec::new(),
        fault_mixture: 0,
        crashes: Crashes {
            images: 0,
            ..scenario().crashes
        },
        ..scenario()
    };
    let run = first_failure(&subject, &scenario, 20).expect("it is caught");
    let saved = beaver_sim::run::saved_failure(&scenario, &run);
    let shrunk = shrink(&subject, &saved, Limits::runs(3000)).unwrap();
    assert_eq!(shrunk.likeness.invariant.number(), 1, "{shrunk:#?}");
    // An append, a sync, and the end of the process.
    assert!(shrunk.after.commands <= 3, "{}", shrunk.after);
    assert!(shrunk.after.crashes <= 1, "{}", shrunk.after);
    let sound = run_seed_of(&Subject::default(), &shrunk.scenario, 0, Keep::default());
    assert_eq!(sound.outcome, Outcome::Held);
}

#[test]
fn a_log_that_calls_durable_what_it_only_answered_is_caught() {
    let subject = Wrongly::subject(Wrong::AnsweredIsDurable);
    let run = first_failure(&subject, &scenario(), 20).expect("it is caught");
    let violation = run.outcome.failure().unwrap();
    assert_eq!(violation.invariant.number(), 1, "{violation:#?}");
}

#[test]
fn a_sync_that_answers_with_another_position_is_caught() {
    let subject = Wrongly::subject(Wrong::SyncAnswersLate);
    let run = first_failure(&subject, &scenario(), 20).expect("it is caught");
    let violation = run.outcome.failure().unwrap();
    assert_eq!(violation.invariant.number(), 9, "{violation:#?}");
}

#[test]
fn a_reader_shows_what_is_durable_no_less_and_no_more() {
    for (wrong, synced, invariant) in [
        (Wrong::ReaderShowsTheAnswered, "", 2),
        (Wrong::ReaderLeavesOneOut, "\"sync\",", 5),
    ] {
        let scenario = written_out(&format!("{ENQUEUE_A}, {synced} \"inspect\""));
        let run = run_seed_of(&Wrongly::subject(wrong), &scenario, 0, Keep::default());
        let violation = run.outcome.failure().expect("it is caught");
        assert_eq!(violation.invariant.number(), invariant, "{violation:#?}");
        let run = run_seed_of(&Subject::default(), &scenario, 0, Keep::default());
        assert_eq!(run.outcome, Outcome::Held);
    }
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
    let subject = Subject::behind(|| NeverSyncs);
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
    let run = run_seed_of(&Subject::default(), &lost, 0, Keep::default());
    assert_eq!(run.outcome, Outcome::Held);
    assert_eq!(run.marks.get(&Mark::UnsyncedLost), Some(&1));
    for promise in ["\"sync\"", "\"rotate\"", "\"reopen\""] {
        let kept = written_out(&format!("{ENQUEUE_A}, {promise}, {{\"power-cut\": {{}}}}"));
        let run = run_seed_of(&Subject::default(), &kept, 0, Keep::default());
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
    let run = run_seed_of(&Subject::default(), &scenario, 0, Keep::default());
    assert_eq!(run.outcome, Outcome::Held);
    assert_eq!(run.marks.get(&Mark::SecondOpenerRefused), None);
}

#[test]
fn a_batch_at_its_limit_is_promised_unasked() {
    let payload = "1".repeat(9 << 20);
    let job = |id: &str| {
        format!(
            r#"{{"enqueue": {{"jobs": [{{"id": "{id}", "payload": "{payload}", "max_attempts": 1, "timeout_ms": 1}}]}}}}"#
        )
    };
    let steps = format!("{}, {}, \"kill\"", job("a"), job("b"));
    let run = run_seed_of(
        &Subject::default(),
        &written_out(&steps),
        0,
        Keep::default(),
    );
    assert_eq!(run.outcome, Outcome::Held);
    assert_eq!(run.marks.get(&Mark::BatchLimitSynced), Some(&1));
}

#[test]
fn a_command_that_such_a_log_does_not_have_is_refused_with_its_field() {
    let fields = |text: &str| -> Vec<String> {
        let scenario: Scenario = serde_json::from_str(text).unwrap();
        scenario.check().into_iter().map(|no| no.field).collect()
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
        let subject = Subject::default();
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
    let subject = Wrongly::subject(Wrong::SyncDoesNothing);
    let scenario = written_out(&format!("{ENQUEUE_A}, \"sync\""));
    let running = Running {
        jobs: std::num::NonZeroUsize::MIN,
        progress: &|_, _| {},
        cancel: &AtomicBool::new(false),
    };
    let explored = explore_seed(&subject, &scenario, 0, &Options::default(), running);
    let wrong = explored.failures.first().expect("it is caught");
    assert_eq!(wrong.finding.invariant.number(), 1, "{:#?}", wrong.finding);
    let sound = explore_seed(
        &Subject::default(),
        &scenario,
        0,
        &Options::default(),
        running,
    );
    assert!(sound.failures.is_empty());
}
