//! A run of a script that keeps what the shrinker asks of it.

use beaver_disk::{TraceMode, TraceRecord};

use crate::result::Outcome;
use crate::run::outcome;
use crate::scenario::{Phase, Scenario, Script};
use crate::subject::AnySubject;
use crate::world::{ReplayMode, World};

/// What came of a script.
#[derive(Debug)]
pub(super) struct Replayed {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// Whether it ended in a recovery.
    pub(super) recovering: bool,
    /// Everything that was decided, each fault and crash in its step.
    pub(super) script: Script,
    /// Where each process's part of a step begins: step, process, and the last storage call before.
    parts: Vec<(u32, u32, u64)>,
    /// The storage calls, if they were to be kept.
    pub(super) calls: Vec<TraceRecord>,
}

/// Runs the script of a scenario.
pub(super) fn replay(
    subject: &AnySubject,
    scenario: &Scenario,
    mode: ReplayMode,
    trace: TraceMode,
) -> Replayed {
    let seed = match mode {
        ReplayMode::Drawn(seed) => seed,
        _ => 0,
    };
    let mut world = World::new(subject, scenario, seed, trace);
    world.keep_script();
    world.replay(mode);
    let stop = world.run().err();
    let outcome = outcome(&world, stop, &[]);
    let recovering = world.faults().director().phase() == Phase::Recovery;
    Replayed {
        outcome,
        recovering,
        script: world.script(),
        parts: world.parts().to_vec(),
        calls: world.disk().trace(),
    }
}

impl Replayed {
    /// The last storage call before this process's part of this step.
    pub(super) fn calls_before(&self, step: usize, process: usize) -> u64 {
        let mut parts = self.parts.iter();
        let part = parts.find(|(s, p, _)| (*s as usize, *p as usize) == (step, process));
        part.map_or(0, |(.., calls)| *calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beaver::library;
    use crate::run::{Keep, run_seed, saved_failure};

    const SWARM: &str = include_str!("../../../scenarios/swarm.json");

    /// A run of the swarm, written out.
    fn written_out(seed: u64) -> Scenario {
        let scenario = serde_json::from_str(SWARM).unwrap();
        let keep = Keep {
            script: true,
            trace: false,
        };
        saved_failure(
            &scenario,
            &run_seed(&library(&scenario), &scenario, seed, keep),
        )
    }

    fn replayed(scenario: &Scenario) -> Replayed {
        let subject = library(scenario);
        replay(&subject, scenario, ReplayMode::Exact, TraceMode::Records)
    }

    /// The same with calls that are counted over the whole run, as version 0.1 wrote them.
    fn counted_over_the_run(scenario: &Scenario, run: &Replayed) -> Scenario {
        let mut earlier = scenario.clone();
        let script = earlier.script.as_mut().expect("it is written out");
        let before = |step: Option<u32>, process: u32| {
            let step = step.expect("faults and crashes say in which step they happen");
            run.calls_before(step as usize, process as usize)
        };
        for fault in &mut script.faults {
            fault.call += before(fault.step.take(), std::mem::take(&mut fault.process));
        }
        for crash in &mut script.crashes {
            crash.at.call += before(crash.step.take(), std::mem::take(&mut crash.process));
        }
        earlier
    }

    #[test]
    fn a_script_with_calls_counted_over_the_run_replays_and_is_written_by_steps() {
        let (mut faults, mut crashes) = (0, 0);
        for seed in 0..40 {
            let scenario = written_out(seed);
            let run = replayed(&scenario);
            assert_eq!(Some(&run.script), scenario.script.as_ref(), "seed {seed}");
            let earlier = counted_over_the_run(&scenario, &run);
            let json = serde_json::to_value(&earlier.script).unwrap();
            assert!(!json["faults"].to_string().contains("\"step\""));
            assert!(!json["crashes"].to_string().contains("\"step\""));
            let again = replayed(&earlier);
            assert_eq!(again.outcome, run.outcome, "seed {seed}");
            assert_eq!(again.calls, run.calls, "seed {seed}");
            assert_eq!(again.script, run.script, "seed {seed}");
            faults += run.script.faults.len();
            crashes += run.script.crashes.len();
        }
        assert!(faults > 40 && crashes > 40, "{faults}, {crashes}");
    }
}
