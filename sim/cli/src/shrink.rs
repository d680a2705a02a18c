//! `beaver shrink`: a saved failure made smaller, and written beside it.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use crate::report::{Failure as FailureReport, ShrinkDocument, Verdict};
use beaver_sim::scenario::Scenario;
use beaver_sim::shrink::{Ended, Limits, Shrunk, shrink as shrink_failure, words};

use super::args::{Format, ShrinkArgs};
use super::exit::{Exit, Failure};
use super::interrupt;
use super::output::Output;
use super::replay::planted;
use super::scenario_files;
use super::stopwatch::Stopwatch;

/// What the name of a shrunk failure ends with.
const ENDING: &str = "-shrunk";

pub(crate) fn shrink(args: &ShrinkArgs, out: &mut Output) -> Result<Exit, Failure> {
    let stop = interrupt::flag()?;
    let saved = scenario_files::of_failure(&args.file);
    let scenario = scenario_files::read(&saved)?;
    let file = args.file.display().to_string();
    if scenario.script.is_none() {
        return Err(Failure::at(
            &file,
            "has no `script`, so it is a scenario and not a saved failure: use `beaver run`",
        ));
    }
    let text = args.format == Format::Text;
    announce(&scenario, &file, args, text, out)?;
    let stopwatch = Stopwatch::start();
    let most_ms = args.seconds.saturating_mul(1000);
    let go_on = || stopwatch.elapsed_ms() < most_ms && !stop.load(Ordering::SeqCst);
    let limits = Limits {
        runs: args.runs,
        go_on: &go_on,
    };
    let subject = planted(args.bug.as_deref())?;
    let Some(shrunk) = shrink_failure(&subject, &scenario, limits) else {
        let why = "does not fail with this build, so there is nothing to shrink";
        return Err(Failure::at(&file, why));
    };
    let path = args.out.clone().unwrap_or_else(|| beside(&saved));
    write(&path, &shrunk.scenario)?;
    let words = words(&subject, &shrunk.scenario);
    if text {
        print(&shrunk, &words, &path, out);
    } else {
        let document = ShrinkDocument::new(&shrunk, words, &path.display().to_string());
        let json = serde_json::to_string_pretty(&document)
            .map_err(|error| Failure::at("the report cannot be written as JSON", error))?;
        out.line(json);
    }
    let verdict = Verdict::of_outcome(&shrunk.run.outcome);
    Ok(Exit::of_verdict(verdict, stop.load(Ordering::SeqCst)))
}

/// Prints version and configuration: where the results go, or beside them if those are for a
/// program.
fn announce(
    scenario: &Scenario,
    file: &str,
    args: &ShrinkArgs,
    text: bool,
    out: &mut Output,
) -> Result<(), Failure> {
    let announcement = format!(
        "beaver {}\nshrinks      {file}\nscenario     {}: {}\nlimit        {} candidates, {} s",
        env!("CARGO_PKG_VERSION"),
        scenario.name,
        scenario.claim,
        args.runs,
        args.seconds,
    );
    out.announce(announcement, text)
}

fn print(shrunk: &Shrunk, words: &[String], path: &Path, out: &mut Output) {
    let failure = FailureReport {
        scenario: &shrunk.scenario.name,
        run: &shrunk.run,
        profile: shrunk.scenario.profile,
        mildest: None,
        replay: None,
    };
    out.write(format_args!("{failure}\n"));
    words
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

fn write(path: &Path, scenario: &Scenario) -> Result<(), Failure> {
    let mut json = serde_json::to_string_pretty(scenario)
        .map_err(|error| Failure::at("a failure cannot be written as JSON", error))?;
    json.push('\n');
    std::fs::write(path, json).map_err(|error| Failure::at(path.display(), error))
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
