//! Claims about the job queue for any commands, judged by a model that is as plain as can be: one
//! list of jobs, searched from its start, and nothing indexed.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::event::tests::{any_event, json_text};
use crate::event::{Backoff, EventType, Payload};

#[derive(Clone, Debug, PartialEq, Eq)]
struct ModelJob {
    spec: JobSpec,
    /// Those since it was enqueued or revived, and those before.
    attempts: u32,
    attempts_before: u32,
    status: JobStatus,
    /// Counts up whenever a job enters the queue or dies: the order of the queue and of the dead.
    ticket: usize,
}

#[derive(Clone, Debug, Default)]
struct Model {
    jobs: Vec<ModelJob>,
    tickets: usize,
}

impl Model {
    fn find(&mut self, id: &JobId) -> Option<&mut ModelJob> {
        self.jobs.iter_mut().find(|job| job.spec.id == *id)
    }

    fn ordered(&self, status: JobStatus) -> Vec<&ModelJob> {
        let mut found: Vec<_> = self
            .jobs
            .iter()
            .filter(|job| job.status == status)
            .collect();
        found.sort_by_key(|job| job.ticket);
        found
    }

    /// Jobs that wait for a time and its end, sorted by that and by name.
    fn timed(&self, end: fn(JobStatus) -> Option<u64>) -> Vec<(u64, JobId)> {
        let timed = |job: &ModelJob| Some((end(job.status)?, job.spec.id.clone()));
        let mut found: Vec<_> = self.jobs.iter().filter_map(timed).collect();
        found.sort();
        found
    }

    fn in_flight(&self) -> Vec<(u64, JobId)> {
        self.timed(|status| match status {
            JobStatus::InFlight { deadline_ms } => Some(deadline_ms),
            _ => None,
        })
    }

    fn delayed(&self) -> Vec<(u64, JobId)> {
        self.timed(|status| match status {
            JobStatus::Delayed { until_ms, .. } => Some(until_ms),
            _ => None,
        })
    }

    /// Those of `jobs` that began at a later time than the clock shows: the earliest first, and of those
    /// that began together the one first that was enqueued first.
    fn not_begun(&self, jobs: &[(u64, JobId)], now_ms: u64) -> Vec<JobId> {
        let begins = |(end, id): &(u64, JobId)| {
            let place = self.jobs.iter().position(|job| job.spec.id == *id).unwrap();
            let job = &self.jobs[place];
            let since_ms = match job.status {
                JobStatus::Delayed { since_ms, .. } => since_ms,
                _ => end.saturating_sub(job.spec.timeout_ms),
            };
            (since_ms, place, id.clone())
        };
        let mut found: Vec<_> = jobs.iter().map(begins).collect();
        found.retain(|(since, ..)| *since > now_ms);
        found.sort();
        found.into_iter().map(|(.., id)| id).collect()
    }

    /// Puts a job at the back of the queue, or of the dead.
    fn put(&mut self, id: &JobId, status: JobStatus) {
        self.tickets += 1;
        let ticket = self.tickets;
        let job = self.find(id).unwrap();
        (job.ticket, job.status) = (ticket, status);
    }

    /// Puts a job in flight back, or among the dead.
    fn bring_back(&mut self, id: &JobId, now_ms: u64, delayed: bool) {
        let job = self.find(id).unwrap();
        let mut delay_ms = job.spec.backoff.first_ms;
        for _ in 1..job.attempts {
            delay_ms = delay_ms.saturating_mul(2);
        }
        delay_ms = delay_ms.min(job.spec.backoff.max_ms);
        if job.attempts == job.spec.max_attempts.get() {
            self.put(id, JobStatus::Dead);
        } else if delayed && delay_ms > 0 {
            job.status = JobStatus::Delayed {
                since_ms: now_ms,
                until_ms: now_ms + delay_ms,
            };
        } else {
            self.put(id, JobStatus::Pending);
        }
    }

    /// The job, if it is in flight at this attempt.
    fn held(&mut self, id: &JobId, attempt: u32) -> Option<&mut ModelJob> {
        self.find(id).filter(|job| {
            let in_flight = matches!(job.status, JobStatus::InFlight { .. });
            in_flight && job.attempts_before + job.attempts == attempt
        })
    }

