//! A scenario of a cluster: the claim under test, as data. Every field has a default, and the default is
//! everything at once.

use std::collections::BTreeMap;

use beaver_disk::Profile;
use beaver_sim::scenario::{Range, Seeds};
use serde::{Deserialize, Serialize};

use crate::chaos::NetworkRates;

/// How long a part of a run may last, in milliseconds of virtual time: a run keeps all that happened.
const MOST_MS: u64 = 600_000;

/// How long a sync or a message may take, in microseconds; the slowest messages take two hundred times
/// as long.
const MOST_US: u64 = 10_000_000;

/// How often something may be drawn: so that the sum of all weights fits, those of a swarm too.
const MOST_WEIGHT: u32 = 1_000_000;

/// How many bytes may be in use.
const MOST_BYTES: u64 = 1 << 40;

/// One scenario, as it stands in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterScenario {
    /// The short name; the file's stem where the file leaves it out.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What holds if this scenario passes, in one sentence.
    pub claim: String,
    /// The seeds of the default run, `"A..B"` without B.
    pub seeds: Seeds,
    /// How many machines there are: 1 to 9, mostly 3 or 5. At first each is a voter.
    pub nodes: u64,
    /// How long everything is left alone at the beginning, in milliseconds of virtual time.
    pub warm_up_ms: u64,
    /// How long things go wrong after that, in milliseconds of virtual time.
    pub chaos_ms: u64,
    /// How many clients there are.
    pub clients: u64,
    /// How many registers there are.
    pub registers: u64,
    /// How often each sort of request is drawn, relative to the others. One that is not named is not
    /// drawn; but one client in three, as the seed draws it, only reads, whatever is named.
    pub workload: BTreeMap<RequestSort, u32>,
    /// How long a client waits between two operations, in microseconds.
    pub think_us: Range,
    /// How often each sort of action is drawn, relative to the others. One that is not named is not
    /// drawn.
    pub chaos: BTreeMap<ChaosSort, u32>,
    /// The time between two actions, in milliseconds.
    pub chaos_every_ms: Range,
    /// Whether each seed picks some of `chaos`, and weights and rates of its own up to those given.
    pub swarm: bool,
    /// The worst that the network does between replicas.
    pub network: NetworkRates,
    /// How long a sync takes, in microseconds.
    pub sync_us: Range,
    /// How long a machine stays down, in milliseconds.
    pub down_ms: Range,
    /// What a power cut may leave; each seed draws one of these.
    pub profiles: Vec<Profile>,
    /// How long the cluster may take to agree after everything was healed, in seconds of virtual time.
    pub heal_s: u64,
    /// How many bytes the disk of a log may have in use at the end, besides those of its entries.
    pub disk_bytes: u64,
    /// How many bytes more for each entry that the log still holds.
    pub disk_bytes_per_entry: u64,
}

impl Default for ClusterScenario {
    fn default() -> Self {
        ClusterScenario {
            name: String::new(),
            claim: "Whatever breaks, a cluster forgets nothing that it acknowledged.".to_owned(),
            seeds: Seeds::default(),
            nodes: 3,
            warm_up_ms: 400,
            chaos_ms: 3_000,
            clients: 3,
            registers: 4,
            workload: RequestSort::ALL.map(|sort| (sort, sort.weight())).into(),
            think_us: Range::new(200, 20_000),
            chaos: ChaosSort::ALL.map(|sort| (sort, sort.weight())).into(),
            chaos_every_ms: Range::new(5, 80),
            swarm: true,
            network: NetworkRates {
                drop_per_mille: 60,
                duplicate_per_mille: 60,
                slow_per_mille: 150,
                delay_us: Range::new(100, 3_000),
            },
            sync_us: Range::new(50, 1_500),
            down_ms: Range::new(1, 400),
            profiles: vec![
                Profile::LinuxOrdered,
                Profile::BtrfsLike,
                Profile::Posix,
                Profile::Alice,
            ],
            heal_s: 20,
            disk_bytes: 512 << 10,
            disk_bytes_per_entry: 2_048,
        }
    }
}

