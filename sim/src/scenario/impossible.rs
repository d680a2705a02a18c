//! Values that can be read and make no sense: chances above certainty, workloads that cannot draw a
//! command, jobs that no queue takes. They are found before anything runs, all at once, each with
//! the path of its field.

use std::num::NonZeroU32;

use beaver::{JobId, Payload};

use super::{CommandKind, Job, Range, Scenario, Step, SyncSetting};

/// The chance in 1,000 that is certainty.
const CERTAIN_PM: u32 = 1_000;

/// A value that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impossible {
    /// The path of the field: `workload.weights`, `faults[2].pm`.
    pub field: String,
    /// Why it makes no sense, and what does.
    pub message: String,
}

/// The most free space that a disk in memory is asked to hold: 64 MiB.
const MOST_SPACE: u64 = 64 << 20;

/// More storage calls than any step of a store makes.
const MOST_CALLS: u64 = 100_000;

impl Scenario {
    /// Every value that makes no sense, in the order of the fields. Empty: the scenario can run.
    #[must_use]
    pub fn check(&self) -> Vec<Impossible> {
        let mut check = Check(Vec::new());
        if self.claim.trim().is_empty() {
            check.no(
                "claim",
                "say in one sentence what holds if this scenario passes",
            );
        }
        match &self.script {
            Some(script) => {
                check.steps("script.steps", &script.steps);
                self.check_steps_of_log(&script.steps, &mut check);
            }
            None => {
                self.check_workload(&mut check);
                self.check_commands_of_log(&mut check);
            }
        }
        let space = self.log.preallocate_bytes;
        check.at_most("log.preallocate_bytes", space, MOST_SPACE, "bytes");
        self.check_rates(&mut check);
        self.check_budget(&mut check);
        check.0
    }

    fn check_workload(&self, check: &mut Check) {
        let workload = &self.workload;
        if workload.weights.values().all(|weight| *weight == 0) {
            check.no(
                "workload.weights",
                "all weights are 0, so no command can be drawn",
            );
        }
        if workload.jobs == 0 {
            check.no("workload.jobs", "0 leaves no job id to draw: at least 1");
        }
        check.at_least_one("workload.batch_size", workload.batch_size);
        check.at_least_one("workload.group_size", workload.group_size);
        check.at_least_one("workload.max_attempts", workload.max_attempts);
        let (found, most) = (workload.payload_bytes.most, Payload::MAX_BYTES as u64);
        check.at_most("workload.payload_bytes", found, most, "bytes");
        let most = u64::from(u32::MAX);
        if workload.max_attempts.most > most {
            check.no("workload.max_attempts", &format!("at most {most}"));
        }
    }

    /// A log that is used alone has other commands than a store.
    fn check_commands_of_log(&self, check: &mut Check) {
        for (kind, _) in self
            .workload
            .weights
            .iter()
            .filter(|(_, weight)| **weight > 0)
        {
            let has = match self.log.sync {
                SyncSetting::EveryAppend => !matches!(
                    kind,
                    CommandKind::Sync | CommandKind::Rotate | CommandKind::Preallocate
                ),
                SyncSetting::OnRequest => !matches!(
                    kind,
                    CommandKind::Checkpoint
                        | CommandKind::SlowCheckpoint
                        | CommandKind::CloseQueued
                        | CommandKind::Lenient
                ),
            };
            if !has {
                let name = serde_json::to_value(kind).unwrap_or_default();
                let field = format!("workload.weights.{}", name.as_str().unwrap_or_default());
                check.no(&field, self.log.sync.has_no_such_command());
            }
        }
    }

    /// The same for commands that are written out.
    fn check_steps_of_log(&self, steps: &[Step], check: &mut Check) {
        for (at, step) in steps.iter().enumerate() {
            let has = match self.log.sync {
                SyncSetting::EveryAppend => {
                    !matches!(step, Step::Sync | Step::Rotate | Step::Preallocate { .. })
                }
                SyncSetting::OnRequest => !matches!(
                    step,
                    Step::Checkpoint
                        | Step::SlowCheckpoint { .. }
                        | Step::QueuedCheckpoint { .. }
                        | Step::CheckpointAmid { .. }
                        | Step::CloseQueued { .. }
                        | Step::Lenient { .. }
                ),
            };
            if !has {
                let message = self.log.sync.has_no_such_command();
                check.no(&format!("script.steps[{at}]"), message);
            }
        }
    }

