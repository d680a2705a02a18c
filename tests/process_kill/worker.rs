//! The process that works on a store until it is killed.

use std::io::Write;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use beaver::storage::DiskStorage;
use beaver::{
    Clock, Controller, ControllerOptions, JobId, JobQueue, JobSpec, JobStatus, ManualClock,
    Payload, SharedController, Storage,
};
use serde::{Deserialize, Serialize};

use crate::model::{Job, Model, Numbers, Outcome, Spec, Step, digest};
use crate::slow_disk::slow;

/// The environment variable that makes this program a worker.
pub(crate) const ORDER: &str = "BEAVER_TEST_WORKER";

/// What a worker is asked to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) directory: PathBuf,
    pub(crate) seed: u64,
    pub(crate) now_ms: u64,
    /// How many commands, or groups of them, before it closes the store and ends.
    pub(crate) turns: u64,
    /// How many threads share the store; 0: one owner without threads.
    pub(crate) threads: u64,
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Line {
    /// The store is open and holds this; and whether a torn tail was cut.
    Opened(Model, bool),
    /// The store could not be opened.
    Refused(String),
    /// The next call, at this time: one command, or several that share a sync.
    Try { now_ms: u64, steps: Vec<Step> },
    /// It returned `Ok`; the answers are told for single commands only.
    Ok(Vec<Outcome>),
    /// A thread begins to enqueue its next job.
    Enqueue(Spec),
    /// The job is enqueued.
    Enqueued(String),
    /// The store was closed.
    Closed,
}

const MARK: &str = "beaver-worker ";

impl Line {
    /// What stands in a line of the worker's output; the test harness writes there too.
    pub(crate) fn from_text(text: &str) -> Option<Line> {
        let json = text.strip_prefix(MARK)?;
        Some(serde_json::from_str(json).expect("a worker speaks in whole lines"))
    }

    /// Says it at once: what was said before a kill was said.
    pub(crate) fn say(&self) {
        let json = serde_json::to_string(self).expect("plain data");
        let mut out = std::io::stdout().lock();
        // The harness leaves an unfinished line before the first one.
        let start = match self {
            Line::Opened(..) | Line::Refused(_) => "\n",
            _ => "",
        };
        writeln!(out, "{start}{MARK}{json}")
            .and_then(|()| out.flush())
            .expect("an open pipe");
    }
}

/// How the store of an order is opened: with different seeds the log looks different on disk.
pub(crate) fn options(order: &Order, clock: &Arc<ManualClock>) -> ControllerOptions {
    let mut options = ControllerOptions::default();
    options.store.wal.clock = Arc::clone(clock) as Arc<dyn Clock>;
    let ahead = [0, 4096, options.store.wal.preallocate_bytes];
    options.store.wal.preallocate_bytes = ahead[usize::from(order.seed.to_le_bytes()[1]) % 3];
    options
}

/// The real files of an order, for some orders slow.
pub(crate) fn storage(order: &Order) -> Arc<dyn Storage> {
    let disk = DiskStorage::open(&order.directory).expect("an open directory");
    match order.seed.is_multiple_of(2) {
        true => slow(disk),
        false => Arc::new(disk),
    }
}

/// Opens the store of an order.
pub(crate) fn open(order: &Order, clock: &Arc<ManualClock>) -> beaver::Result<(Controller, bool)> {
    let (controller, report) = Controller::open(storage(order), options(order, clock))?;
    assert!(
        report.strays.is_empty() && report.lost.is_empty(),
        "{report:?}"
    );
    assert!(
        report.warnings.is_empty() && report.damaged_snapshots.is_empty(),
        "{report:?}"
    );
    Ok((controller, report.torn_tail.is_some()))
}