    /// Says whether the command is legal.
    fn run(&mut self, command: &Command, now_ms: u64) -> bool {
        match command {
            Command::Enqueue(specs) => {
                for (at, spec) in specs.iter().enumerate() {
                    let repeated = specs[..at].iter().any(|earlier| earlier.id == spec.id);
                    if repeated || self.find(&spec.id).is_some() {
                        return false;
                    }
                }
                for spec in specs {
                    self.tickets += 1;
                    self.jobs.push(ModelJob {
                        spec: spec.clone(),
                        attempts: 0,
                        attempts_before: 0,
                        status: JobStatus::Pending,
                        ticket: self.tickets,
                    });
                }
            }
            Command::Dispatch => {
                let front = self
                    .ordered(JobStatus::Pending)
                    .first()
                    .map(|job| job.spec.id.clone());
                if let Some(job) = front.and_then(|id| self.find(&id)) {
                    let deadline_ms = now_ms.saturating_add(job.spec.timeout_ms);
                    job.attempts += 1;
                    job.status = JobStatus::InFlight { deadline_ms };
                }
            }
            Command::Heartbeat { id, attempt } => {
                let Some(job) = self.held(id, *attempt) else {
                    return false;
                };
                let deadline_ms = now_ms.saturating_add(job.spec.timeout_ms);
                job.status = JobStatus::InFlight { deadline_ms };
            }
            Command::Ack { id, attempt } => match self.held(id, *attempt) {
                Some(job) => job.status = JobStatus::Completed,
                None => return false,
            },
            Command::Fail { id, attempt } => match self.held(id, *attempt) {
                Some(_) => self.bring_back(id, now_ms, true),
                None => return false,
            },
            Command::Tick => self.tick(now_ms),
            Command::RequeueInFlight => {
                for (_, id) in &self.in_flight() {
                    self.bring_back(id, now_ms, false);
                }
            }
            Command::Revive(id) | Command::Drop(id) => {
                let Some(job) = self.find(id).filter(|job| job.status == JobStatus::Dead) else {
                    return false;
                };
                job.attempts_before += job.attempts;
                job.attempts = 0;
                match command {
                    Command::Drop(_) => job.status = JobStatus::Dropped,
                    _ => self.put(id, JobStatus::Pending),
                }
            }
        }
        true
    }

    fn tick(&mut self, now_ms: u64) {
        let (in_flight, delayed) = (self.in_flight(), self.delayed());
        let held_on = self.not_begun(&in_flight, now_ms);
        let delayed_ahead = self.not_begun(&delayed, now_ms);
        for (_, id) in in_flight.iter().filter(|(due, _)| *due <= now_ms) {
            self.bring_back(id, now_ms, true);
        }
        for id in held_on {
            let job = self.find(&id).unwrap();
            let deadline_ms = now_ms.saturating_add(job.spec.timeout_ms);
            job.status = JobStatus::InFlight { deadline_ms };
        }
        for (_, id) in delayed.iter().filter(|(due, _)| *due <= now_ms) {
            self.put(id, JobStatus::Pending);
        }
        for id in delayed_ahead {
            self.put(&id, JobStatus::Pending);
        }
    }

    fn check(&self, queue: &JobQueue) -> Result<(), TestCaseError> {
        let names = |jobs: Vec<&ModelJob>| -> Vec<JobId> {
            jobs.into_iter().map(|job| job.spec.id.clone()).collect()
        };
        let listed: Vec<_> = queue.pending().map(|(id, _)| id.clone()).collect();
        prop_assert_eq!(listed, names(self.ordered(JobStatus::Pending)));
        let listed: Vec<_> = queue.dead_letters().map(|(id, _)| id.clone()).collect();
        prop_assert_eq!(listed, names(self.ordered(JobStatus::Dead)));
        let ids = |timed: Vec<(u64, JobId)>| -> Vec<JobId> {
            timed.into_iter().map(|(_, id)| id).collect()
        };
        let listed: Vec<_> = queue.in_flight().map(|(id, _)| id.clone()).collect();
        prop_assert_eq!(listed, ids(self.in_flight()));
        let listed: Vec<_> = queue.delayed().map(|(id, _)| id.clone()).collect();
        prop_assert_eq!(listed, ids(self.delayed()));
        for job in &self.jobs {
            prop_assert_eq!(queue.status(&job.spec.id), Some(job.status));
            let Some(kept) = queue.job(&job.spec.id) else {
                let finished = [JobStatus::Completed, JobStatus::Dropped];
                prop_assert!(finished.contains(&job.status));
                continue;
            };
            prop_assert_eq!(kept.attempts(), job.attempts_before + job.attempts);
            prop_assert_eq!(kept.attempts_used(), job.attempts);
            prop_assert!(kept.attempts_used() <= kept.max_attempts().get());
            prop_assert_eq!(kept.payload(), &job.spec.payload);
            prop_assert_eq!(kept.max_attempts(), job.spec.max_attempts);
            prop_assert_eq!(kept.timeout_ms(), job.spec.timeout_ms);
            prop_assert_eq!(kept.backoff(), job.spec.backoff);
        }
        prop_assert_eq!(queue.counts().total(), self.jobs.len() as u64);
        prop_assert_eq!(queue.verify(), Ok(()));
        Ok(())
    }
}