    fn check_rates(&self, check: &mut Check) {
        let crashes = &self.crashes;
        check.rate("crashes.kill_in_command_pm", crashes.kill_in_command_pm);
        check.rate(
            "crashes.power_cut_in_command_pm",
            crashes.power_cut_in_command_pm,
        );
        check.rate("crashes.in_recovery_pm", crashes.in_recovery_pm);
        for (at, fault) in self.faults.iter().enumerate() {
            check.rate(&format!("faults[{at}].pm"), fault.pm);
        }
        if self.fault_mixture as usize > self.faults.len() {
            let (picked, there) = (self.fault_mixture, self.faults.len());
            check.no(
                "fault_mixture",
                &format!("{picked} kinds cannot be picked of the {there} in `faults`"),
            );
        }
    }

    fn check_budget(&self, check: &mut Check) {
        let budget = &self.budget;
        let limits = [
            ("budget.storage_calls", budget.storage_calls),
            ("budget.recovery_calls", budget.recovery_calls),
            ("budget.open_attempts", u64::from(budget.open_attempts)),
        ];
        for (field, _) in limits.iter().filter(|(_, limit)| *limit == 0) {
            check.no(field, "0 leaves no room for any run: at least 1");
        }
    }
}

impl SyncSetting {
    fn has_no_such_command(self) -> &'static str {
        match self {
            SyncSetting::EveryAppend => "only where `log.sync` is `on-request`",
            SyncSetting::OnRequest => {
                "where `log.sync` is `on-request` the log is used alone: no checkpoints, no \
                 queue of callers, no lenient reading"
            }
        }
    }
}

/// What was found so far.
struct Check(Vec<Impossible>);

impl Check {
    fn no(&mut self, field: &str, message: &str) {
        self.0.push(Impossible {
            field: field.to_owned(),
            message: message.to_owned(),
        });
    }

    fn rate(&mut self, field: &str, chance_pm: u32) {
        if chance_pm > CERTAIN_PM {
            self.no(
                field,
                &format!("{chance_pm} in 1,000 is above certainty: a chance in 1,000 is at most {CERTAIN_PM}"),
            );
        }
    }

    fn at_least_one(&mut self, field: &str, range: Range) {
        if range.least == 0 {
            self.no(field, "starts at 0: at least 1");
        }
    }

    fn steps(&mut self, path: &str, steps: &[Step]) {
        for (at, step) in steps.iter().enumerate() {
            let path = format!("{path}[{at}]");
            match step {
                Step::Enqueue { jobs } => self.jobs(&format!("{path}.enqueue.jobs"), jobs),
                Step::Ack { id } => self.id(&format!("{path}.ack.id"), id),
                Step::Fail { id } => self.id(&format!("{path}.fail.id"), id),
                Step::Group { steps } => {
                    self.members(&format!("{path}.group.steps"), steps);
                }
                Step::CloseQueued { steps } => {
                    self.members(&format!("{path}.close-queued.steps"), steps);
                }
                Step::SlowCheckpoint {
                    before_write,
                    before_finish,
                } => {
                    let path = format!("{path}.slow-checkpoint");
                    self.members(&format!("{path}.before_write"), before_write);
                    self.members(&format!("{path}.before_finish"), before_finish);
                }
                Step::CheckpointAmid { during_write } => {
                    let steps = during_write.iter().map(|amid| amid.step.clone());
                    let path = format!("{path}.checkpoint-amid.during_write");
                    self.members(&path, &steps.collect::<Vec<_>>());
                    for (at, amid) in during_write.iter().enumerate() {
                        let field = format!("{path}[{at}].before_call");
                        self.at_most(&field, amid.before_call, MOST_CALLS, "calls");
                    }
                }
                Step::QueuedCheckpoint {
                    steps,
                    before_write,
                    before_finish,
                } => {
                    let path = format!("{path}.queued-checkpoint");
                    self.members(&format!("{path}.steps"), steps);
                    self.members(&format!("{path}.before_write"), before_write);
                    self.members(&format!("{path}.before_finish"), before_finish);
                }
                Step::Preallocate { bytes } => {
                    self.at_most(
                        &format!("{path}.preallocate.bytes"),
                        *bytes,
                        MOST_SPACE,
                        "bytes",
                    );
                }
                _ => {}
            }
        }
    }

