//! One call from `cargo test`: a store is sampled and explored, and a failure is a panic that says
//! what was done, what went wrong, and how to see it again.
//!
//! ```no_run
//! # use beaver_sim::subject::{Answer, Durability, Failure, Machine, Subject};
//! # #[derive(Debug)]
//! # struct MyStore;
//! # impl Subject for MyStore {
//! #     type Op = u64;
//! #     type State = Vec<u64>;
//! #     type Store = ();
//! #     fn apply(state: &mut Vec<u64>, op: &u64) { state.push(*op) }
//! #     fn ops(&self, state: &Vec<u64>) -> Vec<u64> { vec![state.len() as u64] }
//! #     fn open(&self, _: &Machine) -> Result<(), Failure> { Ok(()) }
//! #     fn run(&self, _: &mut (), _: &u64) -> Result<Answer, Failure> { Ok(Durability::Durable.into()) }
//! #     fn state(&self, _: &mut ()) -> Result<Vec<u64>, Failure> { Ok(Vec::new()) }
//! # }
//! use beaver_sim::check::{Check, check};
//!
//! #[test]
//! fn my_store_survives_crashes() {
//!     check(MyStore, &Check::default());
//! }
//! # fn main() {}
//! ```

mod failing;
mod replay;

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use crate::explore::{Options, Running, Start, Tally, explore_small};
use crate::result::{Counts, Outcome};
use crate::run::{Keep, run_seed};
use crate::scenario::{Scenario, Seeds};
use crate::subject::{AnySubject, Subject};

pub use failing::Failing;

/// What is done to a store.
#[derive(Clone, Debug)]
pub struct Check {
    scenario: Scenario,
    /// Whether the scenario is the one of every store, of which a store draws what it has.
    for_every_store: bool,
    commands: usize,
    torn_cap: u64,
}

impl Default for Check {
    /// Some hundred runs of two dozen commands, with crashes everywhere and storage calls that fail
    /// in every way but one: data that was durable stays undamaged. A store that serves several
    /// callers has them too.
    fn default() -> Self {
        Check {
            for_every_store: true,
            ..Check::scenario(include_str!("check/default.json"))
        }
    }
}

impl Check {
    /// What a scenario says, in the same JSON as the files of `beaver run`. Its workload draws `op` (any
    /// op of the store), `checkpoint`, `reopen`, `second-opener`, `kill` and `power-cut`, and of a store
    /// with several callers `group`, `slow-checkpoint` and `close-queued`.
    ///
    /// # Panics
    /// If `json` is not a scenario that makes sense: a test has it at hand.
    #[must_use]
    pub fn scenario(json: &str) -> Self {
        let scenario: Scenario = match serde_json::from_str(json) {
            Ok(scenario) => scenario,
            Err(error) => panic!("the scenario of the check cannot be read: {error}"),
        };
        Check {
            scenario,
            for_every_store: false,
            commands: 3,
            torn_cap: Options::default().torn_cap,
        }
    }

    /// Runs these seeds instead of those of the scenario.
    #[must_use]
    pub fn seeds(mut self, seeds: Seeds) -> Self {
        self.scenario.seeds = seeds;
        self
    }

    /// Explores every sequence of up to `commands` commands (default 3): every image of every power cut
    /// at page granularity, and every prefix tear of one page at 512-byte boundaries. Each further
    /// command takes about ten times as long.
    #[must_use]
    pub fn explore(mut self, commands: usize) -> Self {
        self.commands = commands;
        self
    }

    /// How many images of one power cut with a torn page, or with garbage under `alice`, are judged at most in these workloads,
    /// 256 unless said otherwise; with 0 every page there is old or new, and what was lost is zeros. [`Checked::explored`] says
    /// whether there were more.
    #[must_use]
    pub fn torn_cap(mut self, images: u64) -> Self {
        self.torn_cap = images;
        self
    }

    /// The scenario as this subject runs it.
    fn scenario_of(&self, subject: &AnySubject) -> Scenario {
        let mut scenario = Scenario {
            name: subject.name(),
            ..self.scenario.clone()
        };
        if self.for_every_store {
            let weights = &mut scenario.workload.weights;
            weights.retain(|kind, _| subject.lacks(*kind).is_none());
        }
        scenario
    }
}

/// What a check that held has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many runs there were.
    pub runs: u64,
    /// What was counted in them.
    pub counts: Counts,
    /// What the exploration of small workloads did.
    pub explored: Tally,
}

/// Tests a store, and panics if it breaks a promise.
///
/// A failure is saved as a folder. With `BEAVER_REPLAY=FOLDER` in the environment that is run again and
/// nothing else.
///
/// # Panics
/// With a [`Failing`] in words, or if the scenario asks for something that the store does not have.
pub fn check<S: Subject>(subject: S, check: &Check) {
    let subject = AnySubject::new(subject);
    if let Some(file) = replay::wanted() {
        return replay::replay(&subject, &file);
    }
    if let Err(failing) = find(&subject, check) {
        panic!("{}", replay::save(&subject, *failing));
    }
}

/// Tests a store of any sort and says what is wrong with it.
///
/// # Errors
/// The first failure, by seed.
///
/// # Panics
/// If the scenario asks for something that the store does not have.
pub fn find(subject: &AnySubject, check: &Check) -> Result<Checked, Box<Failing>> {
    let scenario = &check.scenario_of(subject);
    let impossible = scenario.check(subject);
    let impossible: Vec<String> = impossible
        .iter()
        .map(|no| format!("{}: {}", no.field, no.message))
        .collect();
    assert!(
        impossible.is_empty(),
        "the scenario cannot run:\n{}",
        impossible.join("\n")
    );
    let mut checked = Checked::default();
    for seed in scenario.seeds.start..scenario.seeds.end {
        let run = run_seed(subject, scenario, seed, Keep::default());
        checked.runs += 1;
        checked.counts.add(&run.counts);
        if run.outcome != Outcome::Held {
            return Err(Box::new(Failing::shrunk(subject, scenario, run)));
        }
    }
    for start in STARTS {
        checked.explored += explore(subject, check, start)?;
    }
    Ok(checked)
}

/// Where small workloads begin, whatever the store; the last is for those of several callers alone.
const STARTS: [Start; 3] = [Start::Empty, Start::Prepared, Start::FailingSync];

/// Every small workload from `start`, with every crash.
fn explore(subject: &AnySubject, check: &Check, start: Start) -> Result<Tally, Box<Failing>> {
    let scenario = Scenario {
        name: subject.name(),
        ..start.scenario(check.scenario.profile)
    };
    let running = Running {
        jobs: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        progress: &|_, _| {},
        cancel: &AtomicBool::new(false),
    };
    let options = Options {
        torn_cap: check.torn_cap,
        ..Options::default()
    };
    let explored = explore_small(subject, &scenario, start, check.commands, &options, running);
    let result = explored.to_result(subject, &scenario.name, &scenario);
    match result.failures.into_iter().next() {
        Some(run) => Err(Box::new(Failing::shrunk(subject, &scenario, run))),
        None => Ok(explored.tally),
    }
}
