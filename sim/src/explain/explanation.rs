//! Why a run failed, as data: what the text, the JSON and the page say.

use beaver_disk::CrashPoint;
use serde::{Serialize, Serializer};

use super::acknowledged::Acknowledged;
use super::evidence::MissingStep;
use super::first_wrong::FirstWrong;
use super::survival::SurvivalTable;
use crate::invariant::Invariant;
use crate::report::Verdict;
use crate::scenario::{CrashKind, Profile};
use crate::shrink::Size;

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The scenario.
    pub scenario: String,
    /// What it claims.
    pub claim: String,
    /// The crash profile in force.
    #[serde(serialize_with = "as_text")]
    pub profile: Profile,
    /// The seed that found it.
    pub seed: u64,
    /// How the run ended; in JSON `violation`, `budget`, `panic` or `nondeterministic`.
    pub verdict: Verdict,
    /// The invariant; in JSON its number, 0 for a budget or a panic.
    pub invariant: Invariant,
    /// Its name.
    pub name: &'static str,
    /// What it promises.
    pub promise: &'static str,
    /// The number of the command at which it was broken.
    pub step: u64,
    /// That command as text.
    pub command: String,
    /// How large the history is.
    pub size: Size,
    /// What had to be.
    pub expected: String,
    /// What was.
    pub found: String,
    /// What the client had been told, in order.
    pub acknowledged: Vec<Acknowledged>,
    /// The crashes, in order.
    pub crashes: Vec<CrashSummary>,
    /// Which of them is explained, counted from 0.
    pub explained: Option<usize>,
    /// What it left.
    pub survival: Option<SurvivalTable>,
    /// The first place where something is wrong.
    pub first_wrong: FirstWrong,
    /// The weakest profile in which it happens.
    pub weakest: WeakestProfile,
    /// What is likely missing, the strongest first.
    pub missing: Vec<MissingStep>,
    /// The command that replays it.
    pub replay: String,
}

/// A crash as text and as data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CrashSummary {
    /// What happened, when and in which call.
    pub text: String,
    /// How the process ended.
    pub kind: CrashKind,
    /// The call and the moment in it.
    pub at: CrashPoint,
    /// The kind of call, if one was under way.
    pub op: Option<&'static str>,
    /// The file of that call, if it has one.
    pub file: Option<String>,
}

/// The weakest profile in which a failure happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WeakestProfile {
    /// The profile.
    #[serde(serialize_with = "as_text")]
    pub profile: Profile,
    /// What that means.
    pub text: &'static str,
}

fn as_text<S: Serializer>(profile: &Profile, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(profile.name())
}