/// Works until the order is fulfilled, or the process is killed.
pub(crate) fn work(order: &Order) {
    let clock = Arc::new(ManualClock::new(order.now_ms));
    let (mut controller, torn) = match open(order, &clock) {
        Ok(opened) => opened,
        Err(error) => return Line::Refused(error.to_string()).say(),
    };
    let mut model = seen(controller.state());
    Line::Opened(model.clone(), torn).say();
    let mut choice = Choice {
        numbers: Numbers(order.seed),
        made: 0,
        seed: order.seed,
    };
    for _ in 0..order.turns {
        clock.advance(choice.numbers.below(40));
        let now_ms = clock.now_ms();
        let steps = choice.steps(&mut model, now_ms);
        Line::Try {
            now_ms,
            steps: steps.clone(),
        }
        .say();
        let outcomes = run(&mut controller, &steps);
        Line::Ok(outcomes).say();
    }
    controller.close().expect("a store that can be closed");
    Line::Closed.say();
}

/// Works with several threads that each enqueue their own jobs, while another one writes
/// checkpoints.
pub(crate) fn work_in_threads(order: &Order) {
    let clock = Arc::new(ManualClock::new(order.now_ms));
    let opened = SharedController::open(storage(order), options(order, &clock));
    let (controller, report) = opened.expect("a killed process leaves a good store");
    let torn = report.torn_tail.is_some();
    Line::Opened(controller.read(seen), torn).say();
    std::thread::scope(|scope| {
        for thread in 0..order.threads {
            let controller = &controller;
            scope.spawn(move || {
                let mut numbers = Numbers(order.seed ^ thread);
                for turn in 0..order.turns {
                    let spec = Spec {
                        id: format!("{:x}-{thread}-{turn}", order.seed),
                        filling: usize::try_from(numbers.below(2_000)).expect("a small number"),
                        max_attempts: 1,
                        timeout_ms: 1,
                    };
                    Line::Enqueue(spec.clone()).say();
                    controller
                        .enqueue(job_spec(&spec))
                        .expect("a disk that works");
                    Line::Enqueued(spec.id).say();
                    if numbers.one_in(20) {
                        controller.checkpoint().expect("a disk that works");
                    }
                }
            });
        }
    });
    controller.close().expect("a store that can be closed");
    Line::Closed.say();
}

/// The commands of one turn.
fn run(controller: &mut Controller, steps: &[Step]) -> Vec<Outcome> {
    if let [step] = steps {
        return vec![run_one(controller, step)];
    }
    for step in steps {
        controller.submit(&command(step)).expect("a legal command");
    }
    controller.flush().expect("a disk that works");
    Vec::new()
}

fn run_one(controller: &mut Controller, step: &Step) -> Outcome {
    let sentence = "a legal command on a disk that works";
    match step {
        Step::Enqueue(specs) => {
            let specs = specs.iter().map(job_spec).collect();
            controller.enqueue_all(specs).expect(sentence);
            Outcome::Done
        }
        Step::Dispatch => {
            let job = controller.dispatch().expect(sentence);
            Outcome::Job(job.map(|job| job.id.to_string()))
        }
        Step::Ack(id, attempt) => {
            controller.ack(&job_id(id), *attempt).expect(sentence);
            Outcome::Done
        }
        Step::Fail(id, attempt) => {
            controller.fail(&job_id(id), *attempt).expect(sentence);
            Outcome::Done
        }
        Step::Tick => Outcome::Count(controller.tick().expect(sentence)),
        Step::Requeue => Outcome::Count(controller.requeue_in_flight().expect(sentence)),
        Step::Checkpoint => {
            controller.checkpoint().expect(sentence);
            Outcome::Done
        }
    }
}

fn command(step: &Step) -> beaver::Command {
    use beaver::Command;
    match step {
        Step::Enqueue(specs) => Command::Enqueue(specs.iter().map(job_spec).collect()),
        Step::Dispatch => Command::Dispatch,
        Step::Ack(id, attempt) => Command::Ack {
            id: job_id(id),
            attempt: *attempt,
        },
        Step::Fail(id, attempt) => Command::Fail {
            id: job_id(id),
            attempt: *attempt,
        },
        Step::Tick => Command::Tick,
        Step::Requeue => Command::RequeueInFlight,
        Step::Checkpoint => unreachable!("a checkpoint shares no sync"),
    }
}