/// Few names, so that commands meet jobs that exist.
fn any_id() -> impl Strategy<Value = JobId> {
    prop_oneof![8 => "[a-h]", 1 => Just("\n".to_owned())].prop_map(|id| JobId::new(id).unwrap())
}

fn any_spec() -> impl Strategy<Value = JobSpec> {
    let payload = prop_oneof![4 => Just("{}".to_owned()), 1 => json_text()];
    let timeout_ms = prop_oneof![4 => 0..30_u64, 1 => Just(u64::MAX)];
    let backoff = (0..30_u64, 0..90_u64).prop_map(|(first, max)| Backoff::new(first, max));
    let backoff = prop_oneof![2 => Just(Backoff::NONE), 3 => backoff];
    (any_id(), payload, 1..4_u32, timeout_ms, backoff).prop_map(
        |(id, payload, attempts, timeout_ms, backoff)| {
            JobSpec::new(id, Payload::new(payload).unwrap())
                .with_max_attempts(NonZeroU32::new(attempts).unwrap())
                .with_timeout_ms(timeout_ms)
                .with_backoff(backoff)
        },
    )
}

fn any_command() -> impl Strategy<Value = Command> {
    let report = || (any_id(), 1..4_u32);
    prop_oneof![
        4 => prop::collection::vec(any_spec(), 0..3).prop_map(Command::Enqueue),
        6 => Just(Command::Dispatch),
        2 => report().prop_map(|(id, attempt)| Command::Heartbeat { id, attempt }),
        3 => report().prop_map(|(id, attempt)| Command::Ack { id, attempt }),
        6 => report().prop_map(|(id, attempt)| Command::Fail { id, attempt }),
        3 => Just(Command::Tick),
        1 => Just(Command::RequeueInFlight),
        2 => any_id().prop_map(Command::Revive),
        1 => any_id().prop_map(Command::Drop),
    ]
}

/// Where the clock of a simulated machine starts: in 2023.
const START_MS: u64 = 1_700_000_000_000;

/// How the clock moves, in milliseconds: mostly on, now and then to anywhere.
fn any_passing() -> impl Strategy<Value = i64> {
    const HOUR_MS: i64 = 3_600_000;
    prop_oneof![
        20 => 0..10_i64,
        1 => prop::sample::select(vec![HOUR_MS, 9_000 * HOUR_MS]),
        1 => prop::sample::select(vec![-1, -HOUR_MS, -9_000 * HOUR_MS, i64::MIN]),
    ]
}

/// Commands, each with the time that passes before it.
fn any_commands() -> impl Strategy<Value = Vec<(Command, i64)>> {
    prop::collection::vec((any_command(), any_passing()), 0..60)
}

/// The events of the legal ones among `commands`, and the state after them.
fn history(commands: &[(Command, i64)]) -> (Vec<Event>, JobQueue) {
    let (mut events, mut queue, mut now_ms) = (Vec::new(), JobQueue::new(), START_MS);
    for (command, passed_ms) in commands {
        now_ms = now_ms.saturating_add_signed(*passed_ms);
        for event in queue.plan(command, now_ms).unwrap_or_default() {
            queue.apply(&event).unwrap();
            events.push(event);
        }
    }
    (events, queue)
}

fn fold(mut queue: JobQueue, events: &[Event]) -> JobQueue {
    for event in events {
        queue.apply(event).unwrap();
    }
    queue
}

