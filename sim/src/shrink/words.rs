//! A history in words: its commands, and under each what goes wrong in it.

use std::collections::BTreeMap;

use beaver_disk::{CallEffect, Moment, Op, TraceMode};

use crate::scenario::{CrashKind, PlannedCrash, PlannedFault, Scenario, Script, Step};
use crate::subject::Subject;
use crate::world::{Course, Leg, describe};

use super::rerun::run_course;
use beaver_disk::SurvivorSet;

/// The script of a scenario in words, one line for each command, fault and crash; lines that belong
/// to the command above them begin with two blanks.
#[must_use]
pub fn words(subject: &Subject, scenario: &Scenario) -> Vec<String> {
    let run = run_course(subject, scenario, None, TraceMode::Off);
    let calls = all_calls(subject, scenario, &run.script);
    let mut lines = Vec::new();
    let starts = starts(&run.course, &run.script.faults, &run.script.crashes);
    for (at, legs) in run.course.iter().enumerate() {
        let step = at.checked_sub(1).and_then(|at| run.script.steps.get(at));
        let wrong = legs.iter().zip(&starts[at]);
        let wrong: Vec<String> = wrong
            .flat_map(|(leg, start)| leg_words(leg, *start, &calls, step))
            .collect();
        match step {
            Some(step) => lines.push(describe(step).escape_debug().to_string()),
            None if wrong.is_empty() => continue,
            None if at == 0 => lines.push("open".to_owned()),
            None => lines.push("close and open again, to look".to_owned()),
        }
        lines.extend(wrong.into_iter().map(|line| format!("  {line}")));
    }
    lines
}

/// The storage calls of a script, by number, those in which it crashes too: a call that never
/// returned has no record, so the history is also run up to it without the crash.
fn all_calls(subject: &Subject, scenario: &Scenario, script: &Script) -> BTreeMap<u64, String> {
    let mut calls = BTreeMap::new();
    for crashes in 0..=script.crashes.len() {
        let mut part = scenario.clone();
        part.script = Some(Script {
            crashes: script.crashes[..crashes].to_vec(),
            ..script.clone()
        });
        let first = crashes
            .checked_sub(1)
            .map_or(0, |last| script.crashes[last].at.call);
        let run = run_course(subject, &part, None, TraceMode::Records);
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

/// The number of the call before each leg, as far as anything planned in it tells.
fn starts(course: &Course, faults: &[PlannedFault], crashes: &[PlannedCrash]) -> Vec<Vec<u64>> {
    let (mut faults, mut crashes) = (faults.iter(), crashes.iter());
    let mut start = |leg: &Leg| {
        let of_fault = leg.faults.iter().filter_map(|relative| {
            let absolute = faults.next()?;
            Some(absolute.call.saturating_sub(relative.call))
        });
        let of_fault = of_fault.collect::<Vec<_>>();
        let of_crash = leg.crash.as_ref().and_then(|relative| {
            let absolute = crashes.next()?;
            Some(absolute.at.call.saturating_sub(relative.at.call))
        });
        of_crash.or(of_fault.first().copied()).unwrap_or(0)
    };
    let scenes = course
        .iter()
        .map(|legs| legs.iter().map(&mut start).collect());
    scenes.collect()
}

fn leg_words(
    leg: &Leg,
    start: u64,
    calls: &BTreeMap<u64, String>,
    step: Option<&Step>,
) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for fault in &leg.faults {
        let name = fault.kind.name();
        lines.push(match fault.is_at_rest() {
            true => format!("{name}, while nobody has the store open"),
            false => format!("{name} at {}", call_words(start + fault.call, calls)),
        });
    }
    if let Some(crash) = &leg.crash {
        lines.push(crash_words(crash, start, calls));
    }
    let cut = matches!(step, Some(Step::PowerCut { .. }));
    let cut = cut
        || leg
            .crash
            .as_ref()
            .is_some_and(|crash| crash.kind == CrashKind::PowerCut);
    if let (true, Some(left)) = (cut, &leg.left) {
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
