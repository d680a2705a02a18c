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
//!
//! Small workloads are explored, the smallest first, and seeds of a longer one are run beside them, until
//! the time is over, or nothing new has come up for a while after a finding. The findings are counted by kind, the first of each kind is run again twice and made
//! small, and the report says how far it came:
//!
//! ```text
//! MyStore: exhausted: 1 op with 1 crash, 1 op with 2 crashes, 2 ops with 1 crash;
//!     begun: 2 ops with 2 crashes (41 of 300 histories); 214 seeds
//! ```

mod call_watch;
mod checked;
mod clock;
mod differing;
mod failing;
mod found;
mod hang;
mod plan;
mod replay;
mod say;
mod search;
mod team;

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::explore::Options;
use crate::invariant::Invariant;
use crate::oracle::kind::Allowed;
use crate::scenario::{Scenario, Seeds};
use crate::subject::{AnySubject, Subject};

use plan::Plan;
use say::say;
use team::{CheckLimits, carry_out};

pub use checked::{AllowedCount, Checked, Extent};
pub use failing::Failing;

/// How long a check takes unless it says otherwise.
const DURATION: Duration = Duration::from_secs(20);

/// How many commands are explored where only that has an end.
const COMMANDS: usize = 3;

/// How many commands are explored at most in a check that ends by the clock.
const MOST_COMMANDS: usize = 6;

/// How long one call into the store may take.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// What is said after a check that came nowhere.
const LITTLE: &str = "it ended before every crash in every workload of one op was looked at. \
    Give it more time with `Check::for_duration`, and look at what makes the store slow to open or to run";

/// What is done to a store.
#[derive(Clone, Debug)]
pub struct Check {
    scenario: Scenario,
    /// Whether the scenario is the one for every store: a store draws from it what it has.
    for_every_store: bool,
    /// How long it takes, where that is said.
    duration: Option<Duration>,
    /// How much is done of each, where that is said.
    commands: Option<usize>,
    seeds: Option<Seeds>,
    options: Options,
    jobs: Option<NonZeroUsize>,
    call_limit: Duration,
    allowed: Vec<Allowed>,
}

impl Default for Check {
    /// Twenty seconds, or a few if something is wrong: small workloads, the smallest first, with every crash and every sync that can
    /// fail, and beside them runs of two dozen commands, with crashes everywhere and storage calls that
    /// fail in every way but one: data that was durable stays undamaged. A store that serves several
    /// callers has them too.
    fn default() -> Self {
        Check {
            for_every_store: true,
            ..Check::scenario(include_str!("check/default.json"))
        }
    }
}

