//! The bugs, by number: what each is, who shipped it, how it is planted, and where it is looked
//! for.

use super::careless::Careless as C;
use super::left_out::ProtocolStep as L;
use super::plain::{PlainBug as B, PlainStore};
use super::recovering::library;
use beaver_sim::invariant::Invariant;
use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_script_of};
use beaver_sim::scenario::Scenario;
use beaver_sim::subject::AnySubject;

/// How a bug is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// The library on a disk that is used without care.
    Careless(C),
    /// The library without a step of its protocol.
    LeftOut(L),
    /// The plain store with a bug.
    Plain(B),
}

impl Plant {
    /// The program under test with the bug.
    #[must_use]
    pub fn subject(self) -> AnySubject {
        match self {
            Plant::Careless(careless) => careless.subject(),
            Plant::LeftOut(step) => step.left_out(),
            Plant::Plain(bug) => PlainStore::with(bug),
        }
    }

    /// The same program without the bug.
    #[must_use]
    pub fn control(self) -> AnySubject {
        match self {
            Plant::Careless(_) | Plant::LeftOut(_) => library(),
            Plant::Plain(_) => PlainStore::sound(),
        }
    }
}

/// A bug that is kept in the zoo.
#[derive(Clone, Copy, Debug)]
pub struct Exhibit {
    /// Its number: `B01` to `B42`, and `S01` on for steps of the protocol left out.
    pub id: &'static str,
    /// What it is.
    pub name: &'static str,
    /// Where it was seen.
    pub source: &'static str,
    /// How it is planted.
    pub plant: Plant,
    /// The scenario in which it is looked for.
    pub habitat: &'static str,
    /// The invariants that catch it: first the one that its witness breaks, then those that show the
    /// same loss in another history. Any other one means that it was caught for another reason.
    pub invariants: &'static [Invariant],
    /// A history in which it shows, as a scenario file: without the bug it holds.
    witness: &'static str,
}

impl Exhibit {
    /// The invariant that its witness breaks: the reason for which it is kept here.
    #[must_use]
    pub fn reason(&self) -> Invariant {
        self.invariants[0]
    }

    /// A history, written by hand, in which the bug shows and without it nothing.
    #[must_use]
    pub fn witness(&self) -> Scenario {
        let witness: Scenario = serde_json::from_str(self.witness)
            .expect("the file is a scenario; a test reads all of them");
        Scenario {
            name: format!("zoo/{}", self.id),
            ..witness
        }
    }

    /// The invariant that the witness breaks with the bug, and whether it holds without.
    #[must_use]
    pub fn question_witness(&self) -> Testimony {
        let witness = self.witness();
        let run = |subject| run_script_of(&subject, &witness, Keep::default()).outcome;
        let with = run(self.plant.subject());
        Testimony {
            broken: with.failure().map(|violation| violation.invariant),
            holds_without: run(self.plant.control()) == Outcome::Held,
        }
    }
}

/// What a witness says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Testimony {
    /// The invariant that is broken with the bug.
    pub broken: Option<Invariant>,
    /// Whether everything holds without it.
    pub holds_without: bool,
}

/// Declares the exhibits: id, plant, habitat, invariants, name, source.
macro_rules! exhibits {
    ($($id:literal $plant:ident::$bug:ident($kind:ident) $habitat:literal [$($invariant:ident),*] $name:literal $source:literal;)*) => {
        /// All bugs.
        pub const EXHIBITS: &[Exhibit] = &[$(Exhibit {
            id: $id,
            name: $name,
            source: $source,
            plant: Plant::$kind($plant::$bug),
            habitat: $habitat,
            invariants: &[$(Invariant::$invariant),*],
            witness: include_str!(concat!("../../../scenarios/zoo/", $id, ".json")),
        },)*];
    };
}

