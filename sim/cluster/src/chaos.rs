//! What goes wrong in a run, as data: a list of actions, each at a moment of virtual time.
//!
//! Machines are numbered from 1 and stay what they are; the node that runs on one may change, when its
//! disks are lost and it comes back as a new node. An action that finds nothing to do, because its
//! machine is down say, is skipped: so any action can be left out of a list, and the rest still means
//! what it meant.

use std::collections::BTreeSet;

use beaver_disk::{CallEffect, Choice, Fault, Moment, Noticed};
use beaver_sim::scenario::Range;
use serde::{Deserialize, Serialize};

/// One thing that goes wrong, or that an operator does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChaosAction {
    /// When, in microseconds of virtual time since the run began.
    pub at_us: u64,
    /// What goes wrong, or what an operator does.
    pub what: ChaosKind,
}

/// What goes wrong, or what an operator does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "snake_case",
    deny_unknown_fields
)]
pub enum ChaosKind {
    /// Something happens to one machine.
    Strike {
        /// The machine.
        machine: u64,
        /// What happens to it.
        strike: MachineStrike,
    },
    /// Something happens to a machine soon after its replica did a certain thing, the next time that it
    /// does it.
    Aimed {
        /// What the replica must do.
        when: Trigger,
        /// On which machine; none: on any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        machine: Option<u64>,
        /// How long after that, in microseconds.
        after_us: u64,
        /// What happens to the machine on which it did it.
        strike: MachineStrike,
    },
    /// The power of all machines fails at once.
    PowerCutAll {
        /// What is left on the disks.
        survivors: CutSurvivors,
        /// How long the first machine stays down, in milliseconds; each next one as long again.
        down_ms: u64,
    },
    /// Messages between these machines and the others do not arrive.
    Partition {
        /// The machines of one side.
        machines: BTreeSet<u64>,
        /// In which direction.
        direction: Direction,
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// All partitions end.
    Heal,
    /// From now on the network loses, repeats and delays this much.
    Network(NetworkRates),
    /// An operator makes the nodes of these machines the voters.
    ChangeVoters {
        /// The machines.
        machines: BTreeSet<u64>,
    },
    /// An operator has the leadership handed to the node of this machine.
    TransferLeadership {
        /// The machine.
        machine: u64,
    },
}

/// What happens to one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "snake_case",
    deny_unknown_fields
)]
pub enum MachineStrike {
    /// Its process dies at once.
    Crash {
        /// How it dies.
        death: Death,
        /// How long it stays down, in milliseconds.
        down_ms: u64,
    },
    /// Its process dies at one of its next storage calls.
    CrashAtCall {
        /// On which disk.
        disk: DiskRole,
        /// At which call from now on, counted from 1.
        call: u64,
        /// When in the call.
        moment: Moment,
        /// How it dies.
        death: Death,
        /// How long it stays down, in milliseconds.
        down_ms: u64,
    },
    /// Messages between it and all others do not arrive.
    Isolate {
        /// In which direction.
        direction: Direction,
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// Its process stands still, and then goes on where it stood.
    Pause {
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// It stands still as a whole: its process, and meanwhile what other machines send to it is lost.
    Suspend {
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// Its time of day jumps.
    ClockStep {
        /// By how much, in milliseconds.
        ms: i64,
    },
    /// Its clock runs fast, or slow, until its process ends.
    ClockDrift {
        /// How many microseconds it gains in a second.
        ppm: i64,
    },
    /// One of its next storage calls fails.
    FailCall {
        /// On which disk.
        disk: DiskRole,
        /// Which calls are counted.
        op: FailedOp,
        /// Which of these calls from now on fails, counted from 1.
        call: u64,
        /// What goes wrong in it.
        fault: Fault,
    },
    /// A disk has only a little room left.
    FullDisk {
        /// Which disk.
        disk: DiskRole,
        /// How many bytes more it takes.
        room: u64,
        /// When a program learns of it.
        noticed: Noticed,
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// Its process is killed, and while it is down a bit in the first half of a file turns. Done only
    /// while enough of the others have all that was acknowledged. If the node does not start any more
    /// the machine gets empty disks, and a new node.
    Rot {
        /// On which disk.
        disk: DiskRole,
        /// Which file, in order, counted round.
        file: u64,
        /// Which byte, counted round.
        spot: u64,
        /// Which bit of it, 0 to 7.
        bit: u8,
        /// How long it stays down, in milliseconds.
        down_ms: u64,
    },
    /// Its replica takes a snapshot.
    TakeSnapshot,
    /// Its process dies and its disks are lost: it gets empty ones, and a new node. Done only while
    /// enough of the others have all that was acknowledged.
    Wipe {
        /// How long it stays down, in milliseconds.
        down_ms: u64,
    },
}

/// How a process dies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Death {
    /// It is killed; of the storage call that it is in this much is done.
    Kill(CallEffect),
    /// The power of its machine fails.
    PowerCut(CutSurvivors),
}

/// What a power cut leaves of what was not synced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "snake_case",
    deny_unknown_fields
)]
pub enum CutSurvivors {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// Some of it.
    Some {
        /// Chance in 1,000 that a pending record survives.
        per_mille: u32,
        /// Which records these are: a fixed function of this number and the place of the record.
        salt: u64,
        /// Whether one page may be torn.
        torn: bool,
    },
    /// Exactly this, as far as it is legal: on the disk of the log, and on that of the snapshots.
    Exact(Box<[Choice; 2]>),
}

/// Which disk of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskRole {
    /// That of the log.
    Log,
    /// That of the snapshots.
    Snapshots,
}

