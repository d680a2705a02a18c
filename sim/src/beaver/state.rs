//! The state of a job queue: as the model computes it, or as a store shows it.

use std::fmt;

use beaver::{JobId, JobQueue, JobStatus};

use super::model::{Model, ModelJob, Standing, is_same};

/// A state of the queue. A state that a store shows is held against the model's by lookups: to
/// rebuild one as the other would cost more than the recovery that it is there to judge.
#[derive(Clone)]
pub enum QueueState {
    /// What the model computed.
    Model(Model),
    /// What the library shows.
    Observed(JobQueue),
}

impl Default for QueueState {
    fn default() -> Self {
        QueueState::Model(Model::default())
    }
}

impl QueueState {
    /// The model's state.
    ///
    /// # Panics
    /// If it is one that a store shows: no op is ever applied to that.
    #[must_use]
    pub fn model(&self) -> &Model {
        match self {
            QueueState::Model(model) => model,
            QueueState::Observed(_) => panic!("ops are applied to states of the model alone"),
        }
    }

    /// The same, to be changed.
    pub(super) fn model_mut(&mut self) -> &mut Model {
        match self {
            QueueState::Model(model) => model,
            QueueState::Observed(_) => panic!("ops are applied to states of the model alone"),
        }
    }

    fn jobs(&self) -> Vec<ModelJob> {
        match self {
            QueueState::Model(model) => model.jobs().cloned().collect(),
            QueueState::Observed(queue) => shown_jobs(queue).collect(),
        }
    }

    fn waiting(&self) -> Vec<String> {
        match self {
            QueueState::Model(model) => model.waiting().to_vec(),
            QueueState::Observed(queue) => ids(queue.pending()),
        }
    }

    fn dead(&self) -> Vec<String> {
        match self {
            QueueState::Model(model) => model.dead().cloned().collect(),
            QueueState::Observed(queue) => ids(queue.dead_letters()),
        }
    }

    /// What is different in `found`: what was expected, and what was found.
    pub(super) fn difference(&self, found: &QueueState) -> (String, String) {
        let (mut want, mut got) = (self.jobs(), found.jobs());
        for jobs in [&mut want, &mut got] {
            jobs.sort_by(|a, b| a.id.cmp(&b.id));
        }
        let mut pairs = want.iter().zip(&got);
        if let Some((want, got)) = pairs.find(|(want, got)| !is_same(want, got)) {
            return (describe(want), describe(got));
        }
        if want.len() != got.len() {
            return (listed(&want), listed(&got));
        }
        let order =
            |what: &str, ids: Vec<String>| format!("{what} in this order: {}", ids.join(", "));
        match self.waiting() == found.waiting() {
            false => (
                order("waiting", self.waiting()),
                order("waiting", found.waiting()),
            ),
            true => (order("dead", self.dead()), order("dead", found.dead())),
        }
    }
}

impl PartialEq for QueueState {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (QueueState::Model(one), QueueState::Model(other)) => one.looks_like(other),
            (QueueState::Observed(one), QueueState::Observed(other)) => one == other,
            (QueueState::Model(model), QueueState::Observed(queue))
            | (QueueState::Observed(queue), QueueState::Model(model)) => shows(queue, model),
        }
    }
}

impl fmt::Debug for QueueState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueState")
            .field("jobs", &self.jobs())
            .field("waiting", &self.waiting())
            .field("dead", &self.dead())
            .finish()
    }
}

/// Whether `queue` is what it should be: every job in one place, each as the model has it, in order.
fn shows(queue: &JobQueue, model: &Model) -> bool {
    let waiting = queue.pending().map(|(id, _)| id.as_str());
    let dead = queue.dead_letters().map(|(id, _)| id.as_str());
    let mut seen = vec![false; model.len()];
    let mut count = 0;
    let mut once = |job: ModelJob| {
        let at = model.position(&job.id)?;
        let right = is_same(model.nth(at)?, &job);
        count += 1;
        (right && !std::mem::replace(&mut seen[at], true)).then_some(())
    };
    waiting.eq(model.waiting().iter().map(String::as_str))
        && dead.eq(model.dead().map(String::as_str))
        && shown_jobs(queue).all(|job| once(job).is_some())
        && count == model.len()
}

