//! What stands under the verdict table: losses, what was never reached, what failed, and the command
//! that shows it again.

use std::collections::BTreeMap;
use std::path::Path;

use beaver_sim::failure_folder::replay_command;
use beaver_sim::result::RunResult;

use super::failure_saver::this_program;
use super::output::Output;
use crate::report::{
    CoverageTable, FailureReport, MustReach, NameCounts, RunReport, SavedFailure, ScenarioReport,
    conclusion,
};

/// How many different failures of one scenario are printed in full; all that are kept are saved.
const PRINTED_FAILURES: usize = 3;

/// Prints what was found; with `coverage` also every kind of storage call that was made.
pub(crate) fn print(report: &RunReport, coverage: bool, out: &mut Output) {
    if let Some(conclusion) = conclusion(report) {
        out.line(format_args!("\n{conclusion}"));
    }
    let scenarios = &report.scenarios;
    out.write(NameCounts::of_faults(scenarios));
    out.write(NameCounts::of_marks(scenarios));
    let lost = scenarios.iter().map(|one| one.result.counts.events_lost);
    let lost: u64 = lost.sum();
    if lost > 0 {
        out.line(format_args!(
            "\n{lost} acknowledged events lost to injected damage that left no proof of them (invariant 8 allows it)"
        ));
    }
    print_coverage(report, coverage, out);
    print_missed(scenarios, out);
    print_expected_failures(scenarios, out);
    for scenario in scenarios {
        print_failures(scenario, out);
        if let Some(disagreement) = &scenario.disagreement {
            out.line(format_args!("\n{}: {disagreement}", scenario.result.name));
        }
    }
    if report.interrupted {
        out.line("\nstopped by a signal: the figures are those of the runs that were done, and nothing is decided about the others");
    }
}

fn print_coverage(report: &RunReport, whole: bool, out: &mut Output) {
    let coverage = report.coverage();
    match &report.must_reach {
        Some(all) => print_must_reach(report, all, out),
        None => {
            let (reached, all) = coverage.reached();
            let hint = match reached < all && !whole {
                true => " (--coverage shows them)",
                false => "",
            };
            out.line(format_args!("\ncoverage: {coverage}{hint}"));
        }
    }
    if whole {
        out.write(CoverageTable::new(&coverage));
    }
}

/// How much of what all scenarios must reach together was reached, and what was not.
fn print_must_reach(report: &RunReport, all: &MustReach, out: &mut Output) {
    let missed = report.missed().unwrap_or_default();
    let (crashes, faults) = (missed.crashes(), missed.faults());
    out.line(format_args!(
        "\ncoverage: {} of {} crash points and {} of {} faults at calls reached, {} missed",
        all.crashes() - crashes,
        all.crashes(),
        all.faults() - faults,
        all.faults(),
        crashes + faults,
    ));
    missed
        .lines()
        .for_each(|line| out.line(format_args!("  {line}")));
}

/// What a gated scenario missed, each with what it means; of the others the names, because other seeds miss other things.
fn print_missed(reports: &[ScenarioReport], out: &mut Output) {
    let (judged, unjudged): (Vec<_>, Vec<_>) = reports
        .iter()
        .partition(|report| report.gated && !report.result.cancelled);
    for report in judged {
        for missed in report.missed() {
            out.line(format_args!("\n{}: {missed}", report.result.name));
        }
    }
    let unjudged: Vec<String> = unjudged
        .iter()
        .filter_map(|report| {
            Some(format!(
                "  {}: {}",
                report.result.name,
                report.missed_names()?
            ))
        })
        .collect();
    if !unjudged.is_empty() {
        out.line("\nnot reached with these seeds, and not judged:");
        unjudged.iter().for_each(|line| out.line(line));
    }
}

/// The failures that were expected and found; one that was not found is missed.
fn print_expected_failures(reports: &[ScenarioReport], out: &mut Output) {
    for report in reports {
        let expected = report.result.expected_failure;
        if let Some(found) = expected.filter(|expected| expected.runs > 0) {
            out.line(format_args!("\n{}: {found}", report.result.name));
        }
    }
}

fn print_failures(report: &ScenarioReport, out: &mut Output) {
    let name = &report.result.name;
    let different = report.failures().filter(|(_, saved)| !saved.folded);
    let different: Vec<_> = different.collect();
    for (run, saved) in different.iter().take(PRINTED_FAILURES) {
        if saved.count > 1 {
            out.line(format_args!("\nstands for {} runs:", saved.count));
        }
        match &saved.explained {
            Some(explained) => out.write(format_args!("\n{}", explained.explanation)),
            None => print_unexplained(report, run, saved, out),
        }
    }
    print_met_elsewhere(report, out);
    let others = different.len().saturating_sub(PRINTED_FAILURES);
    if others > 0 {
        out.line(format_args!("\n{name}: {others} more failures are saved"));
    }
    let unsaved = report
        .result
        .failed_runs
        .saturating_sub(report.result.failures.len() as u64);
    if unsaved > 0 {
        out.line(format_args!(
            "\n{name}: {unsaved} more runs failed and were not looked at"
        ));
    }
}

/// How many runs failed like one of another scenario.
fn print_met_elsewhere(report: &ScenarioReport, out: &mut Output) {
    let here = report.saved.iter().filter(|saved| !saved.folded);
    let here: Vec<&Path> = here.filter_map(|saved| saved.file.as_deref()).collect();
    let mut elsewhere: BTreeMap<&Path, usize> = BTreeMap::new();
    let folded = report.saved.iter().filter(|saved| saved.folded);
    for file in folded.filter_map(|saved| saved.file.as_deref()) {
        if !here.contains(&file) {
            *elsewhere.entry(file).or_default() += 1;
        }
    }
    for (file, runs) in elsewhere {
        let (name, file) = (&report.result.name, file.display());
        out.line(format_args!(
            "\n{name}: failed in {runs} of its runs as in {file}"
        ));
    }
}

/// A failure that its script alone does not show.
fn print_unexplained(
    report: &ScenarioReport,
    run: &RunResult,
    saved: &SavedFailure,
    out: &mut Output,
) {
    let replay = saved
        .file
        .as_deref()
        .map(|path| replay_command(&this_program(), path));
    let failure = FailureReport {
        scenario: &report.result.name,
        run,
        profile: report.profile,
        weakest: Some(saved.weakest),
        replay,
    };
    out.write(format_args!("\n{failure}"));
}