impl Check {
    /// What a scenario says, in the same JSON as the files of `beaver run`, and small workloads beside
    /// it, all of it to the end. They have syncs that fail if the scenario has such faults, and kills alone if it has those and
    /// no power cuts. Its workload draws `op` (any op of the store), `checkpoint`, `reopen`,
    /// `second-opener`, `kill` and `power-cut`, and of a store with several callers `group`,
    /// `slow-checkpoint` and `close-queued`.
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
            duration: None,
            commands: None,
            seeds: None,
            options: Options::default(),
            jobs: None,
            call_limit: CALL_LIMIT,
            allowed: Vec::new(),
        }
    }

    /// Ends after this time, by the clock on the wall, wherever it is. With a failure it ends earlier: when nothing of
    /// another kind came up for as long as it took to find that one (2 s at least), or when eight kinds are known. Then it
    /// takes up to 10 s to make them smaller. Without a time limit a check ends with the first failure. With one,
    /// [`explore`](Check::explore), [`depth`](Check::depth) and [`seeds`](Check::seeds) are the most that is done. The order of
    /// the work is always the same: only where it ends depends on the machine.
    #[must_use]
    pub fn for_duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// Runs these seeds instead of those of the scenario. Without a duration all of them are run, and
    /// the small workloads are explored to their end.
    #[must_use]
    pub fn seeds(mut self, seeds: Seeds) -> Self {
        self.seeds = Some(seeds);
        self
    }

    /// Explores every sequence of up to `commands` commands: every image of every power cut at page
    /// granularity, and every prefix tear of one page at 512-byte boundaries. Each further command takes
    /// about ten times as long. Without a duration all of them are explored (default 3), and all seeds
    /// are run.
    #[must_use]
    pub fn explore(mut self, commands: usize) -> Self {
        self.commands = Some(commands);
        self
    }

    /// How many crashes in a row small workloads have, 2 unless said otherwise: the second is in the
    /// recovery after the first.
    #[must_use]
    pub fn depth(mut self, crashes: u32) -> Self {
        self.options.depth = crashes.max(1);
        self
    }

    /// How many images of one power cut are judged at most in small workloads, 256 unless said
    /// otherwise. Of a power cut that may leave more, samples are judged, and the workload does not
    /// count as exhausted.
    #[must_use]
    pub fn cap(mut self, images: u64) -> Self {
        self.options.cap = images;
        self
    }

    /// How many images of one power cut with a torn page, or with garbage under `alice`, are judged at most in small workloads,
    /// 2048 unless said otherwise; with 0 every page there is old or new, and what was lost is zeros. [`Checked::explored`] says
    /// whether there were more.
    #[must_use]
    pub fn torn_cap(mut self, images: u64) -> Self {
        self.options.torn_cap = images;
        self
    }

    /// Works on this many threads instead of one for each processor. What is found first does not depend
    /// on it.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = NonZeroUsize::new(jobs.max(1));
        self
    }

    /// How long one call into the store may take, 10 seconds unless said otherwise. One that takes longer,
    /// also when the same is done once more, hangs. That ends the process, with exit code 101 and a report
    /// on standard error: a thread cannot be ended from outside.
    #[must_use]
    pub fn call_limit(mut self, limit: Duration) -> Self {
        self.call_limit = limit;
        self
    }

    /// A finding that is known, and no failure: one that breaks the promise that reports call `name`, and
    /// has `text` in what was expected or found. How often it came up is reported.
    ///
    /// # Panics
    /// If there is no promise of that name.
    #[must_use]
    pub fn allow(mut self, name: &str, text: &str) -> Self {
        let mut all = Invariant::ALL.iter();
        let known = all.find(|invariant| invariant.name() == name);
        let Some(invariant) = known.copied() else {
            let names = Invariant::NAMES.join(", ");
            panic!("`{name}` is no promise that can be allowed to break: {names}");
        };
        self.allowed.push(Allowed {
            invariant,
            text: text.to_owned(),
        });
        self
    }

    /// When the check ends. One that says how much is done is done when that is.
    fn duration(&self) -> Option<Duration> {
        let says_how_much =
            !self.for_every_store || self.commands.is_some() || self.seeds.is_some();
        self.duration.or((!says_how_much).then_some(DURATION))
    }

    /// The most commands of a small workload.
    fn commands(&self) -> usize {
        let most = match self.duration() {
            Some(_) => MOST_COMMANDS,
            None => COMMANDS,
        };
        self.commands.unwrap_or(most)
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
            if self.duration().is_some() {
                scenario.seeds.end = u64::MAX;
            }
        }
        scenario.seeds = self.seeds.unwrap_or(scenario.seeds);
        scenario
    }
}

/// Tests a store, and panics if it breaks a promise.
///
/// It says on standard error how far it is, what it finds first, and at the end how far it came. A failure is saved as a
/// folder. With `BEAVER_REPLAY=FOLDER` in the environment that is run again and nothing else.
///
/// # Panics
/// With a [`Failing`] in words, or if the scenario asks for something that the store does not have.
pub fn check<S: Subject>(subject: S, check: &Check) {
    let subject = AnySubject::new(subject);
    if let Some(file) = replay::wanted() {
        return replay::replay(&subject, &file, check.call_limit);
    }
    let (checked, failing) = search(&subject, check, true);
    say(&format!("{}: {checked}", subject.name()));
    if failing.is_none() && checked.is_little(check.commands) {
        let name = subject.name();
        say(&format!("{name}: little was checked: {LITTLE}"));
    }
    if let Some(failing) = failing {
        panic!("{}", replay::save(&subject, *failing));
    }
}

/// Tests a store of any sort and says what is wrong with it.
///
/// # Errors
/// The first failure, in the order of the work, and the first of each other kind.
///
/// # Panics
/// If the scenario asks for something that the store does not have.
pub fn find(subject: &AnySubject, check: &Check) -> Result<Checked, Box<Failing>> {
    match search(subject, check, false) {
        (_, Some(failing)) => Err(failing),
        (checked, None) => Ok(checked),
    }
}

/// What was done, and the failures.
fn search(subject: &AnySubject, check: &Check, talks: bool) -> (Checked, Option<Box<Failing>>) {
    let impossible = check.scenario_of(subject).check(subject);
    let impossible: Vec<String> = impossible
        .iter()
        .map(|no| format!("{}: {}", no.field, no.message))
        .collect();
    assert!(
        impossible.is_empty(),
        "the scenario cannot run:\n{}",
        impossible.join("\n")
    );
    let plan = Plan::new(subject, check);
    let limits = CheckLimits {
        jobs: check
            .jobs
            .unwrap_or_else(|| std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)),
        duration: check.duration(),
        talks,
        call: check.call_limit,
    };
    carry_out(&plan, &limits)
}
