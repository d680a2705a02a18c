//! Whether the state holds together: for tests and for the simulator's judge.

use super::{Job, JobQueue, JobRecord, JobStatus};
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
        let window = |number| self.jobs.get(number)?.job()?.stage.window();
        if !self.in_flight.is_consistent(window) || !self.delayed.is_consistent(window) {
            return Err("the views of the jobs that wait for a time differ".to_owned());
        }
        for (deadline_ms, _, number) in self.in_flight.timed().iter() {
            self.check_listed(number, JobStatus::InFlight { deadline_ms }, &mut listed)?;
        }
        for (.., number) in self.delayed.iter() {
            let found = self.jobs.get(number).map(JobRecord::status);
            let Some(delayed @ JobStatus::Delayed { .. }) = found else {
                return Err(format!(
                    "job number {number} is listed as delayed but is {found:?}"
                ));
            };
            self.check_listed(number, delayed, &mut listed)?;
        }
        for number in self.dead.iter() {
            self.check_listed(*number, JobStatus::Dead, &mut listed)?;
        }
        let dropped = self.dropped().count();
        if dropped != self.dropped {
            let counted = self.dropped;
            return Err(format!(
                "{counted} jobs are counted as dropped and {dropped} are"
            ));
        }
        for (number, (record, listed)) in self.jobs.iter().zip(listed).enumerate() {
            let id = &record.id;
            if self.number(id) != Some(number) {
                return Err(format!("job {id:?} is not found by its name"));
            }
            if let Some(job) = record.job() {
                check_attempts(id, job)?;
            }
            if record.job().is_some() != listed {
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

/// A job that waits can be dispatched; one that was dispatched has at least that attempt; one that was
/// revived has at least one from before.
pub(super) fn check_attempts(id: &JobId, job: &Job) -> Result<(), String> {
    let max = job.max_attempts().get();
    let possible = match job.status() {
        JobStatus::Pending => 0..=max - 1,
        JobStatus::Delayed { .. } => 1..=max - 1,
        _ => 1..=max,
    };
    let before = job.last_attempt.checked_sub(max);
    if before.is_some_and(|before| job.attempts >= before)
        && possible.contains(&job.attempts_used())
    {
        return Ok(());
    }
    let (attempts, last, status) = (job.attempts, job.last_attempt, job.status().as_str());
    Err(format!(
        "job {id:?} is {status} with {attempts} of {last} attempts used"
    ))
}