fn job_id(id: &str) -> JobId {
    JobId::new(id).expect("a valid name")
}

fn job_spec(spec: &Spec) -> JobSpec {
    let payload = Payload::new(spec.payload()).expect("a valid payload");
    let attempts = NonZeroU32::new(spec.max_attempts).expect("at least one attempt");
    JobSpec::new(job_id(&spec.id), payload)
        .with_max_attempts(attempts)
        .with_timeout_ms(spec.timeout_ms)
}

/// The state of the library in the words of the model.
pub(crate) fn seen(queue: &JobQueue) -> Model {
    let job = |job: &beaver::job_queue::Job| Job {
        payload: digest(job.payload().as_str()),
        max_attempts: job.max_attempts().get(),
        timeout_ms: job.timeout_ms(),
        attempts: job.attempts(),
    };
    let listed = queue
        .pending()
        .chain(queue.in_flight())
        .chain(queue.dead_letters());
    let deadline = |status| match status {
        JobStatus::InFlight { deadline_ms } => deadline_ms,
        other => panic!("{other:?} among those in flight"),
    };
    Model {
        jobs: listed
            .map(|(id, this)| (id.to_string(), job(this)))
            .collect(),
        pending: queue.pending().map(|(id, _)| id.to_string()).collect(),
        in_flight: queue
            .in_flight()
            .map(|(id, this)| (deadline(this.status()), id.to_string()))
            .collect(),
        dead: queue.dead_letters().map(|(id, _)| id.to_string()).collect(),
        completed: queue.completed().map(ToString::to_string).collect(),
    }
}

/// Chooses what to do next.
struct Choice {
    numbers: Numbers,
    made: u64,
    seed: u64,
}

impl Choice {
    /// The commands of one turn, each legal after those before it; `model` does them too.
    fn steps(&mut self, model: &mut Model, now_ms: u64) -> Vec<Step> {
        let count = match self.numbers.one_in(4) {
            true => 2 + self.numbers.below(6),
            false => 1,
        };
        let one = |_| {
            let step = self.step(model, count == 1);
            model.step(&step, now_ms);
            step
        };
        (0..count).map(one).collect()
    }

    fn step(&mut self, model: &Model, alone: bool) -> Step {
        let flying: Vec<&String> = model.in_flight.iter().map(|(_, id)| id).collect();
        let any = |number: u64| {
            let count = flying.len() as u64;
            count
                .checked_sub(1)
                .map(|_| flying[usize::try_from(number % count).expect("small")])
        };
        let number = self.numbers.next();
        match (self.numbers.below(100), any(number)) {
            (0..4, _) if alone => Step::Checkpoint,
            (4..8, _) => Step::Tick,
            (8..9, _) => Step::Requeue,
            (9..35, Some(id)) => Step::Ack(id.clone(), model.jobs[id].attempts),
            (35..45, Some(id)) => Step::Fail(id.clone(), model.jobs[id].attempts),
            (45..70, _) => Step::Dispatch,
            _ if model.pending.len() > 40 => Step::Dispatch,
            _ => self.enqueue(),
        }
    }

    fn enqueue(&mut self) -> Step {
        let count = match self.numbers.one_in(3) {
            true => 1 + self.numbers.below(5),
            false => 1,
        };
        Step::Enqueue((0..count).map(|_| self.spec()).collect())
    }

    fn spec(&mut self) -> Spec {
        self.made += 1;
        // A kill can end a large write half-way; a small one is all or nothing.
        let limit = match self.numbers.below(16) {
            0 => 200_000,
            1 | 2 => 20_000,
            _ => 200,
        };
        let filling = self.numbers.below(limit);
        Spec {
            id: format!("job-{:x}-{}", self.seed, self.made),
            filling: usize::try_from(filling).expect("a small number"),
            max_attempts: u32::try_from(1 + self.numbers.below(3)).expect("a small number"),
            timeout_ms: self.numbers.below(400),
        }
    }
}
