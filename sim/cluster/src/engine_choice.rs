//! The engine under test, by name, as it stands on a command line and in a saved failure.

use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(feature = "openraft")]
use crate::open_raft::OpenRaft;
use crate::replica::Engine;
use crate::small_raft::{PlantedBug, SmallRaft};

/// The name of an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineName {
    /// openraft on Beaver's log: what `beaverd` runs.
    #[default]
    Openraft,
    /// The small engine of this package, into which bugs can be planted.
    Small,
}

impl EngineName {
    /// All of them.
    pub const ALL: [EngineName; 2] = [EngineName::Openraft, EngineName::Small];

    /// How it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            EngineName::Openraft => "openraft",
            EngineName::Small => "small",
        }
    }

    /// The engine called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        EngineName::ALL.into_iter().find(|one| one.name() == name)
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which engine is under test, and with which bug.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineChoice {
    /// The engine.
    pub engine: EngineName,
    /// What is planted into it; only the small engine takes a bug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bug: Option<PlantedBug>,
}

/// Why an engine cannot be put under test.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEngine {
    /// It was left out when this program was built.
    #[error(
        "this program was built without openraft: build it with `--features openraft`, or take the engine `small`"
    )]
    LeftOut,
    /// A bug was asked for, and the engine takes none.
    #[error("the bug `{0}` can be planted into the engine `small` alone")]
    TakesNoBug(PlantedBug),
}

impl EngineChoice {
    /// The small engine with this bug.
    #[must_use]
    pub fn planted(bug: PlantedBug) -> Self {
        EngineChoice {
            engine: EngineName::Small,
            bug: Some(bug),
        }
    }

    /// The engine itself.
    ///
    /// # Errors
    /// It is not in this program, or it takes no bug.
    pub fn make(self) -> Result<Box<dyn Engine>, NoEngine> {
        match (self.engine, self.bug) {
            (EngineName::Small, None) => Ok(Box::new(SmallRaft::new())),
            (EngineName::Small, Some(bug)) => Ok(Box::new(SmallRaft::with_bug(bug))),
            (EngineName::Openraft, Some(bug)) => Err(NoEngine::TakesNoBug(bug)),
            (EngineName::Openraft, None) => openraft(),
        }
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bug {
            None => self.engine.fmt(f),
            Some(bug) => write!(f, "{} with {bug}", self.engine),
        }
    }
}

#[cfg(feature = "openraft")]
fn openraft() -> Result<Box<dyn Engine>, NoEngine> {
    Ok(Box::new(OpenRaft::default()))
}

#[cfg(not(feature = "openraft"))]
fn openraft() -> Result<Box<dyn Engine>, NoEngine> {
    Err(NoEngine::LeftOut)
}
