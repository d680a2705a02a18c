//! Whether the state holds together: for tests and for the simulator's judge.

use super::{Job, JobQueue, JobStatus, Record};
use crate::event::JobId;

impl JobQueue {
    /// Checks that the lists and the map of jobs agree and that no job is in a state it cannot have
    /// reached. Looks at every job.
    ///
    /// A state that was only ever changed by [`apply`](crate::StateMachine::apply) or read by
    /// [`restore`](crate::StateMachine::restore) passes.
    ///
    /// # Errors
    /// Says in one sentence what does not hold.
    pub fn verify(&self) -> Result<(), String> {
        let mut in_map = [0_u64; 3];
        for (id, record) in self.jobs.iter() {
            if let Record::Job(job) = record {
                let place = match job.status() {
                    JobStatus::Pending => 0,
                    JobStatus::InFlight { .. } => 1,
                    JobStatus::Dead | JobStatus::Completed => 2,
                };
                in_map[place] += 1;
                check_attempts(id, job)?;
            }
        }
        let listed = [self.pending.len(), self.in_flight.len(), self.dead.len()];
        let listed = listed.map(|count| count as u64);
        if in_map != listed {
            return Err(format!(
                "[pending, in flight, dead] is {in_map:?} by the jobs but {listed:?} by the lists"
            ));
        }
        self.check_lists()
    }

    /// Every listed name is a job of that status. With equal counts this means that none is
    /// missing, if none is listed twice.
    fn check_lists(&self) -> Result<(), String> {
        for id in self.pending.iter() {
            self.check_listed(id, JobStatus::Pending)?;
        }
        for (deadline_ms, id) in &self.in_flight {
            self.check_listed(
                id,
                JobStatus::InFlight {
                    deadline_ms: *deadline_ms,
                },
            )?;
        }
        for id in self.dead.iter() {
            self.check_listed(id, JobStatus::Dead)?;
        }
        check_distinct("pending", self.pending.iter())?;
        check_distinct("dead", self.dead.iter())
    }

    fn check_listed(&self, id: &JobId, expected: JobStatus) -> Result<(), String> {
        let found = self.status(id);
        if found == Some(expected) {
            return Ok(());
        }
        Err(format!(
            "job {id:?} is listed as {expected:?} but its record says {found:?}"
        ))
    }
}

/// A pending job can be dispatched; one that was dispatched has at least that attempt.
pub(super) fn check_attempts(id: &JobId, job: &Job) -> Result<(), String> {
    let possible = match job.status() {
        JobStatus::Pending => 0..=job.max_attempts().get() - 1,
        _ => 1..=job.max_attempts().get(),
    };
    if possible.contains(&job.attempts()) {
        return Ok(());
    }
    let (attempts, max, status) = (job.attempts(), job.max_attempts(), job.status().as_str());
    Err(format!(
        "job {id:?} is {status} with {attempts} of {max} attempts used"
    ))
}

fn check_distinct<'a>(list: &str, ids: impl Iterator<Item = &'a JobId>) -> Result<(), String> {
    let mut ids: Vec<_> = ids.collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(format!(
            "job {:?} is twice in the list of {list} jobs",
            pair[0]
        )),
    }
}
