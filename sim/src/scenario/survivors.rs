//! What survived a power cut, as it stands in a file.

use beaver_disk::{Choice, ImageSpace, SurvivorSet};
use serde::{Deserialize, Serialize};

/// What survived a power cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Survivors {
    /// By the names of files: it outlasts a change of the history.
    Named(SurvivorSet),
    /// By the numbers of records, as version 0.1 wrote it.
    Numbered(Choice),
}

impl Survivors {
    /// The choice that leaves this of `space`.
    #[must_use]
    pub fn choose(&self, space: &ImageSpace) -> Choice {
        match self {
            Survivors::Named(set) => space.choose(set),
            Survivors::Numbered(choice) => choice.clone(),
        }
    }
}
