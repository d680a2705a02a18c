//! Values that can be read and make no sense: chances above certainty, workloads that cannot draw a
//! command, jobs that no queue takes. They are found before anything runs, all at once, each with
//! the path of its field.

use beaver::Payload;

use crate::beaver::MOST_SPACE;
use crate::invariant::Invariant;
use crate::scenario::{Effect, FaultKind, FaultRate, Range, Scenario, Step, Target};
use crate::subject::AnySubject;

/// The chance in 1,000 that is certainty.
const CERTAIN_PER_MILLE: u32 = 1_000;

/// A value that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impossible {
    /// The path of the field: `workload.weights`, `faults[2].per_mille`.
    pub field: String,
    /// Why it makes no sense, and what does.
    pub message: String,
}

/// More commands than anyone waits for: a run has a few dozen.
const MOST_COMMANDS: u64 = 1_000_000;

/// More storage calls than any step of a store makes.
const MOST_CALLS: u64 = 100_000;

impl Scenario {
    /// Every value that makes no sense where this subject is tested, in the order of the fields.
    /// Empty: the scenario can run.
    #[must_use]
    pub fn check(&self, subject: &AnySubject) -> Vec<Impossible> {
        let mut check = Impossibilities(Vec::new());
        if self.claim.trim().is_empty() {
            check.no(
                "claim",
                "say in one sentence what holds if this scenario passes",
            );
        }
        match &self.script {
            Some(script) => {
                check.steps(subject, &script.steps);
                check.planned_faults(subject, self);
            }
            None => {
                self.check_workload(&mut check);
                self.check_kinds(subject, &mut check);
            }
        }
        for drawable in self.drawable() {
            for found in drawable.check(subject) {
                if !check.0.contains(&found) {
                    check.0.push(found);
                }
            }
        }
        let space = self.log.preallocate_bytes;
        check.at_most("log.preallocate_bytes", space, MOST_SPACE, "bytes");
        self.check_rates(subject, &mut check);
        self.check_expected(&mut check);
        self.check_budget(&mut check);
        check.0
    }

