//! How large a history is: what a reader has to hold in mind, the gravest first.

use std::fmt;

use serde::Serialize;

use crate::scenario::{CrashKind, Job, LogSettings, Script, Step};

use super::draft::Draft;

/// The parts of a history that a reader counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Size {
    /// Commands; those of a group, of a close or between the steps of a checkpoint each count.
    pub commands: usize,
    /// Kills and power cuts, between two commands or in one.
    pub crashes: usize,
    /// Faults.
    pub faults: usize,
}

impl Size {
    /// The size of a script.
    #[must_use]
    pub fn of(script: &Script) -> Self {
        let crashes = script.steps.iter().filter(|step| is_crash(step)).count();
        Size {
            commands: commands(&script.steps),
            crashes: crashes + script.crashes.len(),
            faults: script.faults.len(),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize, one: &str, more: &str| match count {
            1 => format!("1 {one}"),
            _ => format!("{count} {more}"),
        };
        f.write_str(&plural(self.commands, "command", "commands"))?;
        if self.crashes > 0 {
            write!(f, ", {}", plural(self.crashes, "crash", "crashes"))?;
        }
        if self.faults > 0 {
            write!(f, ", {}", plural(self.faults, "fault", "faults"))?;
        }
        Ok(())
    }
}

/// Whether a step is the end of a process and no command.
pub(super) fn is_crash(step: &Step) -> bool {
    matches!(step, Step::Kill | Step::PowerCut { .. })
}

fn commands(steps: &[Step]) -> usize {
    steps
        .iter()
        .filter(|step| !is_crash(step))
        .map(weight)
        .sum()
}

fn weight(step: &Step) -> usize {
    match step {
        Step::Group { steps } => commands(steps),
        Step::CloseQueued { steps } => 1 + commands(steps),
        Step::SlowCheckpoint {
            before_write,
            before_finish,
        } => 1 + commands(before_write) + commands(before_finish),
        Step::QueuedCheckpoint {
            steps,
            before_write,
            before_finish,
        } => 1 + commands(steps) + commands(before_write) + commands(before_finish),
        // Commands between two steps of a checkpoint are simpler than in the middle of one.
        Step::CheckpointAmid { during_write } => 1 + during_write.len(),
        _ => 1,
    }
}

/// What decides between two drafts that fail alike: the smaller one is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    /// Commands, crashes and faults together, then each.
    all: usize,
    crashes: usize,
    faults: usize,
    /// Power cuts and crashes in the middle of a call: those between two commands are plainer.
    grave: usize,
    /// What has to be said about what survived.
    left: usize,
    profile: usize,
    /// Settings that are not the default ones.
    settings: usize,
    /// Groups, and checkpoints with commands in between.
    wrapped: usize,
    jobs: usize,
    /// Bytes of ids and payloads.
    bytes: usize,
    /// Attempts, timeouts and times that pass.
    numbers: u64,
}

impl Order {
    pub(super) fn of(draft: &Draft) -> Self {
        let steps: Vec<Step> = draft.steps().cloned().collect();
        let legs = || draft.scenes.iter().flat_map(|scene| &scene.legs);
        let between = steps.iter().filter(|step| is_crash(step)).count();
        let inside = legs().filter_map(|leg| leg.crash.as_ref());
        let crashes = between + inside.clone().count();
        let faults: usize = legs().map(|leg| leg.faults.len()).sum();
        let cuts = steps
            .iter()
            .filter(|step| matches!(step, Step::PowerCut { .. }))
            .count();
        let inside = inside.map(|crash| 2 + usize::from(crash.kind == CrashKind::PowerCut));
        let jobs = jobs_of(&steps);
        let numbers = |job: &Job| u64::from(job.max_attempts) + job.timeout_ms;
        Order {
            all: commands(&steps) + crashes + faults,
            crashes,
            faults,
            grave: cuts + inside.sum::<usize>(),
            left: legs()
                .filter_map(|leg| leg.left.as_ref())
                .map(beaver_disk::SurvivorSet::size)
                .sum(),
            profile: draft.profile as usize,
            settings: unusual(&draft.log),
            wrapped: wrapped(&steps),
            jobs: jobs.len(),
            bytes: jobs
                .iter()
                .map(|job| job.id.len() + job.payload.len())
                .sum(),
            numbers: jobs.iter().map(|job| numbers(job)).sum::<u64>() + ticks(&steps),
        }
    }
}

fn unusual(log: &LogSettings) -> usize {
    let plain = LogSettings::default();
    [
        log.preallocate_bytes != plain.preallocate_bytes,
        log.batch_bytes != plain.batch_bytes,
        log.keep_old_snapshots != plain.keep_old_snapshots,
    ]
    .into_iter()
    .filter(|unusual| *unusual)
    .count()
}

/// The commands inside of a step.
pub(super) fn inner(step: &Step) -> Vec<&Step> {
    match step {
        Step::Group { steps } | Step::CloseQueued { steps } => steps.iter().collect(),
        Step::SlowCheckpoint {
            before_write,
            before_finish,
        } => before_write.iter().chain(before_finish).collect(),
        Step::QueuedCheckpoint {
            steps,
            before_write,
            before_finish,
        } => steps
            .iter()
            .chain(before_write)
            .chain(before_finish)
            .collect(),
        Step::CheckpointAmid { during_write } => {
            during_write.iter().map(|amid| &amid.step).collect()
        }
        _ => Vec::new(),
    }
}

fn wrapped(steps: &[Step]) -> usize {
    let wraps = steps.iter().map(|step| match step {
        Step::Group { .. }
        | Step::CloseQueued { .. }
        | Step::SlowCheckpoint { .. }
        | Step::QueuedCheckpoint { .. } => 1,
        // Commands between two steps of a checkpoint are plainer than in the middle of one.
        Step::CheckpointAmid { .. } => 2,
        _ => 0,
    });
    wraps.sum()
}

fn jobs_of(steps: &[Step]) -> Vec<&Job> {
    let mut jobs = Vec::new();
    for step in steps
        .iter()
        .flat_map(|step| std::iter::once(step).chain(inner(step)))
    {
        if let Step::Enqueue { jobs: these } = step {
            jobs.extend(these);
        }
    }
    jobs
}

fn ticks(steps: &[Step]) -> u64 {
    let all = steps
        .iter()
        .flat_map(|step| std::iter::once(step).chain(inner(step)));
    let ticks = all.map(|step| match step {
        Step::Tick { ms } => *ms,
        _ => 0,
    });
    ticks.sum()
}
