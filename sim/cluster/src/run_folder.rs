//! A failed run as a folder: what replays it without a random number, and what happened in it.
//!
//! ```text
//! failures/<scenario>-<promise>-<hash>/
//!   cluster.json     what `beaver replay` runs: scenario, engine, chaos, and every draw of the run
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

use beaver_sim::failure_folder::{at, count, write_json};

use crate::failure_story::FailureStory;
use crate::run::ClusterOutcome;
use crate::saved_run::{CLUSTER_FILE, SavedRun};

/// Writes the folder of a failed run; says how many runs it stands for.
///
/// # Errors
/// Something could not be written; the path is in the message.
pub fn save_run(
    path: &Path,
    saved: &SavedRun,
    seed: u64,
    outcome: &ClusterOutcome,
    story: &FailureStory,
) -> io::Result<usize> {
    fs::create_dir_all(path).map_err(|error| at(path, error))?;
    let seen = count(path, &saved.scenario.name, seed)?;
    write_json(&path.join(CLUSTER_FILE), saved)?;
    write_json(&path.join("report.json"), story)?;
    write_text(&path.join("report.txt"), &story.to_string())?;
    let mut events = String::new();
    for event in &outcome.events {
        let _ = writeln!(events, "{}", serde_json::to_string(event)?);
    }
    write_text(&path.join("events.jsonl"), &events)?;
    let mut messages = String::new();
    for message in outcome.messages.iter().flatten() {
        let _ = writeln!(messages, "{}", serde_json::to_string(message)?);
    }
    write_text(&path.join("messages.jsonl"), &messages)?;
    Ok(seen)
}

fn write_text(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text).map_err(|error| at(path, error))
}
