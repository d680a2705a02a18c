//! A failed run as a folder: what replays it without a random number, and what happened in it.
//!
//! ```text
//! failures/<scenario>-<promise>-<hash>/
//!   cluster.json     what beaver replay runs: scenario, engine, chaos, and every draw of the run
//!   report.txt       what broke, what went wrong before, and what each node did
//!   report.json      the same for programs
//!   events.jsonl     what replicas did, a line each
//!   messages.jsonl   the messages between them, a line each
//!   seen.json        how many runs it stands for, and which
//! ```

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use beaver_sim::failure_folder::{at, count, write, write_json};

use crate::failure_story::FailureStory;
use crate::recording::replay_run;
use crate::replica::RaftEngine;
use crate::run::ClusterOutcome;
use crate::saved_run::{CLUSTER_FILE, SavedRun};

/// Writes the folder of a failed run of `engine`; says how many runs it stands for. What lies there
/// already stays if it is smaller and still fails.
///
/// # Errors
/// Something could not be written; the path is in the message.
pub fn save_run(
    path: &Path,
    engine: &dyn RaftEngine,
    saved: &SavedRun,
    seed: u64,
    outcome: &ClusterOutcome,
    story: &FailureStory,
) -> io::Result<usize> {
    fs::create_dir_all(path).map_err(|error| at(path, error))?;
    let seen = count(path, &saved.scenario.name, seed)?;
    if lies_smaller(path, engine, saved) {
        return Ok(seen);
    }
    write_json(&path.join(CLUSTER_FILE), saved)?;
    write_json(&path.join("report.json"), story)?;
    write(&path.join("report.txt"), story.to_string().as_bytes())?;
    let mut events = String::new();
    for event in &outcome.events {
        let _ = writeln!(events, "{}", serde_json::to_string(event)?);
    }
    write(&path.join("events.jsonl"), events.as_bytes())?;
    let mut messages = String::new();
    for message in outcome.messages.iter().flatten() {
        let _ = writeln!(messages, "{}", serde_json::to_string(message)?);
    }
    write(&path.join("messages.jsonl"), messages.as_bytes())?;
    Ok(seen)
}

/// Whether a smaller failure of the same sort lies in `path`, and still is one.
fn lies_smaller(path: &Path, engine: &dyn RaftEngine, saved: &SavedRun) -> bool {
    let Ok(old) = SavedRun::read(&path.join(CLUSTER_FILE)) else {
        return false;
    };
    let size = |run: &SavedRun| (run.chaos.len(), run.scenario.clients, run.draws.len());
    let is_like = old.engine == saved.engine && old.breaks == saved.breaks;
    // Run again instead of trusted: it may be of an older build that had the bug.
    is_like && size(&old) < size(saved) && {
        let first = replay_run(&old, engine).violations.into_iter().next();
        first.is_some_and(|broken| broken.checker == old.breaks)
    }
}
