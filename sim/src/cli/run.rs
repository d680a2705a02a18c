//! `beaver run`: every scenario over its seeds, a row for each as it ends, then what failed and how to see it again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use beaver_sim::coverage::Coverage;
use beaver_sim::explain::explain;
use beaver_sim::failure_folder::{self, Failing, quoted, replay_command};
use beaver_sim::page::{self, Page};
use beaver_sim::report::{
    CoverageText, Disagreement, Document, SavedFailure, ScenarioReport, Table, Verdict, page_sites,
};
use beaver_sim::result::RunResult;
use beaver_sim::run::run_scenario;
use beaver_sim::scenario::Scenario;
use beaver_sim::shrink::Limits;
use beaver_sim::subject::Subject;

use super::args::{Format, RunArgs};
use super::determinism;
use super::exit::{Exit, Failure};
use super::findings;
use super::interrupt;
use super::output::{Output, styled};
use super::page_file;
use super::progress::Progress;
use super::run_plan::RunPlan;
use super::scenario_files::ScenarioFile;
use super::stopwatch::Stopwatch;

pub(crate) fn run(args: &RunArgs, out: &mut Output) -> Result<Exit, Failure> {
    let stop = interrupt::flag()?;
    let plan = RunPlan::resolve(args)?;
    let text = args.options.format == Format::Text;
    out.announce(&plan, text)?;
    let stopwatch = Stopwatch::start();
    let table = Table::new(plan.files.iter().map(|file| file.scenario.name.as_str()));
    if text {
        out.line(table.heading());
    }
    let mut reports = Vec::with_capacity(plan.files.len());
    for (at, file) in plan.files.iter().enumerate() {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let mut report = run_one(&plan, at, file, stop);
        if plan.check_determinism && !stop.load(Ordering::SeqCst) {
            let checked = second_process(&plan, file, &report, args);
            // Ctrl-C reaches the second process too; what it could not finish says nothing.
            report.disagreement = if stop.load(Ordering::SeqCst) {
                None
            } else {
                checked?
            };
        }
        if text {
            out.line(coloured(&table.row(&report), report.verdict()));
            out.flush();
        }
        reports.push(report);
    }
    let interrupted = stop.load(Ordering::SeqCst);
    let verdict = reports
        .iter()
        .map(ScenarioReport::verdict)
        .min()
        .unwrap_or(Verdict::Nothing);
    let elapsed_ms = stopwatch.elapsed_ms();
    let coverage = Coverage::sum(reports.iter().map(|report| &report.result.coverage));
    if let Some(path) = &args.options.report {
        let shown = page::Coverage {
            sites: page_sites(&coverage),
            ..page::Coverage::default()
        };
        let page = Page::of_runs(&reports, verdict, elapsed_ms, shown);
        page_file::write(path, &page)?;
    }
    if text {
        out.line(coloured(
            &table.total(&reports, verdict, elapsed_ms),
            verdict,
        ));
        findings::print(&reports, interrupted, out);
        out.write(CoverageText::new(&coverage));
    } else {
        let document = Document::new(&reports, verdict, interrupted, elapsed_ms);
        let json = serde_json::to_string_pretty(&document)
            .map_err(|error| Failure::at("the report cannot be written as JSON", error))?;
        out.line(json);
    }
    Ok(Exit::of_verdict(verdict, interrupted))
}

/// Runs one scenario over its seeds and saves what failed.
fn run_one(plan: &RunPlan, at: usize, file: &ScenarioFile, stop: &AtomicBool) -> ScenarioReport {
    let scenario = &file.scenario;
    let seeds = plan.seeds_of(file);
    let stopwatch = Stopwatch::start();
    let progress = Progress::start(&scenario.name, at + 1, plan.files.len(), seeds.count());
    let result = run_scenario(
        scenario,
        seeds,
        plan.jobs,
        &|runs| progress.done(runs),
        stop,
    );
    drop(progress);
    let saved = keep_all(&plan.out, plan.shrinks, scenario, &result.failures);
    ScenarioReport {
        claim: scenario.claim.clone(),
        profile: scenario.profile,
        seeds,
        expected: scenario.expect.marks.clone(),
        gated: plan.is_gated(),
        result,
        saved,
        disagreement: None,
        elapsed_ms: stopwatch.elapsed_ms(),
    }
}

/// How long one failure is made smaller at most: `beaver shrink` goes on.
const SHRINKING: Duration = Duration::from_secs(10);

/// How many candidates that are run for it at most.
const CANDIDATES: u64 = 20_000;

