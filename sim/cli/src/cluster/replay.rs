//! `beaver replay` of a saved run of a cluster: again, from data alone.

use std::path::{Path, PathBuf};

use beaver_cluster::failure_story::FailureStory;
use beaver_cluster::recording::replay_run;
use beaver_cluster::saved_run::{CLUSTER_FILE, SavedRun};
use beaver_cluster::seeds::ClusterResult;
use beaver_sim::failure_folder::replay_command;

use crate::args::{Format, ReplayArgs};
use crate::exit::{CliError, Exit};
use crate::failure_saver::this_program;
use crate::output::Output;
use crate::page::ClusterPage;
use crate::page_file;
use crate::report::{ClusterDocument, ClusterReport, ClusterRow, ShownFailure};
use crate::timer::Timer;

/// Replays the failure in a folder, or in the file of one, if it is that of a cluster.
pub(crate) fn replay_cluster(
    args: &ReplayArgs,
    out: &mut Output,
) -> Option<Result<Exit, CliError>> {
    let file = of_cluster(&args.file)?;
    Some(replay(&file, args, out))
}

/// The file that replays a cluster, if `path` is one or has one.
fn of_cluster(path: &Path) -> Option<PathBuf> {
    let inside = path.join(CLUSTER_FILE);
    match path.is_dir() {
        true => inside.is_file().then_some(inside),
        false => (path.file_name()? == CLUSTER_FILE).then(|| path.to_owned()),
    }
}

fn replay(file: &Path, args: &ReplayArgs, out: &mut Output) -> Result<Exit, CliError> {
    if let Some(bug) = &args.bug {
        let why = format!("`--bug {bug}`: a saved run of a cluster knows its own bug");
        return Err(CliError::at(file.display(), why));
    }
    let saved = SavedRun::read(file).map_err(CliError::new)?;
    let engine = saved.engine.make().map_err(CliError::new)?;
    page_file::claim(args.report.as_deref())?;
    let plan = [
        ("replays", file.display().to_string()),
        (
            "scenario",
            format!("{}: {}", saved.scenario.name, saved.scenario.claim),
        ),
        ("engine", saved.engine.to_string()),
        (
            "script",
            format!(
                "{} actions of chaos, {} draws; no seed",
                saved.chaos.len(),
                saved.draws.len()
            ),
        ),
    ];
    out.announce(&plan, args.format)?;
    let timer = Timer::start();
    let outcome = replay_run(&saved, &*engine);
    let broken = outcome.violations.first();
    let breaks = broken.map_or("", |broken| broken.checker);
    let same = format!("{:016x}", outcome.hash) == saved.hash && breaks == saved.breaks;
    let command = replay_command(&this_program(), &args.file);
    let story = FailureStory::new(&saved, &outcome, None, command);
    let mut result = ClusterResult::default();
    result.add(saved.scenario.seeds.start, &outcome);
    let mut report = ClusterReport::new(saved.engine);
    report.rows.push(ClusterRow {
        scenario: saved.scenario.clone(),
        seeds: saved.scenario.seeds,
        result,
        failures: story
            .map(|story| ShownFailure::Shown {
                file: Some(args.file.clone()),
                found: Box::new((story, outcome)),
            })
            .into_iter()
            .collect(),
        disagreement: None,
        elapsed_ms: timer.elapsed_ms(),
    });
    report.elapsed_ms = timer.elapsed_ms();
    report.same = Some(same);
    let verdict = report.verdict();
    match args.format {
        Format::Json => out.json(&ClusterDocument::new(&report))?,
        Format::Text => {
            out.write(report.details(false, 1));
            if !same {
                out.line("this run differs from the one that was saved: the program or the engine is another one");
            }
            out.line(format_args!("verdict: {verdict}"));
        }
    }
    let exit = Exit::Judged(verdict);
    match &args.report {
        Some(path) => page_file::write_text(path, &ClusterPage::new(&report).to_string(), exit),
        None => Ok(exit),
    }
}
