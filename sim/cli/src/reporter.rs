//! What running and exploring do alike: a row for each scenario as it ends, its failures saved, and
//! the report over all of them as text, as JSON and as a page.

use std::path::Path;

use beaver_sim::result::RunResult;
use beaver_sim::scenario::Scenario;

use super::args::{Format, SearchOptions};
use super::exit::{CliError, Exit};
use super::failure_saver::FailureSaver;
use super::findings;
use super::output::Output;
use super::page_file;
use super::timer::Timer;
use crate::page::HtmlPage;
use crate::report::{
    MustReach, RunDocument, RunKind, RunReport, SavedFailure, ScenarioReport, Table, coloured,
};

/// Collects and prints what the scenarios of one command found.
pub(super) struct Reporter<'o> {
    options: &'o SearchOptions,
    table: Table,
    saver: FailureSaver<'o>,
    timer: Timer,
    report: RunReport,
}

impl<'o> Reporter<'o> {
    /// Announces the `plan` and begins the table of the scenarios called `names`.
    ///
    /// # Errors
    /// The page, or failures, cannot be written where that was asked for.
    pub(super) fn begin<'n>(
        options: &'o SearchOptions,
        kind: RunKind,
        plan: &[(&str, String)],
        names: impl IntoIterator<Item = &'n str>,
        out: &mut Output,
    ) -> Result<Self, CliError> {
        page_file::claim(options.report.as_deref())?;
        page_file::claim_folder(&options.out)?;
        out.announce(plan, options.format)?;
        let table = Table::new(kind, names);
        if options.format == Format::Text {
            out.line(table.heading());
            out.flush();
        }
        Ok(Reporter {
            options,
            table,
            saver: FailureSaver::new(&options.out, !options.no_shrink),
            timer: Timer::start(),
            report: RunReport {
                kind,
                scenarios: Vec::new(),
                must_reach: None,
                interrupted: false,
                elapsed_ms: 0,
            },
        })
    }

    /// Judges what all scenarios must reach together: this, and every crash point of the calls that
    /// they made.
    pub(super) fn must_reach(&mut self, must_reach: MustReach) {
        let calls = self.report.coverage();
        self.report.must_reach = Some(must_reach.and_calls(&calls));
    }

    /// The report so far.
    pub(super) fn report(&self) -> &RunReport {
        &self.report
    }

    /// Saves the failed runs of a scenario.
    pub(super) fn save(&mut self, scenario: &Scenario, runs: &[RunResult]) -> Vec<SavedFailure> {
        runs.iter()
            .map(|run| self.saver.save(scenario, run))
            .collect()
    }

    /// Takes what a scenario found, and prints its row.
    pub(super) fn add(&mut self, scenario: ScenarioReport, out: &mut Output) {
        if self.options.format == Format::Text {
            out.line(coloured(&self.table.row(&scenario), scenario.verdict()));
            out.flush();
        }
        self.report.scenarios.push(scenario);
    }

    /// Prints the report, writes the page, and says how the command ends.
    ///
    /// # Errors
    /// Something could not be written.
    pub(super) fn finish(mut self, interrupted: bool, out: &mut Output) -> Result<Exit, CliError> {
        let report = &mut self.report;
        report.interrupted = interrupted;
        report.elapsed_ms = self.timer.elapsed_ms();
        self.saver.settle(&mut report.scenarios);
        let verdict = report.verdict();
        match self.options.format {
            Format::Text => {
                out.line(coloured(&self.table.total(report), verdict));
                findings::print(report, self.options.coverage, out);
            }
            Format::Json => out.json(&RunDocument::new(report))?,
        }
        let exit = Exit::Judged(verdict);
        let write = |path: &Path| page_file::write(path, &HtmlPage::of_report(report), exit);
        self.options.report.as_deref().map_or(Ok(exit), write)
    }
}
