//! What may be found when a store is opened again, judged by what its workers said.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Model, Spec, Step, digest};
use crate::worker::Line;

/// What is known about a store from what the workers said.
#[derive(Default)]
pub(crate) struct Heard {
    /// Everything that was acknowledged.
    pub(crate) model: Model,
    /// The call that was begun and not answered.
    pub(crate) tried: Option<(u64, Vec<Step>)>,
    pub(crate) now_ms: u64,
    pub(crate) closed: bool,
    pub(crate) seen: Seen,
}

/// What happened, to be printed.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) kills: u64,
    pub(crate) acknowledged: u64,
    /// Recoveries after a call that was not answered: nothing of it was there, a part, or all.
    pub(crate) nothing: u64,
    pub(crate) part: u64,
    pub(crate) all: u64,
    pub(crate) torn_tails: u64,
}

impl Heard {
    pub(crate) fn hear(&mut self, line: Line) {
        self.closed = false;
        match line {
            Line::Opened(model, torn) => self.decide(model, torn),
            Line::Refused(error) => panic!("the store could not be opened: {error}"),
            Line::Try { now_ms, steps } => {
                self.now_ms = now_ms;
                self.tried = Some((now_ms, steps));
            }
            Line::Ok(outcomes) => {
                let (now_ms, steps) = self.tried.take().expect("an answer to a call");
                let expected: Vec<_> = steps
                    .iter()
                    .map(|step| self.model.step(step, now_ms))
                    .collect();
                assert!(
                    outcomes.is_empty() || outcomes == expected,
                    "{steps:?}: {outcomes:?}"
                );
                self.seen.acknowledged += steps.len() as u64;
            }
            Line::Closed => self.closed = true,
            other => panic!("{other:?} from a single owner"),
        }
    }

    /// A recovery found `found`: it must be one of the states that are possible, and is the only
    /// one from now on.
    pub(crate) fn decide(&mut self, found: Model, torn: bool) {
        let (now_ms, steps) = self.tried.take().unwrap_or_default();
        let mut possible = self.model.clone();
        let mut there = 0;
        while possible != found && there < steps.len() {
            possible.step(&steps[there], now_ms);
            there += 1;
        }
        assert!(
            found == possible,
            "neither what was acknowledged nor more of {steps:?}: {found:?}, expected {possible:?}"
        );
        self.model = found;
        self.seen.torn_tails += u64::from(torn);
        match there {
            _ if steps.is_empty() => {}
            0 => self.seen.nothing += 1,
            _ if there < steps.len() => self.seen.part += 1,
            _ => self.seen.all += 1,
        }
    }
}

/// What is known about the jobs of several threads.
#[derive(Default)]
pub(crate) struct Crowd {
    pub(crate) begun: BTreeMap<String, Spec>,
    pub(crate) enqueued: BTreeSet<String>,
}

impl Crowd {
    pub(crate) fn hear(&mut self, line: Line) {
        match line {
            Line::Opened(model, _) => self.decide(&model),
            Line::Enqueue(spec) => {
                self.begun.insert(spec.id.clone(), spec);
            }
            Line::Enqueued(id) => {
                self.enqueued.insert(id);
            }
            Line::Closed => {}
            other => panic!("{other:?} from a worker with threads"),
        }
    }

    /// Every acknowledged job is there, once and whole; every other one was at least begun.
    pub(crate) fn decide(&mut self, found: &Model) {
        let there: BTreeSet<String> = found.pending.iter().cloned().collect();
        assert_eq!(there.len(), found.pending.len(), "a job is there twice");
        let lost: Vec<_> = self.enqueued.difference(&there).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        for id in &there {
            let spec = self.begun.get(id).expect("this job was never enqueued");
            let payload = digest(&spec.payload());
            assert_eq!(found.jobs[id].payload, payload, "the payload of {id}");
        }
        self.begun.retain(|id, _| there.contains(id));
        self.enqueued = there;
    }
}

fn enqueue(id: &str) -> Step {
    let spec = Spec {
        id: id.to_owned(),
        filling: 1,
        max_attempts: 1,
        timeout_ms: 1,
    };
    Step::Enqueue(vec![spec])
}

/// One command was acknowledged, and two that share a sync were tried.
fn heard_of_three() -> Heard {
    let mut heard = Heard::default();
    heard.hear(Line::Opened(Model::default(), false));
    for step in [vec![enqueue("a")], vec![enqueue("b"), enqueue("c")]] {
        heard.hear(Line::Try {
            now_ms: 0,
            steps: step,
        });
        if heard.seen.acknowledged == 0 {
            heard.hear(Line::Ok(Vec::new()));
        }
    }
    heard
}

fn with_jobs(ids: &[&str]) -> Model {
    let mut model = Model::default();
    for id in ids {
        model.step(&enqueue(id), 0);
    }
    model
}

#[test]
fn the_judge_accepts_what_was_acknowledged_and_the_start_of_what_was_tried() {
    for ids in [&["a"][..], &["a", "b"], &["a", "b", "c"]] {
        heard_of_three().hear(Line::Opened(with_jobs(ids), false));
    }
}

#[test]
fn the_judge_refuses_everything_else() {
    for ids in [
        &[][..],
        &["b"],
        &["a", "c"],
        &["b", "a"],
        &["a", "b", "c", "d"],
    ] {
        let judge = || heard_of_three().hear(Line::Opened(with_jobs(ids), false));
        assert!(
            std::panic::catch_unwind(judge).is_err(),
            "{ids:?} was accepted"
        );
    }
}

#[test]
#[should_panic(expected = "neither what was acknowledged")]
fn the_judge_refuses_a_second_thought() {
    let mut heard = heard_of_three();
    heard.hear(Line::Opened(with_jobs(&["a", "b"]), false));
    heard.hear(Line::Opened(with_jobs(&["a", "b", "c"]), false));
}
