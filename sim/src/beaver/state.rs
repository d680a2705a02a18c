//! The state of a job queue: as the model computes it, or as a store shows it.

use std::fmt;

use beaver::{JobQueue, JobStatus};

use super::model::{Model, ModelJob, Standing, is_same};

/// A state of the queue. A state that a store shows is held against the model's by lookups: to
/// rebuild one as the other would cost more than the recovery that it is there to judge.
#[derive(Clone)]
pub enum QueueState {
    /// What the model computed.
    Model(Model),
    /// What the library shows.
    Shown(JobQueue),
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
            QueueState::Shown(_) => panic!("ops are applied to states of the model alone"),
        }
    }

    /// The same, to be changed.
    pub(super) fn model_mut(&mut self) -> &mut Model {
        match self {
            QueueState::Model(model) => model,
            QueueState::Shown(_) => panic!("ops are applied to states of the model alone"),
        }
    }

    fn jobs(&self) -> Vec<ModelJob> {
        match self {
            QueueState::Model(model) => model.jobs().cloned().collect(),
            QueueState::Shown(queue) => shown_jobs(queue).collect(),
        }
    }

    fn waiting(&self) -> Vec<String> {
        match self {
            QueueState::Model(model) => model.waiting().to_vec(),
            QueueState::Shown(queue) => ids(queue.pending()),
        }
    }

    fn dead(&self) -> Vec<String> {
        match self {
            QueueState::Model(model) => model.dead().cloned().collect(),
            QueueState::Shown(queue) => ids(queue.dead_letters()),
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
            (QueueState::Shown(one), QueueState::Shown(other)) => one == other,
            (QueueState::Model(model), QueueState::Shown(queue))
            | (QueueState::Shown(queue), QueueState::Model(model)) => shows(queue, model),
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

/// Everything that a client can ask a queue about its jobs. Of a completed one only its id is remembered.
fn shown_jobs(queue: &JobQueue) -> impl Iterator<Item = ModelJob> {
    let listed = queue
        .pending()
        .chain(queue.in_flight())
        .chain(queue.dead_letters());
    let listed = listed.map(|(id, job)| ModelJob {
        id: id.as_str().to_owned(),
        payload: job.payload().as_str().to_owned(),
        max_attempts: job.max_attempts().get(),
        timeout_ms: job.timeout_ms(),
        attempts: job.attempts(),
        standing: match job.status() {
            JobStatus::Pending => Standing::Waiting,
            JobStatus::InFlight { deadline_ms } => Standing::InFlight { deadline_ms },
            JobStatus::Completed => Standing::Completed,
            JobStatus::Dead => Standing::Dead,
        },
    });
    let completed = queue.completed().map(|id| ModelJob {
        id: id.as_str().to_owned(),
        payload: String::new(),
        max_attempts: 0,
        timeout_ms: 0,
        attempts: 0,
        standing: Standing::Completed,
    });
    listed.chain(completed)
}

fn ids<'q, T>(jobs: impl Iterator<Item = (&'q beaver::JobId, T)>) -> Vec<String> {
    jobs.map(|(id, _)| id.as_str().to_owned()).collect()
}

fn listed(jobs: &[ModelJob]) -> String {
    let ids: Vec<&str> = jobs.iter().map(|job| &*job.id).collect();
    format!("{} jobs: {}", jobs.len(), ids.join(", "))
}

fn describe(job: &ModelJob) -> String {
    format!(
        "job {}: {:?}, attempt {} of {}, timeout {} ms, payload {}",
        job.id, job.standing, job.attempts, job.max_attempts, job.timeout_ms, job.payload
    )
}