    fn check_workload(&self, check: &mut Impossibilities) {
        let workload = &self.workload;
        let commands = u64::from(workload.commands);
        check.at_most("workload.commands", commands, MOST_COMMANDS, "commands");
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

    /// Every store has steps of its own.
    fn check_kinds(&self, subject: &AnySubject, check: &mut Impossibilities) {
        let weights = self.workload.weights.iter();
        for (kind, _) in weights.filter(|(_, weight)| **weight > 0) {
            if let Some(message) = subject.lacks(*kind) {
                let name = serde_json::to_value(kind).unwrap_or_default();
                let field = format!("workload.weights.{}", name.as_str().unwrap_or_default());
                check.no(&field, &message);
            }
        }
    }

    fn check_rates(&self, subject: &AnySubject, check: &mut Impossibilities) {
        let crashes = &self.crashes;
        check.rate(
            "crashes.kill_in_command_per_mille",
            crashes.kill_in_command_per_mille,
        );
        check.rate(
            "crashes.power_cut_in_command_per_mille",
            crashes.power_cut_in_command_per_mille,
        );
        check.rate(
            "crashes.in_recovery_per_mille",
            crashes.in_recovery_per_mille,
        );
        for (at, fault) in self.faults.iter().enumerate() {
            check.rate(&format!("faults[{at}].per_mille"), fault.per_mille);
            let place = |one: &FaultRate| (one.kind, one.target, one.phase);
            if self.faults[..at]
                .iter()
                .any(|other| place(other) == place(fault))
            {
                check.no(
                    &format!("faults[{at}].kind"),
                    &format!(
                        "{} is in the list already, for the same files and at the same time",
                        fault.kind
                    ),
                );
            }
            if subject.inspected().is_some() {
                continue;
            }
            if fault.kind.needs_files() {
                check.no(&format!("faults[{at}].kind"), &needs_files(fault.kind));
            }
            if !matches!(fault.target, Target::Any | Target::Temporary) {
                let message =
                    "only files that the checker can read have such roles: any or temporary";
                check.no(&format!("faults[{at}].target"), message);
            }
        }
        if self.fault_mixture as usize > self.faults.len() {
            let (picked, there) = (self.fault_mixture, self.faults.len());
            check.no(
                "fault_mixture",
                &format!("{picked} kinds cannot be picked of the {there} in `faults`"),
            );
        }
    }

    fn check_expected(&self, check: &mut Impossibilities) {
        let Some(expected) = self.expect.violation else {
            return;
        };
        if matches!(expected, Invariant::Progress | Invariant::Determinism) {
            let name = expected.name();
            check.no(
                "expect.violation",
                &format!("{name}: that is no violation that a broken claim explains"),
            );
        }
    }

    fn check_budget(&self, check: &mut Impossibilities) {
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

fn needs_files(kind: FaultKind) -> String {
    format!(
        "{kind} damages or adds files, and only a store whose files the checker can read can be judged after that"
    )
}

/// What was found so far.
struct Impossibilities(Vec<Impossible>);

impl Impossibilities {
    fn no(&mut self, field: &str, message: &str) {
        self.0.push(Impossible {
            field: field.to_owned(),
            message: message.to_owned(),
        });
    }

    fn rate(&mut self, field: &str, chance_per_mille: u32) {
        if chance_per_mille > CERTAIN_PER_MILLE {
            self.no(
                field,
                &format!("{chance_per_mille} in 1,000 is above certainty: a chance in 1,000 is at most {CERTAIN_PER_MILLE}"),
            );
        }
    }

    fn at_least_one(&mut self, field: &str, range: Range) {
        if range.least == 0 {
            self.no(field, "starts at 0: at least 1");
        }
    }

    fn steps(&mut self, subject: &AnySubject, steps: &[Step]) {
        for (at, step) in steps.iter().enumerate() {
            let path = format!("script.steps[{at}]");
            if let Some(message) = step.kind().and_then(|kind| subject.lacks(kind)) {
                self.no(&path, &message);
            }
            let nested = matches!(step, Step::Concurrent(_));
            for (index, op) in step.ops().into_iter().enumerate() {
                let path = match nested {
                    true => format!("{path}.concurrent.ops[{index}].op"),
                    false => path.clone(),
                };
                match subject.read(op) {
                    Err(error) => self.no(&path, &error.to_string()),
                    Ok(op) => {
                        for (field, message) in subject.invalid(&op, nested) {
                            self.no(&format!("{path}{field}"), &message);
                        }
                    }
                }
            }
            if let Step::Concurrent(round) = step {
                for (call, _) in round.during_write() {
                    let field = format!("{path}.concurrent.ops");
                    self.at_most(&field, call, MOST_CALLS, "calls");
                }
            }
        }
    }

    fn planned_faults(&mut self, subject: &AnySubject, scenario: &Scenario) {
        if subject.inspected().is_some() {
            return;
        }
        let faults = scenario.script.iter().flat_map(|script| &script.faults);
        for (at, fault) in faults.enumerate() {
            let at_rest = fault.is_at_rest() && !matches!(fault.effect, Effect::ReadOnly);
            if at_rest || fault.kind.needs_files() {
                self.no(
                    &format!("script.faults[{at}].kind"),
                    &needs_files(fault.kind),
                );
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beaver::library;

    #[track_caller]
    fn check_impossible(json: &str, fields: &[&str]) {
        let scenario: Scenario = serde_json::from_str(json).unwrap();
        let found: Vec<String> = scenario
            .check(&library(&scenario))
            .into_iter()
            .map(|no| no.field)
            .collect();
        assert_eq!(found, fields);
    }

    #[test]
    fn the_defaults_make_sense() {
        check_impossible(r#"{"claim": "c"}"#, &[]);
    }

    #[test]
    fn a_chance_above_certainty_is_impossible() {
        check_impossible(
            r#"{"claim": "c", "crashes": {"in_recovery_per_mille": 1001, "kill_in_command_per_mille": 1000},
                "faults": [{"kind": "read-error", "per_mille": 1000}, {"kind": "bit-flip", "per_mille": 5000}]}"#,
            &["crashes.in_recovery_per_mille", "faults[1].per_mille"],
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
                "script.steps[2].concurrent.ops[0].op",
            ],
        );
    }

    #[test]
    fn no_scenario_expects_a_panic_or_a_run_that_differs() {
        for (name, fields) in [
            ("durability", &[][..]),
            ("budget or panic", &["expect.violation"]),
            ("determinism", &["expect.violation"]),
        ] {
            let json = format!(r#"{{"claim": "c", "expect": {{"violation": "{name}"}}}}"#);
            check_impossible(&json, fields);
            let scenario: Scenario = serde_json::from_str(&json).unwrap();
            let text = serde_json::to_string(&scenario).unwrap();
            assert_eq!(serde_json::from_str::<Scenario>(&text).unwrap(), scenario);
        }
        let unknown = r#"{"claim": "c", "expect": {"violation": "durable"}}"#;
        let error = serde_json::from_str::<Scenario>(unknown).unwrap_err();
        assert!(error.to_string().contains("unknown variant `durable`"));
    }

    #[test]
    fn a_mixture_needs_as_many_kinds_and_a_budget_some_room() {
        check_impossible(
            r#"{"claim": " ", "fault_mixture": 1, "budget": {"storage_calls": 0}}"#,
            &["claim", "fault_mixture", "budget.storage_calls"],
        );
    }
}