/// Shrinks (if `shrinks`) and explains failed runs, and saves each in its folder. Equal ones share
/// one; the first stands for all.
pub(super) fn keep_all(
    out: &Path,
    shrinks: bool,
    scenario: &Scenario,
    runs: &[RunResult],
) -> Vec<SavedFailure> {
    let mut saved: Vec<(PathBuf, SavedFailure)> = Vec::new();
    let mut folded = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        let failing = Failing::new(&Subject::default(), scenario, run);
        let path = failing.folder(out);
        if let Some((_, first)) = saved.iter_mut().find(|(known, _)| *known == path) {
            first.count += 1;
            if first.file.is_some() {
                first.count = failure_folder::count(&path, run.seed).unwrap_or(first.count);
            }
            folded.push((at, first.file.clone(), first.mildest));
        } else {
            saved.push((path.clone(), keep(failing, &path, shrinks)));
        }
    }
    let mut saved: Vec<SavedFailure> = saved.into_iter().map(|(_, saved)| saved).collect();
    for (at, file, mildest) in folded {
        let kept = SavedFailure {
            file,
            mildest,
            count: 1,
            explained: None,
            folded: true,
        };
        saved.insert(at, kept);
    }
    saved
}

/// Saves one failure.
fn keep(mut failing: Failing, path: &Path, shrinks: bool) -> SavedFailure {
    let subject = Subject::default();
    // What the seed shows is the failure as it was found, on the file system that was asked for.
    let command = seed_command(&failing.scenario, failing.run.seed);
    if shrinks {
        shrink(&mut failing, &subject);
    }
    let replay = replay_command(&this_program(), path);
    let (file, explained) = match failing.save(path, &subject, &replay) {
        Ok(explained) => (Some(path.to_owned()), explained),
        Err(error) => {
            warn(&error);
            (None, explain(&subject, &failing.scenario, &command))
        }
    };
    let known = explained
        .as_ref()
        .map(|explained| explained.explanation.mildest());
    SavedFailure {
        file,
        mildest: known.unwrap_or(failing.scenario.profile),
        count: 1,
        explained: explained.map(Box::new),
        folded: false,
    }
}

/// Makes a failure smaller until its time is over or somebody presses Ctrl-C.
fn shrink(failing: &mut Failing, subject: &Subject) {
    let stopwatch = Stopwatch::start();
    let stopped = || interrupt::flag().is_ok_and(|stop| stop.load(Ordering::SeqCst));
    let go_on = || u128::from(stopwatch.elapsed_ms()) < SHRINKING.as_millis() && !stopped();
    let limits = Limits {
        runs: CANDIDATES,
        go_on: &go_on,
    };
    failing.shrink(subject, limits);
}

/// This program as it was called.
pub(super) fn this_program() -> String {
    let program = std::env::args().next();
    quoted(&program.unwrap_or_else(|| "beaver".to_owned()))
}

/// The command that runs a seed again: for a failure that could not be saved.
pub(super) fn seed_command(scenario: &Scenario, seed: u64) -> String {
    let (name, profile) = (quoted(&scenario.name), scenario.profile.name());
    format!("{} run {name} --seed {seed} --fs {profile}", this_program())
}

/// Says that a failure could not be saved. The verdict is worth more than the file, so the work goes on.
fn warn(failure: &std::io::Error) {
    let mut error = Output::error();
    error.line(format_args!("warning: not saved: {failure}"));
    // Nothing more can be said when standard error cannot be written to either.
    let _ = error.finish();
}

/// Runs the same seeds in a second process and compares.
fn second_process(
    plan: &RunPlan,
    file: &ScenarioFile,
    report: &ScenarioReport,
    args: &RunArgs,
) -> Result<Option<Disagreement>, Failure> {
    let other = match &args.options.second {
        Some(program) => program.clone(),
        None => determinism::this_program()?,
    };
    let check = determinism::Check {
        path: &file.path,
        seeds: report.seeds,
        profile: file.scenario.profile,
        jobs: plan.jobs,
        second: &other,
    };
    check.run(report.result.trace_hash)
}

pub(super) fn coloured(row: &str, verdict: Verdict) -> String {
    let colour = match verdict {
        Verdict::Pass => AnsiColor::Green,
        Verdict::Nothing | Verdict::Coverage => AnsiColor::Yellow,
        _ => AnsiColor::Red,
    };
    let style = Style::new().bold().fg_color(Some(colour.into()));
    // The verdict is the last cell but the time, and no name or number before it can hold its word followed by a blank.
    match row.rfind(&format!(" {verdict} ")) {
        Some(at) => {
            let (start, end) = (at + 1, at + 1 + verdict.name().len());
            format!("{}{}{}", &row[..start], styled(style, verdict), &row[end..])
        }
        None => row.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_verdict_of_a_row_is_coloured() {
        let row = "pass  1  pass   2.00 s";
        let coloured = coloured(row, Verdict::Pass);
        assert!(coloured.starts_with("pass  1  \u{1b}["), "{coloured:?}");
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), row);
    }
}
