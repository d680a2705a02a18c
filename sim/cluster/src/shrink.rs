//! From the chaos of a run that failed to less of it after which the same promise is broken.
//!
//! Actions are taken out, in halves, quarters and so on (delta debugging, Zeller 2002), and those that
//! are left are made plainer. Taking one out moves everything after it a little, and a failure that
//! needs a certain order may be gone only for that: so a candidate is tried with some other seeds too,
//! which draw the same chaos in another order of tasks and messages.

use beaver_sim::scenario::Range;

use crate::chaos::{ChaosAction, ChaosKind, CutSurvivors, Death, MachineStrike, NetworkRates};
use crate::checkers::ClusterViolation;
use crate::cluster_case::ClusterCase;
use crate::replica::RaftEngine;
use crate::run::run;

/// How many other seeds a candidate is tried with.
const OTHER_SEEDS: u64 = 2;

/// How much is tried.
pub struct ShrinkEffort<'s> {
    /// Runs at most.
    pub runs: u64,
    /// Asked before each run; `true`: stop here.
    pub stop: &'s dyn Fn() -> bool,
}

/// A case that was made smaller.
#[derive(Clone, Debug)]
pub struct ShrunkCase {
    /// The case.
    pub case: ClusterCase,
    /// What it breaks.
    pub violation: ClusterViolation,
    /// How many runs that took.
    pub runs: u64,
    /// Whether the effort ended before nothing smaller was left to try.
    pub cut_short: bool,
}

/// Makes a failing case smaller: the first promise that it breaks stays the same.
///
/// # Panics
/// As [`run`].
pub fn shrink_case(
    engine: &dyn RaftEngine,
    case: ClusterCase,
    violation: ClusterViolation,
    effort: &ShrinkEffort<'_>,
) -> ShrunkCase {
    let mut search = CaseSearch {
        engine,
        effort,
        best: case,
        violation,
        runs: 0,
    };
    search.cut_after_the_end();
    loop {
        let before = search.best.clone();
        search.take_out();
        search.make_plainer();
        if search.best == before || search.is_over() {
            break;
        }
    }
    ShrunkCase {
        cut_short: search.is_over(),
        case: search.best,
        violation: search.violation,
        runs: search.runs,
    }
}

struct CaseSearch<'s> {
    engine: &'s dyn RaftEngine,
    effort: &'s ShrinkEffort<'s>,
    best: ClusterCase,
    violation: ClusterViolation,
    runs: u64,
}