/// Everything that a client can ask a queue about its jobs. Of a completed or dropped one only its id is
/// remembered.
fn shown_jobs(queue: &JobQueue) -> impl Iterator<Item = ModelJob> {
    let listed = queue
        .pending()
        .chain(queue.in_flight())
        .chain(queue.delayed())
        .chain(queue.dead_letters());
    let listed = listed.map(|(id, job)| ModelJob {
        id: id.as_str().to_owned(),
        payload: job.payload().as_str().to_owned(),
        max_attempts: job.max_attempts().get(),
        timeout_ms: job.timeout_ms(),
        backoff_ms: [job.backoff().first_ms, job.backoff().max_ms],
        attempts: job.attempts(),
        attempts_left: job.max_attempts().get() - job.attempts_used(),
        standing: match job.status() {
            JobStatus::Pending => Standing::Waiting,
            JobStatus::InFlight { deadline_ms } => Standing::InFlight { deadline_ms },
            JobStatus::Delayed { since_ms, until_ms } => Standing::Delayed { since_ms, until_ms },
            JobStatus::Completed => Standing::Completed,
            JobStatus::Dead => Standing::Dead,
            JobStatus::Dropped => Standing::Dropped,
        },
    });
    let completed = queue.completed().map(|id| gone(id, Standing::Completed));
    let dropped = queue.dropped().map(|id| gone(id, Standing::Dropped));
    listed.chain(completed).chain(dropped)
}

/// A job whose id alone is remembered.
fn gone(id: &JobId, standing: Standing) -> ModelJob {
    ModelJob {
        id: id.as_str().to_owned(),
        payload: String::new(),
        max_attempts: 0,
        timeout_ms: 0,
        backoff_ms: [0, 0],
        attempts: 0,
        attempts_left: 0,
        standing,
    }
}

fn ids<'q, T>(jobs: impl Iterator<Item = (&'q JobId, T)>) -> Vec<String> {
    jobs.map(|(id, _)| id.as_str().to_owned()).collect()
}

fn listed(jobs: &[ModelJob]) -> String {
    let ids: Vec<&str> = jobs.iter().map(|job| &*job.id).collect();
    match ids.is_empty() {
        true => "jobs: none".to_owned(),
        false => format!("jobs: {}", ids.join(", ")),
    }
}

fn describe(job: &ModelJob) -> String {
    format!(
        "job {}: {:?}, attempt {}, {} of {} left, timeout {} ms, backoff {:?} ms, payload {}",
        job.id,
        job.standing,
        job.attempts,
        job.attempts_left,
        job.max_attempts,
        job.timeout_ms,
        job.backoff_ms,
        job.payload
    )
}

#[cfg(test)]
mod tests {
    use beaver::{Event, StateMachine};

    use super::*;
    use crate::beaver::command::{Command, Job};
    use crate::beaver::library::library_command;

    /// The same commands given to the model and to the library's queue: one job is in flight, one
    /// delayed, two wait, and one each is completed, dead and dropped.
    fn both() -> (Model, JobQueue) {
        let job = |id: &str| Job {
            id: id.to_owned(),
            payload: "{\"n\":1}".to_owned(),
            max_attempts: if ["dead", "dropped"].contains(&id) {
                1
            } else {
                3
            },
            timeout_ms: 100,
            backoff_ms: if id == "late" { [7, 9] } else { [0, 0] },
        };
        let ids = [
            "done",
            "dead",
            "in-flight",
            "late",
            "dropped",
            "first",
            "second",
        ];
        let attempt = Some(1);
        let commands = [
            Command::Enqueue {
                jobs: ids.map(job).into(),
            },
            Command::Dispatch,
            Command::Dispatch,
            Command::Dispatch,
            Command::Dispatch,
            Command::Dispatch,
            Command::Ack {
                id: "done".to_owned(),
                attempt,
            },
            Command::Fail {
                id: "dead".to_owned(),
                attempt,
            },
            Command::Fail {
                id: "late".to_owned(),
                attempt,
            },
            Command::Fail {
                id: "dropped".to_owned(),
                attempt,
            },
            Command::Drop {
                id: "dropped".to_owned(),
            },
        ];
        let (mut model, mut queue) = (Model::default(), JobQueue::initial());
        for (command, now_ms) in commands.iter().zip(1..) {
            let records = model.plan(command, now_ms).unwrap();
            records.iter().for_each(|record| model.apply(record));
            let events: Vec<Event> = queue.plan(&library_command(command), now_ms).unwrap();
            events.iter().for_each(|event| queue.apply(event).unwrap());
        }
        (model, queue)
    }