impl ClusterScenario {
    /// Reads a scenario from JSON and checks it.
    ///
    /// # Errors
    /// It is no JSON, a field is unknown or has a wrong type, or a value makes no sense; the text says
    /// which.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let scenario: ClusterScenario =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Whether its values make sense.
    ///
    /// # Errors
    /// They do not; the text says which.
    pub fn check(&self) -> Result<(), String> {
        let network = &self.network;
        let rates = [
            network.drop_per_mille,
            network.duplicate_per_mille,
            network.slow_per_mille,
        ];
        let weighed = self.workload.values().any(|weight| *weight > 0);
        let rules = [
            ((1..=9).contains(&self.nodes), "nodes: there must be 1 to 9"),
            (
                (1..=1_000).contains(&self.registers),
                "registers: there must be 1 to 1000",
            ),
            (self.clients <= 1_000, "clients: there can be 1000"),
            (
                self.warm_up_ms <= MOST_MS,
                "warm_up_ms: it can be 600000, ten minutes",
            ),
            (
                self.chaos_ms <= MOST_MS,
                "chaos_ms: it can be 600000, ten minutes",
            ),
            (
                self.clients == 0 || weighed,
                "workload: clients must have something to ask for",
            ),
            (!self.profiles.is_empty(), "profiles: there must be one"),
            (
                (1..=3_600).contains(&self.heal_s),
                "heal_s: it must be 1 to 3600",
            ),
            (
                rates.iter().all(|rate| *rate <= 1_000),
                "network: rates are chances in 1,000",
            ),
            (
                self.chaos_every_ms.most > 0,
                "chaos_every_ms: time must pass between two actions",
            ),
            (
                self.disk_bytes <= MOST_BYTES,
                "disk_bytes: it can be 1099511627776, 1 TiB",
            ),
            (
                self.disk_bytes_per_entry <= MOST_BYTES >> 20,
                "disk_bytes_per_entry: it can be 1048576, 1 MiB",
            ),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            None => self.check_ranges().and_then(|()| self.check_weights()),
            Some((_, rule)) => Err(rule.to_owned()),
        }
    }

    fn check_ranges(&self) -> Result<(), String> {
        let ranges = [
            ("think_us", self.think_us, MOST_MS * 1_000),
            ("chaos_every_ms", self.chaos_every_ms, MOST_MS),
            ("network.delay_us", self.network.delay_us, MOST_US),
            ("sync_us", self.sync_us, MOST_US),
            ("down_ms", self.down_ms, MOST_MS),
        ];
        let fits = |range: Range, most| range.least <= range.most && range.most <= most;
        match ranges
            .into_iter()
            .find(|(_, range, most)| !fits(*range, *most))
        {
            None => Ok(()),
            Some((field, _, most)) => Err(format!("{field}: it is a range within 0 and {most}")),
        }
    }

    fn check_weights(&self) -> Result<(), String> {
        let too_much = |(_, weight): &(_, &u32)| **weight > MOST_WEIGHT;
        let request = self.workload.iter().find(too_much);
        let request = request.map(|(sort, _)| format!("workload.{}", name_of(sort)));
        let too_much = |(_, weight): &(_, &u32)| **weight > MOST_WEIGHT;
        let action = self.chaos.iter().find(too_much);
        let action = action.map(|(sort, _)| format!("chaos.{}", name_of(sort)));
        match request.or(action) {
            None => Ok(()),
            Some(field) => Err(format!("{field}: a weight can be {MOST_WEIGHT}")),
        }
    }
}

/// How a sort is written in a file.
fn name_of(sort: &impl Serialize) -> String {
    let name = serde_json::to_value(sort).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}

/// A sort of request that clients make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestSort {
    /// Reads a register.
    Read,
    /// Sets a register to a value that nobody else uses.
    Write,
    /// Sets a register if it has the value that the client last saw of it.
    CompareAndSet,
    /// Puts a job into the queue.
    Enqueue,
    /// Takes a job from the queue.
    Dispatch,
    /// Reports that a job is done.
    Ack,
    /// Reports that a job has failed.
    Fail,
    /// Lets the deadlines of jobs come.
    Tick,
    /// Looks at a job.
    JobStatus,
}

impl RequestSort {
    /// All of them.
    pub const ALL: [RequestSort; 9] = [
        RequestSort::Read,
        RequestSort::Write,
        RequestSort::CompareAndSet,
        RequestSort::Enqueue,
        RequestSort::Dispatch,
        RequestSort::Ack,
        RequestSort::Fail,
        RequestSort::Tick,
        RequestSort::JobStatus,
    ];

