//! The first failure of a bug of the zoo, over the seeds of its scenario.

use beaver_sim::explain::{Explained, explain};
use beaver_sim::result::{Outcome, RunResult};
use beaver_sim::run::{Keep, run_seed, saved_failure};
use beaver_sim::scenario::Scenario;
use beaver_sim::shrink::{Limits, shrink};
use beaver_sim::subject::AnySubject;
use beaver_zoo::catalogue::{BUGS, Bug};
use beaver_zoo::scenarios::scenario;

pub(crate) const SEEDS: u64 = 3000;

pub(crate) struct Caught {
    pub(crate) subject: AnySubject,
    pub(crate) scenario: Scenario,
    pub(crate) run: RunResult,
}

pub(crate) fn bug(id: &str) -> &'static Bug {
    BUGS.iter().find(|bug| bug.id == id).unwrap()
}

pub(crate) fn caught(id: &str) -> Caught {
    let bug = bug(id);
    let subject = bug.mutant();
    let scenario = scenario(bug.scenario);
    let mut runs = (0..SEEDS).map(|seed| run_seed(&subject, &scenario, seed, Keep::default()));
    let run = runs.find(|run| run.outcome != Outcome::Held).unwrap();
    Caught {
        subject,
        scenario,
        run,
    }
}

impl Caught {
    pub(crate) fn explained(&self) -> Explained {
        explain(&self.subject, &self.saved(), "beaver replay failures/x").unwrap()
    }

    pub(crate) fn saved(&self) -> Scenario {
        saved_failure(&self.scenario, &self.run)
    }

    pub(crate) fn shrunk(&self) -> Scenario {
        shrink(&self.subject, &self.saved(), Limits::runs(5000))
            .unwrap()
            .scenario
    }
}
