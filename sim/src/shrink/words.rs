//! A history in words: its commands, and under each what goes wrong in it.

use beaver::storage::sim::{Moment, Progress, TraceMode, TraceRecord};

use crate::run::run_course;
use crate::scenario::{CrashKind, PlannedCrash, PlannedFault, Scenario, Step};
use crate::subject::Subject;
use crate::world::{Course, Leg, describe};

use super::remains::Remains;

/// The script of a scenario in words, one line for each command, fault and crash; lines that belong
/// to the command above them begin with two blanks.
#[must_use]
pub fn words(subject: &Subject, scenario: &Scenario) -> Vec<String> {
    let run = run_course(subject, scenario, None, TraceMode::Records);
    let mut lines = Vec::new();
    let starts = starts(&run.course, &run.script.faults, &run.script.crashes);
    for (at, legs) in run.course.iter().enumerate() {
        let step = at.checked_sub(1).and_then(|at| run.script.steps.get(at));
        let wrong = legs.iter().zip(&starts[at]);
        let wrong: Vec<String> = wrong
            .flat_map(|(leg, start)| leg_words(leg, *start, &run.calls, step))
            .collect();
        match step {
            Some(step) => lines.push(describe(step)),
            None if wrong.is_empty() => continue,
            None if at == 0 => lines.push("open".to_owned()),
            None => lines.push("close and open again".to_owned()),
        }
        lines.extend(wrong.into_iter().map(|line| format!("  {line}")));
    }
    lines
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

fn leg_words(leg: &Leg, start: u64, calls: &[TraceRecord], step: Option<&Step>) -> Vec<String> {
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
        lines.push(remains_words(left));
    }
    lines
}

fn call_words(number: u64, calls: &[TraceRecord]) -> String {
    let call = calls.iter().find(|record| record.call == number);
    match call {
        Some(record) => format!("{} {}", record.op.name(), record.file),
        None => format!("call {number}"),
    }
}

fn crash_words(crash: &PlannedCrash, start: u64, calls: &[TraceRecord]) -> String {
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
        Some(Progress::Everything) => ", all of it done",
        Some(Progress::Bytes(_)) => ", some of it done",
        _ => "",
    };
    format!("{how} {when} {call}{progress}")
}

fn remains_words(left: &Remains) -> String {
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
