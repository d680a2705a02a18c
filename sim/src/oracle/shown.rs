//! What a store shows of its state, and how it is held against the model.

use super::judge::Finding;
use super::model::{Model, ModelJob, Standing};
use crate::invariant::Invariant;

/// The state of a store in the words of the oracle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// All jobs, in any order.
    pub jobs: Vec<ModelJob>,
    /// Ids of the waiting jobs, the next one first.
    pub waiting: Vec<String>,
    /// Ids of the dead jobs, in the order in which they were given up.
    pub dead: Vec<String>,
}

impl From<&Model> for Shown {
    /// What a store shows that is right.
    fn from(model: &Model) -> Self {
        Shown {
            jobs: model.jobs().cloned().collect(),
            waiting: model.waiting().to_vec(),
            dead: model.dead().cloned().collect(),
        }
    }
}

impl Shown {
    /// Holds it against what it should be, field by field.
    ///
    /// # Errors
    /// The first difference: what was expected, and what was found.
    pub fn compare(&self, expected: &Model) -> Result<(), (String, String)> {
        match self.is_right(expected) {
            true => Ok(()),
            false => Err(self.difference(expected)),
        }
    }

    fn is_right(&self, expected: &Model) -> bool {
        let mut seen = vec![false; expected.len()];
        let once = |job: &ModelJob| {
            let at = expected.position(&job.id)?;
            let right = is_same(expected.nth(at)?, job);
            (right && !std::mem::replace(&mut seen[at], true)).then_some(())
        };
        self.jobs.len() == expected.len()
            && self.waiting == expected.waiting()
            && self.dead.iter().eq(expected.dead())
            && self.jobs.iter().map(once).all(|right| right.is_some())
    }

    fn difference(&self, expected: &Model) -> (String, String) {
        let mut want: Vec<&ModelJob> = expected.jobs().collect();
        let mut got: Vec<&ModelJob> = self.jobs.iter().collect();
        for jobs in [&mut want, &mut got] {
            jobs.sort_by(|a, b| a.id.cmp(&b.id));
        }
        let mut pairs = want.iter().zip(&got);
        if let Some((want, got)) = pairs.find(|(want, got)| !is_same(want, got)) {
            return (describe(want), describe(got));
        }
        if want.len() != got.len() {
            return (ids(&want), ids(&got));
        }
        let order =
            |what: &str, ids: Vec<&str>| format!("{what} in this order: {}", ids.join(", "));
        let (what, want, got): (_, Vec<&String>, &[String]) =
            match self.waiting == expected.waiting() {
                false => (
                    "waiting",
                    expected.waiting().iter().collect(),
                    &self.waiting,
                ),
                true => ("dead", expected.dead().collect(), &self.dead),
            };
        let want = want.into_iter().map(String::as_str).collect();
        let got = got.iter().map(String::as_str).collect();
        (order(what, want), order(what, got))
    }

    /// Invariant 12 on a state alone: every job stands in exactly one place, and no attempt is
    /// above the limit.
    ///
    /// # Errors
    /// A job of which that is not so.
    pub(crate) fn check_counts(&self) -> Result<(), Finding> {
        let over = self.jobs.iter().find(|job| job.attempts > job.max_attempts);
        if let Some(job) = over {
            let expected = format!("at most {} attempts of {}", job.max_attempts, job.id);
            return Err(Finding::new(
                Invariant::JobRules,
                expected,
                format!("{} attempts", job.attempts),
            ));
        }
        let mut ids: Vec<&String> = self.jobs.iter().map(|job| &job.id).collect();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => {
                let found = format!("{} stands in two places", pair[0]);
                Err(Finding::new(
                    Invariant::JobRules,
                    "every job to stand in one place",
                    found,
                ))
            }
            None => Ok(()),
        }
    }
}

/// Whether two jobs look the same to a client. Of a completed one only its id is remembered.
fn is_same(want: &ModelJob, got: &ModelJob) -> bool {
    let completed = want.standing == Standing::Completed && got.standing == Standing::Completed;
    want == got || completed && want.id == got.id
}

fn ids(jobs: &[&ModelJob]) -> String {
    let ids: Vec<&str> = jobs.iter().map(|job| &*job.id).collect();
    format!("{} jobs: {}", jobs.len(), ids.join(", "))
}

fn describe(job: &ModelJob) -> String {
    format!(
        "job {}: {:?}, attempt {} of {}, timeout {} ms, payload {}",
        job.id, job.standing, job.attempts, job.max_attempts, job.timeout_ms, job.payload
    )
}