    /// How often it is drawn by default.
    fn weight(self) -> u32 {
        match self {
            RequestSort::Read | RequestSort::Write => 30,
            RequestSort::CompareAndSet | RequestSort::Enqueue => 10,
            RequestSort::Dispatch => 8,
            RequestSort::Ack => 6,
            RequestSort::Fail | RequestSort::JobStatus => 3,
            RequestSort::Tick => 2,
        }
    }
}

/// Declares the sorts of chaos once: what each is drawn as, how often, and what it is.
macro_rules! chaos_sorts {
    ($($sort:ident $weight:literal $does:literal;)*) => {
        /// A sort of action that chaos is drawn from.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum ChaosSort {
            $(#[doc = $does] $sort,)*
        }

        impl ChaosSort {
            /// All of them.
            pub const ALL: [ChaosSort; [$(ChaosSort::$sort),*].len()] = [$(ChaosSort::$sort),*];

            /// How often it is drawn by default.
            fn weight(self) -> u32 {
                match self { $(ChaosSort::$sort => $weight,)* }
            }
        }
    };
}

chaos_sorts! {
    Kill 4 "a process is killed";
    PowerCut 4 "the power of one machine fails";
    CrashAtCall 10 "a process dies before, inside or after one of its next storage calls";
    PowerCutAll 2 "the power of all machines fails at once";
    Partition 5 "the machines fall apart into two sides, for both directions or one";
    Isolate 4 "one machine is cut off";
    Heal 2 "all partitions end";
    Pause 4 "a process stands still for a while";
    ClockStep 1 "the time of day of a machine jumps";
    ClockDrift 1 "the clock of a machine runs fast or slow";
    FailedSync 2 "a sync fails";
    WriteError 1 "a write, a create, a rename or a sync of a directory fails";
    ReadError 1 "a read fails";
    FullDisk 1 "a disk has no room left for a while";
    Rot 1 "a bit of a durable file turns";
    ChangeVoters 2 "an operator makes other nodes the voters";
    TransferLeadership 2 "an operator has the leadership handed over";
    TakeSnapshot 1 "an operator has a snapshot taken";
    Wipe 1 "a machine loses its disks and comes back as a new node";
    LoseLeader 4 "a leader is cut off, stands still or loses power just after it won, appended, committed or changed the voters";
    Aimed 12 "a machine crashes, is cut off or stands still just after its replica did a certain thing";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_reads_back_as_it_was_written_and_defaults_fill_the_rest() {
        let scenario = ClusterScenario::default();
        let text = serde_json::to_string(&scenario).unwrap();
        assert_eq!(ClusterScenario::from_json(&text).unwrap(), scenario);
        let short = ClusterScenario::from_json(r#"{"nodes": 5, "chaos": {"power-cut": 1}}"#);
        let short = short.unwrap();
        assert_eq!((short.nodes, short.chaos.len(), short.clients), (5, 1, 3));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        let wrong = [
            (r#"{"node": 5}"#, "unknown field"),
            (r#"{"nodes": 0}"#, "nodes"),
            (r#"{"profiles": []}"#, "profiles"),
            (r#"{"workload": {}}"#, "workload"),
            (r#"{"chaos_ms": 600001}"#, "chaos_ms"),
            (r#"{"warm_up_ms": 600001}"#, "warm_up_ms"),
            (r#"{"clients": 1001}"#, "clients"),
            (r#"{"registers": 1001}"#, "registers"),
            (r#"{"heal_s": 3601}"#, "heal_s"),
            (r#"{"network": {"drop_per_mille": 1001}}"#, "network"),
            (r#"{"chaos_every_ms": [0, 0]}"#, "chaos_every_ms"),
            (r#"{"chaos_every_ms": [5, 600001]}"#, "chaos_every_ms"),
            (r#"{"think_us": [0, 18446744073709551615]}"#, "think_us"),
            (r#"{"sync_us": [0, 10000001]}"#, "sync_us"),
            (r#"{"down_ms": [0, 600001]}"#, "down_ms"),
            (
                r#"{"network": {"delay_us": [0, 10000001]}}"#,
                "network.delay_us",
            ),
            (r#"{"chaos": {"kill": 4294967295}}"#, "chaos.kill"),
            (
                r#"{"workload": {"job-status": 1000001}}"#,
                "workload.job-status",
            ),
            (r#"{"disk_bytes": 18446744073709551615}"#, "disk_bytes"),
        ];
        for (text, reason) in wrong {
            let error = ClusterScenario::from_json(text).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