impl CaseSearch<'_> {
    fn is_over(&self) -> bool {
        self.runs >= self.effort.runs || (self.effort.stop)()
    }

    /// Whether the same promise is broken; if so, it is the best case from now on.
    fn accepts(&mut self, candidate: ClusterCase) -> bool {
        let own = candidate.seed;
        for seed in own..=own.saturating_add(OTHER_SEEDS) {
            if self.is_over() {
                return false;
            }
            self.runs += 1;
            let chaos = Some(candidate.chaos.clone());
            let outcome = run(self.engine, &candidate.scenario, seed, chaos);
            let first = outcome.violations.into_iter().next();
            if let Some(violation) = first.filter(|first| first.checker == self.violation.checker) {
                self.best = ClusterCase { seed, ..candidate };
                self.violation = violation;
                return true;
            }
        }
        false
    }

    fn with_chaos(&self, chaos: Vec<ChaosAction>) -> ClusterCase {
        ClusterCase {
            chaos,
            ..self.best.clone()
        }
    }

    /// What would have gone wrong after the failure.
    fn cut_after_the_end(&mut self) {
        let end_us = self.violation.at / 1_000;
        let chaos = self.best.chaos.iter();
        let before: Vec<ChaosAction> = chaos
            .filter(|action| action.at_us <= end_us)
            .cloned()
            .collect();
        if before.len() < self.best.chaos.len() {
            self.accepts(self.with_chaos(before));
        }
    }

    fn take_out(&mut self) {
        let mut size = self.best.chaos.len().div_ceil(2);
        while size > 0 {
            let mut start = 0;
            while start < self.best.chaos.len() && !self.is_over() {
                let mut chaos = self.best.chaos.clone();
                chaos.drain(start..(start + size).min(chaos.len()));
                if !self.accepts(self.with_chaos(chaos)) {
                    start += size;
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
    }

    /// Fewer clients, and each action with less to it.
    fn make_plainer(&mut self) {
        for clients in [0, 1] {
            if self.best.scenario.clients > clients {
                let mut candidate = self.best.clone();
                candidate.scenario.clients = clients;
                if self.accepts(candidate) {
                    break;
                }
            }
        }
        for place in 0..self.best.chaos.len() {
            for plainer in plainer(&self.best.chaos[place].what) {
                let mut chaos = self.best.chaos.clone();
                chaos[place].what = plainer;
                if self.accepts(self.with_chaos(chaos)) {
                    break;
                }
            }
        }
    }
}

/// The plainer forms of an action, the plainest first.
fn plainer(what: &ChaosKind) -> Vec<ChaosKind> {
    match what {
        ChaosKind::Network(rates) => plainer_network(*rates),
        ChaosKind::PowerCutAll { survivors, down_ms } => {
            let all = plainer_survivors(survivors).into_iter();
            all.map(|survivors| ChaosKind::PowerCutAll {
                survivors,
                down_ms: *down_ms,
            })
            .collect()
        }
        ChaosKind::Strike { machine, strike } => {
            let all = plainer_strikes(strike).into_iter();
            all.map(|strike| ChaosKind::Strike {
                machine: *machine,
                strike,
            })
            .collect()
        }
        ChaosKind::Aimed {
            when,
            machine,
            after_us,
            strike,
        } => {
            let aimed = |strike: MachineStrike, after_us| ChaosKind::Aimed {
                when: *when,
                machine: *machine,
                after_us,
                strike,
            };
            let strikes = plainer_strikes(strike).into_iter();
            let mut all: Vec<ChaosKind> = strikes.map(|strike| aimed(strike, *after_us)).collect();
            if *after_us > 0 {
                all.push(aimed(strike.clone(), 0));
            }
            all
        }
        _ => Vec::new(),
    }
}

fn plainer_network(rates: NetworkRates) -> Vec<ChaosKind> {
    let mut all = Vec::new();
    let mut push = |rates: NetworkRates| all.push(ChaosKind::Network(rates));
    if rates.drop_per_mille > 0 {
        push(NetworkRates {
            drop_per_mille: 0,
            ..rates
        });
    }
    if rates.duplicate_per_mille > 0 {
        push(NetworkRates {
            duplicate_per_mille: 0,
            ..rates
        });
    }
    if rates.slow_per_mille > 0 {
        push(NetworkRates {
            slow_per_mille: 0,
            ..rates
        });
    }
    if rates.delay_us != NetworkRates::CALM.delay_us {
        push(NetworkRates {
            delay_us: Range::new(100, 2_000),
            ..rates
        });
    }
    all
}

fn plainer_strikes(strike: &MachineStrike) -> Vec<MachineStrike> {
    match strike {
        MachineStrike::Crash { death, down_ms } => {
            let all = plainer_deaths(death).into_iter();
            all.map(|death| MachineStrike::Crash {
                death,
                down_ms: *down_ms,
            })
            .collect()
        }
        MachineStrike::CrashAtCall {
            disk,
            call,
            moment,
            death,
            down_ms,
        } => {
            let all = plainer_deaths(death).into_iter();
            all.map(|death| MachineStrike::CrashAtCall {
                disk: *disk,
                call: *call,
                moment: *moment,
                death,
                down_ms: *down_ms,
            })
            .collect()
        }
        MachineStrike::Suspend { ms } => vec![MachineStrike::Pause { ms: *ms }],
        _ => Vec::new(),
    }
}

fn plainer_deaths(death: &Death) -> Vec<Death> {
    match death {
        Death::PowerCut(survivors) => {
            let all = plainer_survivors(survivors).into_iter();
            all.map(Death::PowerCut).collect()
        }
        Death::Kill(_) => Vec::new(),
    }
}

fn plainer_survivors(survivors: &CutSurvivors) -> Vec<CutSurvivors> {
    match survivors {
        CutSurvivors::Nothing => Vec::new(),
        CutSurvivors::Everything => vec![CutSurvivors::Nothing],
        CutSurvivors::Some { .. } | CutSurvivors::Exact { .. } => {
            vec![CutSurvivors::Nothing, CutSurvivors::Everything]
        }
    }
}