exhibits! {
    "B01" B::EnqueueWithoutPayload(Plain) "power-cuts" [NoPhantom, Honesty] "enqueue record without payload" "raft-recovery `Event`, `replayWAL`";
    "B02" B::ReplayIgnoresSnapshot(Plain) "checkpoints" [Honesty] "replay ignores last_seq" "raft-recovery `Replay`; hashicorp/raft #142";
    "B03" B::FilterWithoutEpoch(Plain) "checkpoints" [Positions, SnapshotEquivalence, Honesty] "seq reset confuses last_seq" "Typhon #712; vibesql #5770; matrixone #12843";
    "B04" B::SeqRestartsAtOpen(Plain) "power-cuts" [Positions, Honesty] "seq restarts at open" "raft-recovery `GetLastEvent`; Typhon #712";
    "B05a" B::SeqBarelyChecked(Plain) "rot" [Durability, Honesty] "checksum covers the seq as a character" "raft-recovery `CalculateChecksum`; pogreb #30";
    "B05b" B::PayloadNotChecked(Plain) "rot" [NoPhantom, Honesty] "checksum covers neither timestamp nor payload" "raft-recovery `CalculateChecksum`; raft-engine #319";
    "B06" B::TornTailRefused(Plain) "power-cuts" [Honesty] "torn tail refuses start" "etcd #5230, #15068; ra #283; mysticeti #219; ALICE (OSDI'14)";
    "B07" C::NeverCuts(Careless) "failing-writes" [NoPhantom] "append after torn tail" "cqlite #1390; dittofs #2230; amelie #17";
    "B08" C::StaleOffset(Careless) "failing-writes" [Honesty, Durability] "append at a stale offset" "raft-recovery `Rotate`; raft-engine #200, #245; nsq #214";
    "B09" B::OvertakenSeq(Plain) "callers" [Honesty] "seq order differs from file order" "raft-recovery `Append`";
    "B10" B::SeqsCrossRotation(Plain) "callers" [Honesty] "old seqs written into the new file" "raft-recovery `Rotate`; hashicorp/raft-wal 68f487d";
    "B11" B::CopyBeforeRotation(Plain) "callers" [Honesty] "events between copy and rotate" "raft-recovery `takeSnapshot`; laurus #876; influxdb #25277";
    "B12" B::PositionAfterCopy(Plain) "callers" [SnapshotEquivalence, Honesty] "last_seq ahead of the copied state" "raft-recovery `EnqueueJobs`; etcd #13766, #13854";
    "B13" C::SnapshotNameNotSynced(Careless) "checkpoints-without-fall-back" [Honesty] "snapshot rename without sync_dir" "hashicorp/raft #229; consul #3362; ClickHouse #111339; sled #1229; redis #10737";
    "B14" C::SegmentNameNotSynced(Careless) "power-cuts" [Durability] "new log file without sync_dir" "etcd #6368; KAFKA-3968; WiredTiger #2064; pebble #125; badger d301dc43";
    "B15" B::FailedRotationCloses(Plain) "failing-checkpoints" [Availability] "failed rotation leaves the log closed" "raft-recovery `Rotate`; t4 #124";
    "B16" C::NeverRemoves(Careless) "checkpoints" [Hygiene] "rotated files never removed" "beanstalkd #570, #573; prometheus #4695";
    "B17" B::SyncFailureGoesOn(Plain) "failing-syncs" [Poison, NoPhantom, Honesty] "log continues after a failed sync" "turso #2091; LevelDB 1.15; raft-engine #131; cockroach #37102; yugabyte-db #33816";
    "B18" B::HalfBatchStays(Plain) "failing-writes" [NoPhantom, Honesty] "half-written batch kept" "proton #1229; rocksdb-js #751; etcd #2819";
    "B19a" B::LoggedBeforeChecked(Plain) "late-reports" [Positions, Honesty] "report logged before it is validated" "raft-recovery `handleResult`; ArcadeDB #4936";
    "B19b" B::RefusedEnqueueLogged(Plain) "late-reports" [Positions, Honesty] "refused enqueue comes back" "raft-recovery `EnqueueJobs`; ArcadeDB #4936";
    "B20" B::DispatchIgnoresError(Plain) "failing-writes" [Durability, Poison, Positions] "dispatch goes on after a failed append" "raft-recovery `dispatchLoop`, `Poll`";
    "B21" B::AttemptCountedTwice(Plain) "late-reports" [JobRules] "attempt counted twice live, once in replay" "raft-recovery `handleResult`; azkaban #332; apalis #554";
    "B22" B::DeathNotLogged(Plain) "late-reports" [NoPhantom] "dead job logged as timeout" "raft-recovery `timeoutLoop`";
    "B23" B::ReplayLeavesReady(Plain) "late-reports" [State, SnapshotEquivalence] "replayed dispatch leaves the job in the ready queue" "raft-recovery `MarkInFlight`, `MarkDead`";
    "B24" B::RequeueNotLogged(Plain) "late-reports" [Positions] "recovery requeue is not logged" "raft-recovery `Start`; weaviate #1716";
    "B25" B::OrderLostInSnapshot(Plain) "checkpoints" [SnapshotEquivalence] "queue order lost in the snapshot" "raft-recovery `Restore`; OrderBook-rs #192; rabbitmq-server #14100; beanstalkd #668";
    "B26" B::ClockInReplay(Plain) "late-reports" [State, SnapshotEquivalence] "clock read during replay" "raft-recovery `replayWAL`; copycat #40; TemporalStore #1759";
    "B27" B::CompletedForgotten(Plain) "checkpoints" [SnapshotEquivalence] "completed ids dropped from the snapshot" "raft-recovery `PartialSnapshot`; akka-ddd #71";
    "B28" B::CloseStrandsCallers(Plain) "callers" [Progress] "close strands waiting callers" "raft-recovery `Close`; oxia #266; matrixone #28013; AutoMQ #3465";
    "B29" B::LockHeldInReplay(Plain) "late-reports" [Progress] "lock held over the replay callback" "raft-recovery `Replay`; raft-engine #63";
    "B30" B::NoContinuity(Plain) "rot" [Durability] "no continuity check" "RocksDB #7701; ra #581; memgraph #4528";
    "B31" B::SnapshotNotChecked(Plain) "rot" [SnapshotEquivalence] "snapshot without checksum" "raft-recovery `Load`";
    "B32" B::SnapshotMovedAway(Plain) "checkpoints" [Honesty, Availability, State] "live snapshot moved away first" "raft-recovery `WriteWithBackup`; verdi #39; ZOOKEEPER-2325; NATS #7676";
    "B33a" B::ChecksumBeforeEncoding(Plain) "power-cuts" [Durability, Honesty] "checksum taken before the encoder changes the value" "raft-recovery; tidwall/wal #1";
    "B33b" B::NumbersAsFloats(Plain) "power-cuts" [NoPhantom] "numbers pass through a float" "raft-recovery";
    "B34" B::AnswerFromBuffer(Plain) "power-cuts" [Durability, Honesty] "acknowledged from the buffer" "raft-recovery before ff57c51; etcd #14370; NATS #7564; tikv #994";
    "B35" C::RenamedBeforeSync(Careless) "checkpoints-without-fall-back" [Honesty, Decided] "snapshot renamed before its data is synced" "zeek #1817; WiredTiger #1389; ALICE (OSDI'14)";
    "B36" B::RepairRenumbers(Plain) "power-cuts" [NoPhantom] "repair renumbers" "raft-recovery `RepairWAL`";
    "B37" B::UnknownTypeIgnored(Plain) "rot" [Honesty] "unknown event type ignored" "raft-recovery `replayWAL`";
    "B38" C::SyncedNowAndThen(Careless) "power-cuts" [Durability, Decided] "no fsync before the answer" "NATS #7564; tikv #994; SpacetimeDB #4886; VelesDB #898";
    "B39" C::SyncErrorSwallowed(Careless) "failing-syncs" [Poison, Decided] "sync error swallowed" "redis #8111, #8347, #8419; Rebello et al., ATC'20";
    "B40" B::PrunedTooEarly(Plain) "checkpoints" [Honesty] "log dropped before the snapshot is durable" "ArcadeDB #4830; VelesDB #898; orientdb #10084; turso #5010";
    "B41" B::FirstBadRecordEnds(Plain) "rot" [Honesty] "bad record in the middle ends the log" "RocksDB #7701; NATS #7549; memgraph #4528; Alagappan et al., FAST'18";
    "B42" B::RepairThrowsAway(Plain) "power-cuts" [Durability, Decided] "repair throws the file away" "frostdb #313; prometheus #13152";
    "S01" L::UndoOfRotate(LeftOut) "failing-rotates" [Honesty] "failed rotate is not undone" "a model of the protocol without it";
    "S02" L::DirectorySyncOfUndo(LeftOut) "failing-rotates" [Honesty] "undo of a failed rotate is not synced" "a model of the protocol without it";
    "S03" L::MarkersInRewrite(LeftOut) "markers" [Honesty, Idempotence] "rewrite leaves out markers" "a model of the protocol without it";
    "S04" L::VerifiedBuffer(LeftOut) "killed-then-cut" [Durability, Decided, Positions, Honesty] "rewrite from a second read" "a model of the protocol without it";
    "S05" L::Rewrite(LeftOut) "killed-then-cut" [Decided, Positions, Honesty] "last batch is not rewritten" "a model of the protocol without it";
    "S06" L::BothCuts(LeftOut) "failing-page-writes" [NoPhantom, Decided, Idempotence] "nothing is cut by set_len" "a model of the protocol without it";
    "S07" L::IdleSync(LeftOut) "killed-then-cut" [Decided] "no sync where nothing was changed" "a model of the protocol without it";
    "S08" B::ContiguityEverywhere(Plain) "interrupted-prunes" [Honesty] "contiguity below the snapshot too" "a model of the protocol without it";
    "S09" B::GapIsCorruption(Plain) "power-cuts" [Honesty] "a gap is corruption" "a model of the protocol without it";
    "S10" L::SecondRead(LeftOut) "wrong-reads" [Durability] "no second read" "a model of the protocol without it";
    "S11" B::ProofAtLinesOnly(Plain) "weak-spots" [Honesty] "proof behind newlines only" "a model of the protocol without it";
    "S12a" B::NoMarkerProof(Plain) "weak-spots" [Honesty] "a marker is no proof" "a model of the protocol without it";
    "S12b" B::NoFirstOfBatchProof(Plain) "weak-spots" [Honesty] "the first event of a batch is no proof" "a model of the protocol without it";
}
