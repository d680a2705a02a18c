//! The same seeds of a cluster in a second process, compared run by run.

use std::path::Path;
use std::process::{Command, Stdio};

use beaver_cluster::observation::ObservedEvent;
use beaver_cluster::seeds::ClusterResult;
use beaver_sim::scenario::Seeds;

use super::plan::{ClusterFile, ClusterPlan};
use crate::args::ClusterArgs;
use crate::determinism::this_program;
use crate::exit::CliError;
use crate::report::Disagreement;

/// How many lines before the difference are shown.
const LINES_BEFORE: usize = 5;

/// An event as a line that can be compared.
pub(super) fn event_line(event: &ObservedEvent) -> String {
    format!("{} ns  node {}  {:?}", event.at, event.node, event.what)
}

/// Runs the seeds of a scenario in a second process, backwards, and compares; nothing if they agree.
///
/// # Errors
/// A process could not be started or failed.
pub(super) fn compare(
    plan: &ClusterPlan<'_>,
    file: &ClusterFile,
    first: &ClusterResult,
    args: &ClusterArgs,
) -> Result<Option<Disagreement>, CliError> {
    let second = match &args.options.second {
        Some(program) => program.clone(),
        None => this_program()?,
    };
    let seeds = plan.seeds_of(file);
    let lines = child(&second, plan, file, args, seeds, "--hash-each")?;
    if first.agrees_with(lines.iter().filter_map(|line| hash_line(line))) {
        return Ok(None);
    }
    let own = child(&this_program()?, plan, file, args, seeds, "--hash-each")?;
    let differs = own.iter().zip(&lines).find(|(own, other)| own != other);
    let Some((seed, _)) = differs.and_then(|(own, _)| hash_line(own)) else {
        return Ok(Some(Disagreement {
            seed: None,
            line: 0,
            before: Vec::new(),
            first: format!("{:016x} over all seeds", first.hash),
            second: "another hash over all seeds".to_owned(),
        }));
    };
    let one = Seeds::one(seed);
    let first = child(&this_program()?, plan, file, args, one, "--events")?;
    let second = child(&second, plan, file, args, one, "--events")?;
    let all = first.len().max(second.len());
    let at = (0..all).find(|at| first.get(*at) != second.get(*at));
    let at = at.unwrap_or(all);
    let ended = || "the run has ended, or differs elsewhere".to_owned();
    Ok(Some(Disagreement {
        seed: Some(seed),
        line: at as u64 + 1,
        before: first[at.saturating_sub(LINES_BEFORE)..at.min(first.len())].to_vec(),
        first: first.get(at).cloned().unwrap_or_else(ended),
        second: second.get(at).cloned().unwrap_or_else(ended),
    }))
}

/// The seed and the hash of a line.
fn hash_line(line: &str) -> Option<(u64, u64)> {
    let (seed, hash) = line.split_once(' ')?;
    Some((seed.parse().ok()?, u64::from_str_radix(hash, 16).ok()?))
}

/// The lines that `program` prints for these seeds.
fn child(
    program: &Path,
    plan: &ClusterPlan<'_>,
    file: &ClusterFile,
    args: &ClusterArgs,
    seeds: Seeds,
    what: &str,
) -> Result<Vec<String>, CliError> {
    let mut command = Command::new(program);
    command.arg("cluster").arg(&file.path).arg(what);
    command.args(["--seeds", &seeds.to_string()]);
    command.args(["--engine", plan.engine.engine.name()]);
    command.args(["--nodes", &file.scenario.nodes.to_string()]);
    if let Some(bug) = plan.engine.bug {
        command.args(["--bug", &bug.to_string()]);
    }
    if let Some(profile) = &args.options.search.fs {
        command.args(["--fs", profile]);
    }
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let output = output.map_err(|error| CliError::at(program.display(), error))?;
    if !output.status.success() {
        let why = format_args!("the second process failed: {}", output.status);
        return Err(CliError::at(program.display(), why));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().map(str::to_owned).collect())
}
