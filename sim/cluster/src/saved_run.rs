//! A failed run, whole: scenario, chaos and every draw, so that it runs again without a random number.

use std::fs;
use std::path::{Path, PathBuf};

use beaver_sim::failure_folder::{file_name, short_hash};
use serde::{Deserialize, Serialize};

use crate::chaos::{ChaosAction, ChaosKind};
use crate::engine_choice::EngineChoice;
use crate::scenario::ClusterScenario;

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

    /// Reads `file`, the [`CLUSTER_FILE`] of a folder.
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
