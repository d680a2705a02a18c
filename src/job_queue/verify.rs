//! Whether the state holds together: for tests and for the simulator's judge.

use super::{Job, JobQueue, JobStatus};
use crate::event::JobId;

impl JobQueue {
    /// Checks that the lists, the index and the jobs agree and that no job is in a state it cannot
    /// have reached. Looks at every job.
    ///
    /// A state that was only ever changed by [`apply`](crate::StateMachine::apply) or read by
    /// [`restore`](crate::StateMachine::restore) passes.
    ///
    /// # Errors
    /// Says in one sentence what does not hold.
    pub fn verify(&self) -> Result<(), String> {
        // Each list marks its jobs here, so a job in two lists shows and one in none as well.
        let mut listed = vec![false; self.jobs.len()];
        for number in self.pending.iter() {
            self.check_listed(*number, JobStatus::Pending, &mut listed)?;
        }
        if !self.in_flight.is_consistent() {
            return Err("the views of the jobs in flight differ".to_owned());
        }
        for (deadline_ms, id, number) in self.in_flight.iter() {
            if self.number(id) != Some(number) {
                return Err(format!(
                    "job {id:?} in flight has another number than {number}"
                ));
            }
            self.check_listed(number, JobStatus::InFlight { deadline_ms }, &mut listed)?;
        }
        for number in self.dead.iter() {
            self.check_listed(*number, JobStatus::Dead, &mut listed)?;
        }
        for (number, (record, listed)) in self.jobs.iter().zip(listed).enumerate() {
            let id = &record.id;
            if self.number(id) != Some(number) {
                return Err(format!("job {id:?} is not found by its name"));
            }
            if let Some(job) = &record.job {
                check_attempts(id, job)?;
            }
            if record.job.is_some() != listed {
                let status = record.status();
                return Err(format!(
                    "job {id:?} is {status:?}; is it in a list? {listed}"
                ));
            }
        }
        Ok(())
    }

    fn check_listed(
        &self,
        number: usize,
        expected: JobStatus,
        listed: &mut [bool],
    ) -> Result<(), String> {
        let Some(record) = self.jobs.get(number) else {
            return Err(format!("there is no job number {number}"));
        };
        let (id, found) = (&record.id, record.status());
        if found != expected {
            return Err(format!(
                "job {id:?} is listed as {expected:?} but is {found:?}"
            ));
        }
        if std::mem::replace(&mut listed[number], true) {
            return Err(format!("job {id:?} is listed twice"));
        }
        Ok(())
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
