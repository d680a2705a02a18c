//! The first failure of a bug of the zoo, over the seeds of its habitat.

use beaver_sim::explain::{Explained, explain};
use beaver_sim::result::{Outcome, RunResult};
use beaver_sim::run::{Keep, run_seed_of, saved_failure};
use beaver_sim::scenario::Scenario;
use beaver_sim::shrink::{Limits, shrink};
use beaver_sim::subject::AnySubject;
use beaver_zoo::catalogue::{EXHIBITS, Exhibit};
use beaver_zoo::habitats::habitat;

const SEEDS: u64 = 3000;

pub(crate) struct Caught {
    pub(crate) subject: AnySubject,
    pub(crate) habitat: Scenario,
    pub(crate) run: RunResult,
}

pub(crate) fn exhibit(id: &str) -> &'static Exhibit {
    EXHIBITS.iter().find(|bug| bug.id == id).unwrap()
}

pub(crate) fn caught(id: &str) -> Caught {
    let exhibit = exhibit(id);
    let subject = exhibit.plant.subject();
    let habitat = habitat(exhibit.habitat);
    let mut runs = (0..SEEDS).map(|seed| run_seed_of(&subject, &habitat, seed, Keep::default()));
    let run = runs.find(|run| run.outcome != Outcome::Held).unwrap();
    Caught {
        subject,
        habitat,
        run,
    }
}

impl Caught {
    pub(crate) fn explained(&self) -> Explained {
        let failure = saved_failure(&self.habitat, &self.run);
        explain(&self.subject, &failure, "beaver replay failures/x").unwrap()
    }

    pub(crate) fn shrunk(&self) -> Scenario {
        let failure = saved_failure(&self.habitat, &self.run);
        shrink(&self.subject, &failure, Limits::runs(5000))
            .unwrap()
            .scenario
    }
}
