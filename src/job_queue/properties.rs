//! Claims about the job queue for any commands, judged by a model that is as plain as can be: one
//! list of jobs, searched from its start, and nothing indexed.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::event::tests::{any_event, json_text};
use crate::event::{EventType, Payload};

#[derive(Clone, Debug, PartialEq, Eq)]
struct ModelJob {
    spec: JobSpec,
    attempts: u32,
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

    fn in_flight(&self) -> Vec<(u64, JobId)> {
        let deadline = |job: &ModelJob| match job.status {
            JobStatus::InFlight { deadline_ms } => Some((deadline_ms, job.spec.id.clone())),
            _ => None,
        };
        let mut found: Vec<_> = self.jobs.iter().filter_map(deadline).collect();
        found.sort();
        found
    }

    /// Puts a job in flight back, or among the dead.
    fn bring_back(&mut self, id: &JobId) {
        self.tickets += 1;
        let ticket = self.tickets;
        let job = self.find(id).unwrap();
        job.ticket = ticket;
        let exhausted = job.attempts == job.spec.max_attempts.get();
        job.status = if exhausted {
            JobStatus::Dead
        } else {
            JobStatus::Pending
        };
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
            Command::Ack(id) | Command::Fail(id) => {
                let acked = matches!(command, Command::Ack(_));
                match self.find(id) {
                    Some(job) if matches!(job.status, JobStatus::InFlight { .. }) => {
                        if acked {
                            job.status = JobStatus::Completed;
                        } else {
                            self.bring_back(id);
                        }
                    }
                    _ => return false,
                }
            }
            Command::Tick => {
                for (_, id) in self.in_flight().iter().filter(|(due, _)| *due <= now_ms) {
                    self.bring_back(id);
                }
            }
            Command::RequeueInFlight => {
                for (_, id) in &self.in_flight() {
                    self.bring_back(id);
                }
            }
        }
        true
    }

    fn check(&self, queue: &JobQueue) -> Result<(), TestCaseError> {
        let names = |jobs: Vec<&ModelJob>| -> Vec<JobId> {
            jobs.into_iter().map(|job| job.spec.id.clone()).collect()
        };
        let listed: Vec<_> = queue.pending().map(|(id, _)| id.clone()).collect();
        prop_assert_eq!(listed, names(self.ordered(JobStatus::Pending)));
        let listed: Vec<_> = queue.dead_letters().map(|(id, _)| id.clone()).collect();
        prop_assert_eq!(listed, names(self.ordered(JobStatus::Dead)));
        let listed: Vec<_> = queue.in_flight().map(|(id, _)| id.clone()).collect();
        let expected: Vec<_> = self.in_flight().into_iter().map(|(_, id)| id).collect();
        prop_assert_eq!(listed, expected);
        prop_assert_eq!(
            queue.next_deadline_ms(),
            self.in_flight().first().map(|(due, _)| *due)
        );
        for job in &self.jobs {
            prop_assert_eq!(queue.status(&job.spec.id), Some(job.status));
            let Some(kept) = queue.job(&job.spec.id) else {
                prop_assert_eq!(job.status, JobStatus::Completed);
                continue;
            };
            prop_assert_eq!(kept.attempts(), job.attempts);
            prop_assert!(kept.attempts() <= kept.max_attempts().get());
            prop_assert_eq!(kept.payload(), &job.spec.payload);
            prop_assert_eq!(kept.max_attempts(), job.spec.max_attempts);
            prop_assert_eq!(kept.timeout_ms(), job.spec.timeout_ms);
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
    (any_id(), payload, 1..4_u32, timeout_ms).prop_map(|(id, payload, attempts, timeout_ms)| {
        JobSpec::new(id, Payload::new(payload).unwrap())
            .with_max_attempts(NonZeroU32::new(attempts).unwrap())
            .with_timeout_ms(timeout_ms)
    })
}

/// Commands, each with the time that passes before it.
fn any_commands() -> impl Strategy<Value = Vec<(Command, u64)>> {
    let command = prop_oneof![
        4 => prop::collection::vec(any_spec(), 0..3).prop_map(Command::Enqueue),
        6 => Just(Command::Dispatch),
        3 => any_id().prop_map(Command::Ack),
        3 => any_id().prop_map(Command::Fail),
        2 => Just(Command::Tick),
        1 => Just(Command::RequeueInFlight),
    ];
    prop::collection::vec((command, 0..10_u64), 0..60)
}

/// The events of the legal ones among `commands`, and the state after them.
fn history(commands: &[(Command, u64)]) -> (Vec<Event>, JobQueue) {
    let (mut events, mut queue, mut now_ms) = (Vec::new(), JobQueue::new(), 0);
    for (command, passed_ms) in commands {
        now_ms += passed_ms;
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
        let (mut queue, mut model, mut now_ms) = (JobQueue::new(), Model::default(), 0);
        for (command, passed_ms) in &commands {
            now_ms += passed_ms;
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

    #[test]
    fn clone_is_a_state_of_its_own(commands in any_commands(), more in any_commands()) {
        let (events, queue) = history(&commands);
        let before = snapshot(&queue);
        let mut other = queue.clone();
        for (command, passed_ms) in &more {
            for event in other.plan(command, *passed_ms).unwrap_or_default() {
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
            0..3 => run(&mut queue, Command::Fail(due)),
            3 => run(&mut queue, Command::Ack(due)),
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
