//! `beaver shrink`: a saved failure made smaller, and written beside it.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use crate::report::{FailureReport, ShrinkDocument, Verdict};
use beaver_sim::scenario::Scenario;
use beaver_sim::shrink::{Ended, Limits, Shrunk, shrink as shrink_failure, words};

use super::args::{Format, ShrinkArgs};
use super::exit::{CliError, Exit};
use super::injected;
use super::interrupt;
use super::output::Output;
use super::page_file;
use super::scenario_files;
use super::timer::Timer;

/// What the name of a shrunk failure ends with.
const ENDING: &str = "-shrunk";

pub(crate) fn shrink(args: &ShrinkArgs, out: &mut Output) -> Result<Exit, CliError> {
    let stop = interrupt::flag()?;
    let saved = scenario_files::of_failure(&args.file);
    let scenario = scenario_files::read_failure(&args.file)?;
    let bug = injected::bug_of(args.bug.as_deref(), &args.file)?;
    let subject = injected::subject(bug, &scenario);
    let path = args.out.clone().unwrap_or_else(|| beside(&saved));
    page_file::claim(Some(&path))?;
    let file = args.file.display().to_string();
    let plan = [
        ("shrinks", file.clone()),
        ("scenario", format!("{}: {}", scenario.name, scenario.claim)),
        (
            "limit",
            format!("{} candidates, {} s", args.runs, args.seconds),
        ),
    ];
    out.announce(&plan, args.format)?;
    let timer = Timer::start();
    let most_ms = args.seconds.saturating_mul(1000);
    let go_on = || timer.elapsed_ms() < most_ms && !stop.load(Ordering::SeqCst);
    let limits = Limits {
        runs: args.runs,
        go_on: &go_on,
    };
    let Some(shrunk) = shrink_failure(&subject, &scenario, limits) else {
        let hint = injected::hint(args.bug.as_deref(), bug, &scenario);
        let hint = hint.map(|hint| format!(": {hint}")).unwrap_or_default();
        let why = format!("does not fail with this build, so there is nothing to shrink{hint}");
        return Err(CliError::at(&file, why));
    };
    write(&path, &shrunk.scenario)?;
    let history = words(&subject, &shrunk.scenario);
    match args.format {
        Format::Text => print(&shrunk, &history, &path, out),
        Format::Json => {
            let file = path.display().to_string();
            out.json(&ShrinkDocument::new(&shrunk, &history, file))?;
        }
    }
    let verdict = Verdict::of_outcome(&shrunk.run.outcome);
    Ok(Exit::Judged(verdict))
}

fn print(shrunk: &Shrunk, history: &[String], path: &Path, out: &mut Output) {
    let failure = FailureReport {
        scenario: &shrunk.scenario.name,
        run: &shrunk.run,
        profile: shrunk.scenario.profile,
        weakest: None,
        replay: None,
    };
    out.write(format_args!("{failure}\n"));
    history
        .iter()
        .for_each(|line| out.line(format_args!("  {line}")));
    let ended = match shrunk.ended {
        Ended::NothingSmaller => "nothing smaller fails alike",
        Ended::Limit => "the limit was reached: `beaver shrink` goes on from the written file",
    };
    let Shrunk {
        before,
        after,
        runs,
        ..
    } = shrunk;
    out.line(format_args!(
        "\nfrom     {before}\nto       {after}\ntried    {runs}; {ended}\nwritten  {}",
        path.display()
    ));
}

/// `<failure>-shrunk.json` beside the failure; what is called so already is written anew.
fn beside(file: &Path) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let stem = stem.trim_end_matches(ENDING);
    file.with_file_name(format!("{stem}{ENDING}.json"))
}

fn write(path: &Path, scenario: &Scenario) -> Result<(), CliError> {
    let mut json = serde_json::to_string_pretty(scenario)
        .map_err(|error| CliError::at("a failure cannot be written as JSON", error))?;
    json.push('\n');
    std::fs::write(path, json).map_err(|error| CliError::at(path.display(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shrunk_failure_is_shrunk_in_place() {
        let first = beside(Path::new("failures/a-7.json"));
        assert_eq!(first, Path::new("failures/a-7-shrunk.json"));
        assert_eq!(beside(&first), first);
    }
}