    fn at_most(&mut self, field: &str, found: u64, most: u64, unit: &str) {
        if found > most {
            self.no(
                field,
                &format!("{found} {unit} are too many: at most {most}"),
            );
        }
    }

    /// A group holds what one caller can submit.
    fn members(&mut self, path: &str, steps: &[Step]) {
        self.steps(path, steps);
        for (at, step) in steps.iter().enumerate() {
            let can_submit = matches!(
                step,
                Step::Enqueue { .. }
                    | Step::Dispatch
                    | Step::Ack { .. }
                    | Step::Fail { .. }
                    | Step::Tick { .. }
                    | Step::Requeue
            );
            if !can_submit {
                let message = "a group holds enqueue, dispatch, ack, fail, tick and requeue only";
                self.no(&format!("{path}[{at}]"), message);
            }
        }
    }

    fn jobs(&mut self, path: &str, jobs: &[Job]) {
        for (at, job) in jobs.iter().enumerate() {
            let path = format!("{path}[{at}]");
            self.id(&format!("{path}.id"), &job.id);
            if let Err(error) = Payload::new(&job.payload) {
                self.no(&format!("{path}.payload"), &error.to_string());
            }
            if NonZeroU32::new(job.max_attempts).is_none() {
                self.no(
                    &format!("{path}.max_attempts"),
                    "0 leaves no attempt: at least 1",
                );
            }
        }
    }

    fn id(&mut self, path: &str, id: &str) {
        if let Err(error) = JobId::new(id) {
            self.no(path, &error.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_impossible(json: &str, fields: &[&str]) {
        let scenario: Scenario = serde_json::from_str(json).unwrap();
        let found: Vec<String> = scenario.check().into_iter().map(|no| no.field).collect();
        assert_eq!(found, fields);
    }

    #[test]
    fn the_defaults_make_sense() {
        check_impossible(r#"{"claim": "c"}"#, &[]);
    }

    #[test]
    fn a_chance_above_certainty_is_impossible() {
        check_impossible(
            r#"{"claim": "c", "crashes": {"in_recovery_pm": 1001, "kill_in_command_pm": 1000},
                "faults": [{"kind": "read-error", "pm": 1000}, {"kind": "bit-flip", "pm": 5000}]}"#,
            &["crashes.in_recovery_pm", "faults[1].pm"],
        );
    }

    #[test]
    fn a_workload_that_can_draw_nothing_is_impossible() {
        check_impossible(
            r#"{"claim": "c", "workload": {"weights": {"ack": 0}, "jobs": 0, "max_attempts": [0, 2]}}"#,
            &["workload.weights", "workload.jobs", "workload.max_attempts"],
        );
    }

    #[test]
    fn jobs_that_no_queue_takes_are_impossible() {
        check_impossible(
            r#"{"claim": "c", "script": {"steps": ["dispatch", {"enqueue": {"jobs": [
                {"id": "", "payload": "{", "max_attempts": 0, "timeout_ms": 1}]}},
                {"group": {"steps": ["checkpoint"]}}]}}"#,
            &[
                "script.steps[1].enqueue.jobs[0].id",
                "script.steps[1].enqueue.jobs[0].payload",
                "script.steps[1].enqueue.jobs[0].max_attempts",
                "script.steps[2].group.steps[0]",
            ],
        );
    }

    #[test]
    fn a_mixture_needs_as_many_kinds_and_a_budget_some_room() {
        check_impossible(
            r#"{"claim": " ", "fault_mixture": 1, "budget": {"storage_calls": 0}}"#,
            &["claim", "fault_mixture", "budget.storage_calls"],
        );
    }
}
