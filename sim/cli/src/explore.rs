//! `beaver explore`: every crash point of workloads, every image, and recovery crashed again; a row for each as it ends.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::page::{self, Page};
use crate::report::{
    CoverageText, Document, Exploration, ExplorationTable, ScenarioReport, Verdict, conclusion,
    page_sites,
};
use beaver_sim::coverage::Coverage;
use beaver_sim::explore::{Explored, Options, Running, Start, Tally, explore_seed, explore_small};
use beaver_sim::scenario::{Profile, Scenario, Seeds};
use beaver_sim::subject::Subject;

use super::args::{ExploreArgs, Format};
use super::exit::{Exit, Failure};
use super::findings;
use super::interrupt;
use super::keeping::Keeper;
use super::output::Output;
use super::page_file;
use super::progress::Progress;
use super::run::coloured;
use super::scenario_files;
use super::seed::Seed;
use super::stopwatch::Stopwatch;

/// What is explored as one row of the table.
struct Row {
    name: String,
    scenario: Scenario,
    what: What,
}

enum What {
    /// The workloads of some seeds.
    Seeds(Seeds),
    /// Every workload of up to so many commands.
    Small(Start, usize),
}

/// Everything that is fixed before the work begins.
struct ExplorePlan {
    rows: Vec<Row>,
    options: Options,
    profile: Option<Profile>,
    jobs: NonZeroUsize,
    out: PathBuf,
    shrinks: bool,
}

pub(crate) fn explore(args: &ExploreArgs, out: &mut Output) -> Result<Exit, Failure> {
    let stop = interrupt::flag()?;
    let plan = ExplorePlan::resolve(args)?;
    page_file::claim(args.report.as_deref())?;
    let text = args.format == Format::Text;
    out.announce(&plan, text)?;
    let table = ExplorationTable::new(plan.rows.iter().map(|row| row.name.as_str()));
    if text {
        out.line(table.heading());
        out.flush();
    }
    let stopwatch = Stopwatch::start();
    let explorations = explore_all(&plan, &table, stop, text.then_some(&mut *out));
    let interrupted = stop.load(Ordering::SeqCst);
    let verdicts = explorations
        .iter()
        .map(|exploration| exploration.report.verdict());
    let verdict = verdicts.min().unwrap_or(Verdict::Nothing);
    let elapsed_ms = stopwatch.elapsed_ms();
    let reached = explorations.iter();
    let coverage = Coverage::sum(reached.map(|explored| &explored.report.result.coverage));
    let page = args.report.as_ref().map(|path| {
        let sites = shown(&coverage);
        let page = Page::of_explorations(&explorations, verdict, elapsed_ms, sites);
        (path, page)
    });
    if text {
        let mut sum = Tally::default();
        explorations
            .iter()
            .for_each(|exploration| sum += exploration.tally);
        out.line(coloured(
            &table.total(&sum, verdict.name(), elapsed_ms),
            verdict,
        ));
        let (depth, cap) = (plan.options.depth, plan.options.cap);
        out.line(format_args!(
            "\n{}",
            conclusion(&sum, depth, cap, elapsed_ms)
        ));
        let reports = explorations
            .into_iter()
            .map(|exploration| exploration.report);
        findings::print(&reports.collect::<Vec<_>>(), interrupted, out);
        out.write(CoverageText::new(&coverage));
    } else {
        let document = Document::of_explorations(&explorations, verdict, interrupted, elapsed_ms);
        let json = serde_json::to_string_pretty(&document)
            .map_err(|error| Failure::at("the report cannot be written as JSON", error))?;
        out.line(json);
    }
    let exit = Exit::of_verdict(verdict, interrupted);
    match page {
        Some((path, page)) => page_file::write(path, &page, exit),
        None => Ok(exit),
    }
}

/// Explores everything; a row for each is written to `out` as it ends.
fn explore_all(
    plan: &ExplorePlan,
    table: &ExplorationTable,
    stop: &AtomicBool,
    mut out: Option<&mut Output>,
) -> Vec<Exploration> {
    let mut explorations = Vec::new();
    let mut keeper = Keeper::new(&plan.out, plan.shrinks);
    for at in 0..plan.rows.len() {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let exploration = explore_one(plan, at, &mut keeper, stop);
        if let Some(out) = &mut out {
            let verdict = exploration.report.verdict();
            out.line(coloured(&table.row(&exploration), verdict));
            out.flush();
        }
        explorations.push(exploration);
    }
    keeper.settle(
        explorations
            .iter_mut()
            .map(|exploration| &mut exploration.report),
    );
    explorations
}

