//! What survived a power cut, as it stands in a file.

use beaver_disk::{Choice, ImageSpace, SurvivorSet};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// What survived a power cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Survivors {
    /// By the names of files: it outlasts a change of the history.
    Named(SurvivorSet),
    /// By the numbers of records, as earlier files have it.
    Numbered(Choice),
}

impl<'de> Deserialize<'de> for Survivors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Serde's own untagged enums cannot read maps whose keys are numbers.
        let value = serde_json::Value::deserialize(deserializer)?;
        let named = SurvivorSet::deserialize(&value).map(Survivors::Named);
        let read = named.or_else(|_| Choice::deserialize(value).map(Survivors::Numbered));
        read.map_err(D::Error::custom)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survivors_are_read_by_name_and_as_version_0_1_numbered_them() {
        let named = serde_json::from_str(r#"{"otherwise": true}"#).unwrap();
        assert!(matches!(named, Survivors::Named(_)));
        let numbered = serde_json::from_str(r#"{"names": {"29": "new"}}"#).unwrap();
        assert!(matches!(numbered, Survivors::Numbered(choice) if choice.names.len() == 1));
    }
}
