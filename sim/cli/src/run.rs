//! `beaver run`: every scenario over its seeds, a row for each as it ends, then what failed and how to see it again.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::page::{self, Page};
use crate::report::{
    CoverageText, Disagreement, Document, ScenarioReport, Table, Verdict, page_sites,
};
use anstyle::{AnsiColor, Style};
use beaver_sim::coverage::Coverage;
use beaver_sim::run::run_scenario;

use super::args::{Format, RunArgs};
use super::determinism;
use super::exit::{Exit, Failure};
use super::findings;
use super::interrupt;
use super::keeping::Keeper;
use super::output::{Output, styled};
use super::page_file;
use super::progress::Progress;
use super::run_plan::RunPlan;
use super::scenario_files::ScenarioFile;
use super::stopwatch::Stopwatch;

pub(crate) fn run(args: &RunArgs, out: &mut Output) -> Result<Exit, Failure> {
    let stop = interrupt::flag()?;
    let plan = RunPlan::resolve(args)?;
    page_file::claim(args.options.report.as_deref())?;
    let text = args.options.format == Format::Text;
    out.announce(&plan, text)?;
    let stopwatch = Stopwatch::start();
    let table = Table::new(plan.files.iter().map(|file| file.scenario.name.as_str()));
    if text {
        out.line(table.heading());
    }
    let mut reports = Vec::with_capacity(plan.files.len());
    let mut keeper = Keeper::new(&plan.out, plan.shrinks);
    for (at, file) in plan.files.iter().enumerate() {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let mut report = run_one(&plan, at, &mut keeper, stop);
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
    keeper.settle(reports.iter_mut());
    let interrupted = stop.load(Ordering::SeqCst);
    let verdict = reports
        .iter()
        .map(ScenarioReport::verdict)
        .min()
        .unwrap_or(Verdict::Nothing);
    let elapsed_ms = stopwatch.elapsed_ms();
    let coverage = Coverage::sum(reports.iter().map(|report| &report.result.coverage));
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
    let exit = Exit::of_verdict(verdict, interrupted);
    let Some(path) = &args.options.report else {
        return Ok(exit);
    };
    let shown = page::Coverage {
        sites: page_sites(&coverage),
        ..page::Coverage::default()
    };
    let page = Page::of_runs(&reports, verdict, elapsed_ms, shown);
    page_file::write(path, &page, exit)
}

/// Runs one scenario over its seeds and saves what failed.
fn run_one(
    plan: &RunPlan,
    at: usize,
    keeper: &mut Keeper<'_>,
    stop: &AtomicBool,
) -> ScenarioReport {
    let file = &plan.files[at];
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
    let saved = keeper.keep_all(scenario, &result.failures);
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