    /// What the model holds, to be changed in one place.
    #[derive(Clone)]
    struct Parts {
        jobs: Vec<ModelJob>,
        waiting: Vec<String>,
        dead: Vec<String>,
    }

    impl Parts {
        fn state(self) -> QueueState {
            QueueState::Model(Model::of(self.jobs, self.waiting, self.dead))
        }
    }

    #[test]
    fn the_same_commands_lead_to_the_same_state() {
        let (model, queue) = both();
        let (model, shown) = (QueueState::Model(model), QueueState::Observed(queue));
        assert_eq!(model, shown);
        assert_eq!(shown, model);
        assert_eq!(shown, shown.clone());
        assert_eq!(model, model.clone());
    }

    fn delayed(since_ms: u64, until_ms: u64) -> Standing {
        Standing::Delayed { since_ms, until_ms }
    }

    #[test]
    fn every_field_of_the_state_counts() {
        let (model, queue) = both();
        let parts = Parts {
            jobs: model.jobs().cloned().collect(),
            waiting: model.waiting().to_vec(),
            dead: model.dead().cloned().collect(),
        };
        let truth = parts.clone().state();
        let shown = QueueState::Observed(queue);
        assert_eq!(truth, shown);
        let changes: [fn(&mut Parts); 20] = [
            |state| state.jobs[2].attempts += 1,
            |state| state.jobs[2].standing = Standing::Waiting,
            |state| state.jobs[2].standing = Standing::InFlight { deadline_ms: 1 },
            |state| state.jobs[2].attempts_left -= 1,
            |state| state.jobs[3].payload.push(' '),
            |state| state.jobs[3].max_attempts += 1,
            |state| state.jobs[3].timeout_ms += 1,
            |state| state.jobs[3].backoff_ms[0] += 1,
            |state| state.jobs[3].backoff_ms[1] += 1,
            |state| state.jobs[3].standing = Standing::Waiting,
            |state| state.jobs[3].standing = delayed(1, 16),
            |state| state.jobs[4].standing = Standing::Completed,
            |state| state.jobs[0].standing = Standing::Dead,
            |state| state.jobs[6].id.push('x'),
            |state| state.waiting.swap(0, 1),
            |state| drop(state.waiting.pop()),
            |state| drop(state.jobs.pop()),
            |state| state.dead.push("done".to_owned()),
            |state| state.dead.clear(),
            // One job twice, and another one not at all.
            |state| state.jobs[6] = state.jobs[5].clone(),
        ];
        for (nth, change) in changes.iter().enumerate() {
            let mut changed = parts.clone();
            change(&mut changed);
            let changed = changed.state();
            for other in [&truth, &shown] {
                assert_ne!(changed, *other, "change {nth}");
                assert_ne!(*other, changed, "change {nth}");
                let (expected, found) = other.difference(&changed);
                assert_ne!(expected, found, "change {nth}");
            }
        }
    }

    #[test]
    fn of_a_completed_job_only_its_id_is_remembered() {
        let (model, queue) = both();
        let mut jobs: Vec<ModelJob> = model.jobs().cloned().collect();
        jobs[0].payload.clear();
        jobs[0].attempts = 0;
        let waiting = model.waiting().to_vec();
        let other = Model::of(jobs, waiting, model.dead().cloned().collect());
        assert_eq!(QueueState::Model(other), QueueState::Observed(queue));
    }
}