fn snapshot(queue: &JobQueue) -> Vec<u8> {
    let mut out = Vec::new();
    queue.snapshot(&mut out);
    out
}

proptest! {
    #[test]
    fn queue_does_what_the_model_does(commands in any_commands()) {
        let (mut queue, mut model, mut now_ms) = (JobQueue::new(), Model::default(), START_MS);
        for (command, passed_ms) in &commands {
            now_ms = now_ms.saturating_add_signed(*passed_ms);
            let plan = queue.plan(command, now_ms);
            prop_assert_eq!(plan.is_ok(), model.run(command, now_ms), "{:?}", command);
            for event in plan.unwrap_or_default() {
                prop_assert_eq!(event.timestamp_ms, now_ms);
                prop_assert_eq!(queue.apply(&event), Ok(()));
            }
            model.check(&queue)?;
        }
    }

    #[test]
    fn replay_of_the_logged_bytes_gives_the_same_state(commands in any_commands()) {
        let (events, queue) = history(&commands);
        let mut replayed = JobQueue::initial();
        for event in &events {
            let mut line = Vec::new();
            crate::LogEvent::encode(event, &mut line);
            let decoded = <Event as crate::LogEvent>::decode(&line).unwrap();
            replayed.apply(&decoded).unwrap();
        }
        prop_assert_eq!(replayed, queue);
    }

    #[test]
    fn any_split_into_snapshot_and_tail_gives_the_same_state(
        commands in any_commands(),
        split in any::<prop::sample::Index>(),
    ) {
        let (events, queue) = history(&commands);
        let split = split.index(events.len() + 1);
        let before = fold(JobQueue::new(), &events[..split]);
        let restored = JobQueue::restore(&snapshot(&before)).unwrap();
        prop_assert_eq!(&restored, &before);
        let after = fold(restored, &events[split..]);
        prop_assert_eq!(&after, &queue);
        prop_assert_eq!(snapshot(&after), snapshot(&queue));
    }

    #[test]
    fn refused_event_changes_nothing(
        commands in any_commands(),
        strangers in prop::collection::vec(any_event(), 0..10),
    ) {
        let (events, mut queue) = history(&commands);
        for event in strangers.iter().chain(&events) {
            let before = snapshot(&queue);
            if queue.apply(event).is_err() {
                prop_assert_eq!(snapshot(&queue), before);
            }
            prop_assert_eq!(queue.verify(), Ok(()));
        }
    }

    #[test]
    fn job_completes_at_most_once(
        commands in any_commands(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
    ) {
        let (events, _) = history(&commands);
        prop_assume!(!events.is_empty());
        let mut queue = JobQueue::new();
        let mut completed = Vec::new();
        for index in order {
            let event = &events[index.index(events.len())];
            if queue.apply(event).is_ok() && event.event_type() == EventType::Ack {
                prop_assert!(!completed.contains(&event.job_id));
                completed.push(event.job_id.clone());
            }
        }
        prop_assert_eq!(queue.verify(), Ok(()));
    }

    /// Whatever the clock did before: as soon as it is right, every job is locked up for its own
    /// timeout at most, and every delay is as long as it was meant to be, at most.
    #[test]
    fn no_job_is_locked_up_longer_than_its_timeout_after_the_clock_is_right(
        commands in any_commands(),
    ) {
        let (_, mut queue) = history(&commands);
        let tick = |queue: &mut JobQueue, now_ms| {
            for event in queue.plan(&Command::Tick, now_ms).unwrap() {
                queue.apply(&event).unwrap();
            }
        };
        tick(&mut queue, START_MS);
        for (id, job) in queue.in_flight() {
            let JobStatus::InFlight { deadline_ms } = job.status() else {
                return Err(TestCaseError::fail("a job in flight has a deadline"));
            };
            let timeout_ms = job.timeout_ms();
            let due = deadline_ms <= START_MS && timeout_ms > 0;
            prop_assert!(!due, "{id} is still held");
            prop_assert!(deadline_ms <= START_MS.saturating_add(timeout_ms), "{id} is locked up");
        }
        for (id, job) in queue.delayed() {
            let JobStatus::Delayed { until_ms, .. } = job.status() else {
                return Err(TestCaseError::fail("a delayed job has an end"));
            };
            prop_assert!(until_ms > START_MS && until_ms <= START_MS + job.backoff().max_ms, "{id}");
        }
        // The longest timeouts and delays are over then, but for timeouts that never end.
        tick(&mut queue, START_MS + 90);
        prop_assert_eq!(queue.counts().delayed, queue.delayed().count() as u64);
        for (id, job) in queue.in_flight() {
            prop_assert_eq!(job.timeout_ms(), u64::MAX, "{}", id);
        }
        // Those that timed out just now may wait for their delay.
        tick(&mut queue, START_MS + 180);
        prop_assert_eq!(queue.counts().delayed, 0);
    }

    /// A worker that has an attempt and reports it after the job went to another one changes nothing.
    #[test]
    fn report_of_an_attempt_that_is_not_in_flight_is_refused(
        commands in any_commands(),
        id in any_id(),
        attempt in 0..5_u32,
    ) {
        let (_, queue) = history(&commands);
        let in_flight = matches!(queue.status(&id), Some(JobStatus::InFlight { .. }));
        let current = in_flight.then(|| queue.job(&id).unwrap().attempts());
        for command in [
            Command::Heartbeat { id: id.clone(), attempt },
            Command::Ack { id: id.clone(), attempt },
            Command::Fail { id: id.clone(), attempt },
        ] {
            let plan = queue.plan(&command, START_MS);
            prop_assert_eq!(plan.is_ok(), current == Some(attempt), "{:?}", command);
            if let (Some(current), Err(error)) = (current, plan) {
                let late = matches!(
                    error,
                    JobError::WrongAttempt { attempt: said, current: is, .. }
                        if said == attempt && is == current
                );
                prop_assert!(late, "{error}");
            }
        }
    }

    #[test]
    fn clone_is_a_state_of_its_own(commands in any_commands(), more in any_commands()) {
        let (events, queue) = history(&commands);
        let before = snapshot(&queue);
        let mut other = queue.clone();
        for (command, passed_ms) in &more {
            let now_ms = START_MS.saturating_add_signed(*passed_ms);
            for event in other.plan(command, now_ms).unwrap_or_default() {
                other.apply(&event).unwrap();
            }
        }
        prop_assert_eq!(snapshot(&queue), before);
        prop_assert_eq!(fold(JobQueue::new(), &events), queue);
    }

    #[test]
    fn any_bytes_are_refused_as_a_snapshot_without_panic(bytes in any::<Vec<u8>>()) {
        prop_assert!(JobQueue::restore(&bytes).is_err());
    }

    #[test]
    fn damaged_snapshot_is_refused_or_is_a_state_that_can_be_reached(
        commands in any_commands(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = snapshot(&history(&commands).1);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(queue) = JobQueue::restore(&bytes) {
            prop_assert_eq!(queue.verify(), Ok(()));
            prop_assert_eq!(JobQueue::restore(&snapshot(&queue)), Ok(queue));
        }
    }
}

#[test]
fn state_of_many_jobs_is_restored() {
    let payload = Payload::new("0").unwrap();
    let mut queue = JobQueue::new();
    let run = |queue: &mut JobQueue, command| {
        for event in queue.plan(&command, 0).unwrap() {
            queue.apply(&event).unwrap();
        }
    };
    for number in 0..5000 {
        let id = JobId::new(format!("job-{number}")).unwrap();
        let spec = JobSpec::new(id, payload.clone());
        run(&mut queue, Command::Enqueue(vec![spec]));
        run(&mut queue, Command::Dispatch);
        let due = queue.in_flight().next().map(|(id, _)| id.clone()).unwrap();
        match number % 5 {
            0..3 => {
                let attempt = queue.job(&due).unwrap().attempts();
                run(&mut queue, Command::Fail { id: due, attempt });
            }
            3 => {
                let attempt = queue.job(&due).unwrap().attempts();
                run(&mut queue, Command::Ack { id: due, attempt });
            }
            _ => (),
        }
    }
    let counts = queue.counts();
    for count in [
        counts.pending,
        counts.in_flight,
        counts.completed,
        counts.dead,
    ] {
        assert!(count > 100, "{counts:?}");
    }
    let restored = JobQueue::restore(&snapshot(&queue)).unwrap();
    assert_eq!(restored, queue);
    restored.verify().unwrap();
}
