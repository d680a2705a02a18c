//! A history in words: its commands, and under each what goes wrong in it.

use std::collections::BTreeMap;

use beaver_disk::{CallEffect, Moment, Op, TraceMode};

use crate::scenario::{CrashKind, PlannedCrash, Scenario, Script, Step, Survivors};
use crate::subject::AnySubject;
use crate::world::ReplayMode;

use super::draft::{Draft, DraftProcess};
use super::rerun::{Replayed, replay};
use beaver_disk::SurvivorSet;

/// The script of a scenario in words, one line for each step, fault and crash; lines that belong to
/// the step above them begin with two blanks.
#[must_use]
pub fn words(subject: &AnySubject, scenario: &Scenario) -> Vec<String> {
    let run = replay(subject, scenario, ReplayMode::Exact, TraceMode::Off);
    let calls = all_calls(subject, scenario, &run);
    let draft = Draft::of(scenario, &run.script);
    let mut lines = Vec::new();
    for (at, entry) in draft.step_faults.iter().enumerate() {
        let processes = entry.processes.iter().enumerate();
        let wrong: Vec<String> = processes
            .flat_map(|(number, process)| {
                let start = run.calls_before(at, number);
                process_words(process, start, &calls, entry.step.as_ref())
            })
            .collect();
        match &entry.step {
            Some(step) => lines.push(one_line(&step.to_string())),
            None if wrong.is_empty() => continue,
            None if at == 0 => lines.push("open".to_owned()),
            None => lines.push("close and open again, to look".to_owned()),
        }
        lines.extend(wrong.into_iter().map(|line| format!("  {line}")));
    }
    lines
}

/// A text without control characters: an op may hold any.
fn one_line(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    });
    letters.collect()
}

/// The storage calls of a script, by number, those in which it crashes too: a call that never
/// returned has no record, so the history is also run up to it without the crash.
fn all_calls(subject: &AnySubject, scenario: &Scenario, whole: &Replayed) -> BTreeMap<u64, String> {
    let script = &whole.script;
    let mut calls = BTreeMap::new();
    for crashes in 0..=script.crashes.len() {
        let mut part = scenario.clone();
        part.script = Some(Script {
            crashes: script.crashes[..crashes].to_vec(),
            ..script.clone()
        });
        let first = crashes.checked_sub(1).map_or(0, |last| {
            let crash = &script.crashes[last];
            let step = crash.step.unwrap_or(0) as usize;
            whole.calls_before(step, crash.process as usize) + crash.at.call
        });
        let run = replay(subject, &part, ReplayMode::Exact, TraceMode::Records);
        let mut renamed: BTreeMap<&str, &str> = BTreeMap::new();
        for record in &run.calls {
            let file = &*record.file;
            match (record.op, &record.to) {
                (Op::Rename, Some(to)) => drop(renamed.insert(file, to)),
                (Op::Create | Op::Open, _) => drop(renamed.remove(file)),
                _ => {}
            }
            let name = match record.op {
                Op::Rename => file,
                _ => renamed.get(file).copied().unwrap_or(file),
            };
            if record.call > first || crashes == 0 {
                calls.insert(record.call, format!("{} {name}", record.op.name()));
            }
        }
    }
    calls
}

fn process_words(
    process: &DraftProcess,
    start: u64,
    calls: &BTreeMap<u64, String>,
    step: Option<&Step>,
) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for fault in &process.faults {
        let name = fault.kind.name();
        lines.push(match fault.is_at_rest() {
            true => format!("{name}, while no process has the store open"),
            false => format!("{name} at {}", call_words(start + fault.call, calls)),
        });
    }
    if let Some(crash) = &process.crash {
        lines.push(crash_words(crash, start, calls));
    }
    let cut = match &process.crash {
        Some(crash) => crash.kind == CrashKind::PowerCut,
        None => matches!(step, Some(Step::PowerCut { .. })),
    };
    if let (true, Some(Survivors::Named(left))) = (cut, &process.left) {
        lines.push(survivor_words(left));
    }
    lines
}

fn call_words(number: u64, calls: &BTreeMap<u64, String>) -> String {
    let known = calls.get(&number).cloned();
    known.unwrap_or_else(|| format!("call {number}"))
}

fn crash_words(crash: &PlannedCrash, start: u64, calls: &BTreeMap<u64, String>) -> String {
    let how = match crash.kind {
        CrashKind::Kill => "killed",
        CrashKind::PowerCut => "power cut",
    };
    let when = match crash.at.moment {
        Moment::Before => "before",
        Moment::Inside => "inside",
        Moment::After => "after",
    };
    let call = call_words(start + crash.at.call, calls);
    let progress = match crash.progress {
        Some(CallEffect::Everything) => ", all of it done",
        Some(CallEffect::Bytes(_)) => ", some of it done",
        _ => "",
    };
    format!("{how} {when} {call}{progress}")
}

fn survivor_words(left: &SurvivorSet) -> String {
    let names: Vec<String> = left.except.keys().cloned().collect();
    let mut words = match (left.otherwise, names.is_empty()) {
        (false, true) => "nothing that was not synced survived".to_owned(),
        (true, true) => "everything survived".to_owned(),
        (false, false) => format!("survived: {}", names.join(", ")),
        (true, false) => format!("lost, wholly or in part: {}", names.join(", ")),
    };
    for (file, tear) in &left.tears {
        words.push_str(&format!("; torn: page {} of {file}", tear.page));
    }
    if !left.device.is_empty() {
        words.push_str("; the device did harm");
    }
    words
}
