//! A scenario: the claim under test, as data.
//!
//! A scenario file says what the program under test does (workload), what is done to it (crashes
//! and faults), on which kind of file system (profile), over which seeds, and what must have been
//! seen at the end (expect). Every field but the claim has a default, so that a file states only
//! what matters for its claim.
//!
//! With a [`script`](Scenario::script) nothing is left to chance: commands, faults, crash points
//! and what survived each power cut are written out, and the run draws no random number. That is
//! what a saved failure is.

mod faults;
mod old_steps;
mod script;
mod seeds;
mod step;
mod survivors;
mod swarm;
mod workload;

pub use beaver_disk::Profile;
pub(crate) use faults::{Drawn, Phase, Target};
pub use faults::{FaultKind, FaultRate};
pub use script::{CrashKind, Effect, PlannedCrash, PlannedFault, Script};
pub use seeds::{ParseSeedsError, Seeds};
pub(crate) use step::{Around, Scheduled, When};
pub use step::{ConcurrentStep, Step};
pub use survivors::Survivors;
pub use swarm::Swarm;
pub use workload::{Alphabet, CommandKind, LogSettings, Range, SyncSetting, Workload};

use serde::{Deserialize, Serialize};

use crate::invariant::Invariant;

/// One scenario, as it stands in a file of `scenarios/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The short name; the file's stem where the file leaves it out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What holds if this scenario passes, in one sentence.
    pub claim: String,
    /// The seeds of the default run, `"A..B"` without B.
    #[serde(default)]
    pub seeds: Seeds,
    /// What a power cut may leave.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "profile_schema"))]
    pub profile: Profile,
    /// Whether the system does not drop the cache of a file when it is asked to, as many do not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keeps_cache: bool,
    /// What the program under test is told to do.
    #[serde(default, skip_serializing_if = "is_default")]
    pub workload: Workload,
    /// How the log under test is set up.
    #[serde(default, skip_serializing_if = "is_default")]
    pub log: LogSettings,
    /// How often it is stopped, and what that may damage.
    #[serde(default, skip_serializing_if = "is_default")]
    pub crashes: Crashes,
    /// What the disk does wrong, each kind with its rate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultRate>,
    /// What each seed draws anew of `workload` and `log` (a swarm).
    #[serde(default, skip_serializing_if = "is_default")]
    pub swarm: Swarm,
    /// How many of `faults` each seed picks (a swarm); 0 means all of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fault_mixture: u32,
    /// What must have happened at least once over all seeds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expect: Expect,
    /// What a run may use up before it counts as without progress.
    #[serde(default, skip_serializing_if = "is_default")]
    pub budget: Budget,
    /// Commands, faults and crashes written out; if present, `workload`, `faults` and the rates of
    /// `crashes` are unused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
}

impl Scenario {
    /// Whether processes are killed outside of recoveries.
    pub(crate) fn kills(&self) -> bool {
        self.crashes.kill_in_command_per_mille > 0 || self.draws(CommandKind::Kill)
    }

    /// Whether the power is cut outside of recoveries.
    pub(crate) fn cuts_power(&self) -> bool {
        self.crashes.power_cut_in_command_per_mille > 0 || self.draws(CommandKind::PowerCut)
    }

    /// Whether processes are killed, and the power is never cut: an op that survives the one need not survive the other.
    pub(crate) fn kills_alone(&self) -> bool {
        // Half of the crashes of a recovery are power cuts.
        self.kills() && !self.cuts_power() && self.crashes.in_recovery_per_mille == 0
    }

    fn draws(&self, kind: CommandKind) -> bool {
        self.workload.weights.get(&kind).copied().unwrap_or(0) > 0
    }
}

/// The profiles by their names, each with what it stands for.
#[cfg(feature = "schema")]
fn profile_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let known = Profile::ALL.map(|profile| {
        schemars::json_schema!({"const": profile.name(), "description": profile.description()})
    });
    schemars::json_schema!({"oneOf": known})
}

/// How often the program under test is stopped, and how.
///
/// Rates are chances in 1,000: `*_in_command_per_mille` for each command, `in_recovery_per_mille` for each
/// recovery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Crashes {
    /// Process killed at one of the storage calls of a command.
    #[serde(alias = "kill_in_command_pm")]
    pub kill_in_command_per_mille: u32,
    /// Power cut at one of the storage calls of a command.
    #[serde(alias = "power_cut_in_command_pm")]
    pub power_cut_in_command_per_mille: u32,
    /// Recovery crashed (killed or power cut, evenly) at one of its calls.
    #[serde(alias = "in_recovery_pm")]
    pub in_recovery_per_mille: u32,
    /// How many recoveries in a row may be crashed before one is left alone.
    pub nested: u32,
    /// Pages that may be torn at a power cut; sectors stay whole.
    pub torn_pages: u32,
    /// Whether grown files may show seeded garbage instead of zeros where their data did not
    /// survive.
    pub garbage: bool,
    /// Images of a power cut that are recovered and judged beside the one the run goes on with.
    pub images: u32,
}

impl Default for Crashes {
    fn default() -> Self {
        Crashes {
            kill_in_command_per_mille: 0,
            power_cut_in_command_per_mille: 0,
            in_recovery_per_mille: 0,
            nested: 1,
            torn_pages: 1,
            garbage: false,
            images: 0,
        }
    }
}

/// What must have happened at least once over all seeds of the scenario.
///
/// Every fault kind in `faults` must fire without being named here.
///
/// With `violation` the claim is one that is known to be broken: the scenario passes if, and only if, some of
/// its runs violate that invariant and none fails in another way. It says so in place of `pass`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Marks, by name: see [`Mark`](crate::marks::Mark).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<crate::marks::Mark>,
    /// The invariant, by name, that some runs violate until the program under test is mended.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "crate::invariant::by_name"
    )]
    #[cfg_attr(feature = "schema", schemars(schema_with = "violation_schema"))]
    pub violation: Option<Invariant>,
}

/// The invariants by their names, each with what it promises.
#[cfg(feature = "schema")]
fn violation_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let known = Invariant::ALL.iter().map(|invariant| {
        schemars::json_schema!({"const": invariant.name(), "description": invariant.promise()})
    });
    schemars::json_schema!({"oneOf": known.collect::<Vec<_>>()})
}

/// What a run may use up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Storage calls of one run. When they run out, the verdict is `budget`: it made no progress.
    pub storage_calls: u64,
    /// Storage calls of one recovery. More of them violate invariant 11.
    pub recovery_calls: u64,
    /// Attempts to open the store after a crash or an error, before giving up: then the verdict is `budget`.
    pub open_attempts: u32,
    /// Bytes of all files after a checkpoint. More of them violate invariant 11; 0: only the files are
    /// counted, not their bytes.
    pub disk_bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            storage_calls: 200_000,
            recovery_calls: 5_000,
            open_attempts: 64,
            disk_bytes: 0,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes the field by reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Whether a file may leave it out.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
