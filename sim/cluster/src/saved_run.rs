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
use std::path::{Path, PathBuf};

use beaver_sim::failure_folder::{at, count, file_name, short_hash, write_json};
use beaver_sim::scenario::Seeds;
use serde::{Deserialize, Serialize};

use crate::chaos::{ChaosAction, ChaosKind};
use crate::engine_choice::EngineChoice;
use crate::failure_story::FailureStory;
use crate::replica::Engine;
use crate::run::{ClusterOutcome, ClusterRunOptions, run_with};
use crate::scenario::ClusterScenario;
use crate::shrink::ClusterCase;

/// The file of a folder that replays the failure.
pub const CLUSTER_FILE: &str = "cluster.json";

/// A failed run, whole: replaying it draws nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedRun {
    /// What was under test.
    #[serde(flatten)]
    pub engine: EngineChoice,
    /// The scenario.
    pub scenario: ClusterScenario,
    /// The promise that it breaks.
    pub breaks: String,
    /// The hash of the run: a replay has the same.
    pub hash: String,
    /// What goes wrong.
    pub chaos: Vec<ChaosAction>,
    /// What was drawn for everything else, in order: each as what it lies above its least.
    pub draws: Vec<u64>,
}

impl SavedRun {
    /// Runs a failing case once more and writes down what replays it, with what happened.
    #[must_use]
    pub fn record(
        choice: EngineChoice,
        engine: &dyn Engine,
        case: &ClusterCase,
    ) -> (Self, ClusterOutcome) {
        let options = ClusterRunOptions {
            chaos: Some(case.chaos.clone()),
            draws: None,
            record_draws: true,
            record_messages: true,
        };
        let mut outcome = run_with(engine, &case.scenario, case.seed, options);
        let breaks = outcome.violations.first();
        let saved = SavedRun {
            engine: choice,
            scenario: ClusterScenario {
                seeds: Seeds::one(case.seed),
                ..case.scenario.clone()
            },
            breaks: breaks.map_or(String::new(), |broken| broken.checker.to_owned()),
            hash: format!("{:016x}", outcome.hash),
            chaos: case.chaos.clone(),
            draws: outcome.draws.take().unwrap_or_default(),
        };
        (saved, outcome)
    }

    /// Runs it again from its data alone.
    #[must_use]
    pub fn replay(&self, engine: &dyn Engine) -> ClusterOutcome {
        let options = ClusterRunOptions {
            chaos: Some(self.chaos.clone()),
            draws: Some(self.draws.clone()),
            record_draws: false,
            record_messages: true,
        };
        run_with(engine, &self.scenario, self.scenario.seeds.start, options)
    }

    /// The folder below `out` that it shares with failures like it.
    #[must_use]
    pub fn folder(&self, out: &Path) -> PathBuf {
        let scenario = file_name(&self.scenario.name);
        let promise = file_name(&self.breaks.replace(' ', "-"));
        let mut parts = vec![self.engine.to_string()];
        parts.extend(self.chaos.iter().map(|action| sort_of(&action.what)));
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        out.join(format!("{scenario}-{promise}-{:08x}", short_hash(&parts)))
    }

    /// Writes the folder; says how many runs it stands for.
    ///
    /// # Errors
    /// Something could not be written; the path is in the message.
    pub fn save(
        &self,
        path: &Path,
        seed: u64,
        outcome: &ClusterOutcome,
        story: &FailureStory,
    ) -> io::Result<usize> {
        fs::create_dir_all(path).map_err(|error| at(path, error))?;
        let seen = count(path, &self.scenario.name, seed)?;
        write_json(&path.join(CLUSTER_FILE), self)?;
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

    /// Reads what [`save`](SavedRun::save) has written.
    ///
    /// # Errors
    /// The file cannot be read, or is not such a file; the text says where.
    pub fn read(file: &Path) -> Result<Self, String> {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let text = fs::read_to_string(file).map_err(|error| named(&error))?;
        let saved: SavedRun = serde_json::from_str(&text).map_err(|error| named(&error))?;
        saved.scenario.check().map_err(|rule| named(&rule))?;
        Ok(saved)
    }
}

/// The sort of an action without its numbers: `aimed saves-vote crash power-cut`.
fn sort_of(what: &ChaosKind) -> String {
    let value = serde_json::to_value(what).unwrap_or_default();
    let mut words = String::new();
    collect_words(&value, &mut words);
    words
}

fn collect_words(value: &serde_json::Value, words: &mut String) {
    match value {
        serde_json::Value::String(word) => {
            words.push_str(word);
            words.push(' ');
        }
        serde_json::Value::Object(fields) => {
            for (name, inner) in fields {
                words.push_str(name);
                words.push(' ');
                collect_words(inner, words);
            }
        }
        _ => {}
    }
}

fn write_text(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text).map_err(|error| at(path, error))
}
