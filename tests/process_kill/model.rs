//! What the job queue must do, told again without the library: the judge of what was recovered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

/// One command, as it is told from process to process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Step {
    Enqueue(Vec<Spec>),
    Dispatch,
    Ack(String, u32),
    Fail(String, u32),
    Tick,
    Requeue,
    Checkpoint,
}

/// A new job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) id: String,
    /// How many bytes its payload has beside its name.
    pub(crate) filling: usize,
    pub(crate) max_attempts: u32,
    pub(crate) timeout_ms: u64,
}

impl Spec {
    pub(crate) fn payload(&self) -> String {
        let filling = "é".repeat(self.filling / 2);
        format!("{{\"of\": \"{}\", \"filling\": \"{filling}\"}}", self.id)
    }
}

/// What is told of a payload from process to process: its length and a checksum.
pub(crate) fn digest(payload: &str) -> (usize, u32) {
    (payload.len(), crc32fast::hash(payload.as_bytes()))
}

/// What a command answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Done,
    Job(Option<String>),
    Count(usize),
}

/// A job that is not completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) payload: (usize, u32),
    pub(crate) max_attempts: u32,
    pub(crate) timeout_ms: u64,
    pub(crate) attempts: u32,
}

/// All jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Model {
    pub(crate) jobs: BTreeMap<String, Job>,
    pub(crate) pending: VecDeque<String>,
    pub(crate) in_flight: BTreeSet<(u64, String)>,
    pub(crate) dead: Vec<String>,
    pub(crate) completed: BTreeSet<String>,
}

impl Model {
    /// Does one command, which must be legal.
    pub(crate) fn step(&mut self, step: &Step, now_ms: u64) -> Outcome {
        match step {
            Step::Enqueue(specs) => {
                specs.iter().for_each(|spec| self.enqueue(spec));
                Outcome::Done
            }
            Step::Dispatch => Outcome::Job(self.dispatch(now_ms)),
            Step::Ack(id, _) => {
                self.land(id);
                self.jobs.remove(id);
                self.completed.insert(id.clone());
                Outcome::Done
            }
            Step::Fail(id, _) => {
                self.send_back(id);
                Outcome::Done
            }
            Step::Tick => self.send_all_back(now_ms),
            Step::Requeue => self.send_all_back(u64::MAX),
            Step::Checkpoint => Outcome::Done,
        }
    }

    fn enqueue(&mut self, spec: &Spec) {
        let job = Job {
            payload: digest(&spec.payload()),
            max_attempts: spec.max_attempts,
            timeout_ms: spec.timeout_ms,
            attempts: 0,
        };
        let before = self.jobs.insert(spec.id.clone(), job);
        assert_eq!(before, None, "a job is enqueued once");
        self.pending.push_back(spec.id.clone());
    }

    fn dispatch(&mut self, now_ms: u64) -> Option<String> {
        let id = self.pending.pop_front()?;
        let job = self.jobs.get_mut(&id).expect("a pending job is known");
        job.attempts += 1;
        self.in_flight.insert((now_ms + job.timeout_ms, id.clone()));
        Some(id)
    }

    fn land(&mut self, id: &str) {
        let before = self.in_flight.len();
        self.in_flight.retain(|(_, flying)| flying != id);
        assert_eq!(before, self.in_flight.len() + 1, "{id} was in flight");
    }

    fn send_back(&mut self, id: &str) {
        self.land(id);
        let job = &self.jobs[id];
        if job.attempts < job.max_attempts {
            self.pending.push_back(id.to_owned());
        } else {
            self.dead.push(id.to_owned());
        }
    }

    fn send_all_back(&mut self, now_ms: u64) -> Outcome {
        let due: Vec<_> = self
            .in_flight
            .iter()
            .filter(|(deadline_ms, _)| *deadline_ms <= now_ms)
            .map(|(_, id)| id.clone())
            .collect();
        due.iter().for_each(|id| self.send_back(id));
        Outcome::Count(due.len())
    }
}

/// Numbers from a seed (SplitMix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}