impl DiskRole {
    /// Its place among the disks of a machine.
    pub(crate) fn place(self) -> usize {
        match self {
            DiskRole::Log => 0,
            DiskRole::Snapshots => 1,
        }
    }
}

/// In which direction messages do not get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// In both: nothing arrives either way.
    Both,
    /// What the side sends does not arrive.
    Out,
    /// What is sent to the side does not arrive.
    In,
}

/// Which storage calls are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailedOp {
    /// All that the fault fits.
    Any,
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Syncs of a file.
    Sync,
    /// Syncs of the directory.
    SyncDir,
    /// Creates.
    Create,
    /// Renames.
    Rename,
}

/// What a replica does that an action waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// It saved its term and vote.
    SavesVote,
    /// It appended an entry, which need not be durable yet.
    Appends,
    /// Entries of it got durable.
    Flushes,
    /// It truncated its log.
    Truncates,
    /// It purged its log.
    Purges,
    /// It built a snapshot.
    BuildsSnapshot,
    /// It installed a snapshot of another one.
    InstallsSnapshot,
    /// It appended a change of the membership.
    ChangesMembership,
    /// It became the leader.
    BecomesLeader,
    /// It learned that an entry is committed.
    Commits,
    /// It started.
    Starts,
}

impl Trigger {
    /// All of them.
    pub const ALL: [Trigger; 11] = [
        Trigger::SavesVote,
        Trigger::Appends,
        Trigger::Flushes,
        Trigger::Truncates,
        Trigger::Purges,
        Trigger::BuildsSnapshot,
        Trigger::InstallsSnapshot,
        Trigger::ChangesMembership,
        Trigger::BecomesLeader,
        Trigger::Commits,
        Trigger::Starts,
    ];
}

/// What the network does to messages. Chances are in 1,000, for each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkRates {
    /// It is lost.
    pub drop_per_mille: u32,
    /// It arrives twice.
    pub duplicate_per_mille: u32,
    /// It takes ten times as long, so that later ones come before it; one of eight such messages takes
    /// two hundred times as long.
    pub slow_per_mille: u32,
    /// How long it takes, in microseconds.
    pub delay_us: Range,
}

impl NetworkRates {
    /// A network that loses nothing.
    pub const CALM: NetworkRates = NetworkRates {
        drop_per_mille: 0,
        duplicate_per_mille: 0,
        slow_per_mille: 0,
        delay_us: Range::new(100, 2_000),
    };
}

impl Default for NetworkRates {
    fn default() -> Self {
        NetworkRates::CALM
    }
}