/// The coverage of a page over explorations, in which no fault fires and no mark is expected.
fn shown(coverage: &Coverage) -> page::Coverage {
    page::Coverage {
        sites: page_sites(coverage),
        ..page::Coverage::default()
    }
}

fn explore_one(
    plan: &ExplorePlan,
    at: usize,
    keeper: &mut Keeper<'_>,
    stop: &AtomicBool,
) -> Exploration {
    let row = &plan.rows[at];
    let stopwatch = Stopwatch::start();
    let progress = Progress::explore(&row.name, at + 1, plan.rows.len());
    let running = Running {
        jobs: plan.jobs,
        progress: &|done, all| progress.done_of(done, all),
        cancel: stop,
    };
    let (explored, seeds) = row.explore(&plan.options, running);
    drop(progress);
    let scenario = row.as_explored();
    let result = explored.to_result(&Subject::default(), &row.name, &scenario);
    let saved = keeper.keep_all(&scenario, &result.failures);
    Exploration {
        tally: explored.tally,
        report: ScenarioReport {
            claim: scenario.claim.clone(),
            profile: scenario.profile,
            seeds,
            expected: Vec::new(),
            gated: false,
            result,
            saved,
            disagreement: None,
            elapsed_ms: stopwatch.elapsed_ms(),
        },
    }
}

impl Row {
    fn explore(&self, options: &Options, running: Running<'_>) -> (Explored, Seeds) {
        let subject = Subject::default();
        match self.what {
            What::Small(start, ops) => {
                let explored =
                    explore_small(&subject, &self.scenario, start, ops, options, running);
                (explored, Seeds::one(0))
            }
            What::Seeds(seeds) => {
                let mut sum = Explored::default();
                for seed in seeds.start..seeds.end {
                    if running.cancel.load(Ordering::SeqCst) {
                        sum.cancelled = true;
                        break;
                    }
                    sum.add(explore_seed(
                        &subject,
                        &self.scenario,
                        seed,
                        options,
                        running,
                    ));
                }
                (sum, seeds)
            }
        }
    }

    /// The scenario whose scripts the failures are.
    fn as_explored(&self) -> Scenario {
        Scenario {
            name: format!("explore-{}", self.name),
            ..self.scenario.clone()
        }
    }
}

impl ExplorePlan {
    /// Resolves the command line.
    ///
    /// # Errors
    /// A profile or scenario cannot be used.
    fn resolve(args: &ExploreArgs) -> Result<Self, Failure> {
        let profile = args
            .fs
            .as_deref()
            .map(scenario_files::profile)
            .transpose()?;
        let mut rows = Vec::new();
        for start in args.ops.iter().flat_map(|_| Start::of(args.callers)) {
            let ops = usize::from(args.ops.unwrap_or_default());
            rows.push(Row {
                name: start.name().to_owned(),
                scenario: start.scenario(profile.unwrap_or_default()),
                what: What::Small(start, ops),
            });
        }
        if args.ops.is_none() || !args.scenarios.is_empty() {
            for file in scenario_files::load(&args.scenarios)? {
                let mut scenario = file.scenario;
                scenario.profile = profile.unwrap_or(scenario.profile);
                let first = Seeds::one(scenario.seeds.start);
                let seed = args.seed.map(|Seed(seed)| Seeds::one(seed));
                rows.push(Row {
                    name: scenario.name.clone(),
                    what: What::Seeds(seed.or(args.seeds).unwrap_or(first)),
                    scenario,
                });
            }
        }
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Ok(ExplorePlan {
            rows,
            options: Options {
                depth: args.depth,
                cap: args.cap,
                callers: args.callers,
                ..Options::default()
            },
            profile,
            jobs: args.jobs.unwrap_or(cores),
            out: args.out.clone(),
            shrinks: !args.no_shrink,
        })
    }
}

impl fmt::Display for ExplorePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "beaver {}", env!("CARGO_PKG_VERSION"))?;
        writeln!(f, "explorations {}", self.rows.len())?;
        writeln!(f, "depth        {}", self.options.depth)?;
        writeln!(
            f,
            "cap          {} images of one power cut",
            self.options.cap
        )?;
        writeln!(f, "callers      {} with --ops", self.options.callers)?;
        writeln!(f, "seed         {} for samples", self.options.seed)?;
        match self.profile {
            Some(profile) => writeln!(f, "profile      {} (from --fs)", profile.name())?,
            None => writeln!(f, "profile      that of each scenario; posix for --ops")?,
        }
        writeln!(f, "jobs         {}", self.jobs)?;
        write!(f, "failures     {}", self.out.display())
    }
}
