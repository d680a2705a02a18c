//! The bugs, by number: what each is, who shipped it, how it is injected, and where it is looked
//! for.

use super::interposed::library;
use super::left_out::ProtocolStep;
use super::misuse::DiskMisuse;
use super::plain::{PlainBug, PlainStore};
use super::shared_front::{SharedFrontBug, shared_library};
use super::wrapped::LibraryMisuse;
use beaver_sim::invariant::Invariant;
use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_script};
use beaver_sim::scenario::Scenario;
use beaver_sim::subject::AnySubject;

/// How a bug is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutation {
    /// The library on a disk that is misused.
    DiskMisuse(DiskMisuse),
    /// The library, used wrongly.
    LibraryMisuse(LibraryMisuse),
    /// The library without a step of its protocol.
    ProtocolStep(ProtocolStep),
    /// The plain store with a bug.
    PlainBug(PlainBug),
    /// The library through its front for many threads, with a bug.
    SharedFrontBug(SharedFrontBug),
}

/// A bug that is kept in the zoo.
#[derive(Clone, Copy, Debug)]
pub struct Bug {
    /// Its number: `B01` to `B42`, `Q01` on for rules of the queue, `S01` on for steps of the protocol
    /// left out, and `U01` on for what an earlier version of the checker did not see.
    pub id: &'static str,
    /// What it is.
    pub name: &'static str,
    /// Where it was seen.
    pub source: &'static str,
    /// The name of the scenario in which it is looked for.
    pub scenario: &'static str,
    /// The invariants that catch it: first the one that its witness breaks, then those that show the
    /// same loss in another history. Any other one means that it was caught for another reason.
    pub invariants: &'static [Invariant],
    /// The rules of an explanation that say what the bug leaves out, or does; none where no storage call shows it. Whatever
    /// else an explanation blames is wrong.
    pub named_by: &'static [&'static str],
    mutation: Mutation,
    /// A history in which it shows, as a scenario file: without the bug it holds.
    witness: &'static str,
}

/// What a witness shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WitnessResult {
    /// The invariant that is broken with the bug.
    pub broken: Option<Invariant>,
    /// Whether everything holds without it.
    pub holds_without: bool,
}

impl Bug {
    /// The program with the bug.
    #[must_use]
    pub fn mutant(&self) -> AnySubject {
        match self.mutation {
            Mutation::DiskMisuse(misuse) => misuse.mutant(),
            Mutation::LibraryMisuse(misuse) => misuse.mutant(),
            Mutation::ProtocolStep(step) => step.left_out(),
            Mutation::PlainBug(bug) => PlainStore::with(bug),
            Mutation::SharedFrontBug(bug) => bug.mutant(),
        }
    }

    /// The same program without the bug.
    #[must_use]
    pub fn original(&self) -> AnySubject {
        match self.mutation {
            Mutation::DiskMisuse(_) | Mutation::LibraryMisuse(_) | Mutation::ProtocolStep(_) => {
                library()
            }
            Mutation::PlainBug(_) => PlainStore::sound(),
            Mutation::SharedFrontBug(_) => shared_library(),
        }
    }

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
    pub fn run_witness(&self) -> WitnessResult {
        let witness = self.witness();
        let run = |subject| run_script(&subject, &witness, Keep::default()).outcome;
        let with = run(self.mutant());
        WitnessResult {
            broken: with.failure().map(|violation| violation.invariant),
            holds_without: run(self.original()) == Outcome::Held,
        }
    }
}

/// The source of a step that no other log was seen to leave out.
const MODEL: &str = "a model of the protocol without it";

/// The source of a rule of the queue that is not kept.
const QUEUE: &str = "a rule of the queue left out";

/// The source of a bug that was planted because no run showed its kind.
const UNSEEN: &str = "planted where no run had looked";

/// Declares the bugs: id, mutation, scenario, invariants, name, source, and the rules of explanations that name it, if any.
macro_rules! bugs {
    ($($id:literal $kind:ident::$mutation:ident $scenario:literal [$($invariant:ident),*] $name:literal $source:expr $(, [$($word:literal),*])?;)*) => {
        /// All bugs.
        pub const BUGS: &[Bug] = &[$(Bug {
            id: $id,
            name: $name,
            source: $source,
            scenario: $scenario,
            invariants: &[$(Invariant::$invariant),*],
            named_by: &[$($($word),*)?],
            mutation: Mutation::$kind($kind::$mutation),
            witness: include_str!(concat!("../histories/", $id, ".json")),
        },)*];
    };
}

bugs! {
    "B01" PlainBug::EnqueueWithoutPayload "power-cuts" [NoPhantom, Honesty] "enqueue record without payload" "raft-recovery `Event`, `replayWAL`";
    "B02" PlainBug::ReplayIgnoresSnapshot "checkpoints" [Honesty] "replay ignores last_seq" "raft-recovery `Replay`; hashicorp/raft #142";
    "B03" PlainBug::FilterWithoutEpoch "checkpoints" [Positions, SnapshotEquivalence, Honesty] "seq reset confuses last_seq" "Typhon #712; vibesql #5770; matrixone #12843";
    "B04" PlainBug::SeqRestartsAtOpen "power-cuts" [Positions, Honesty] "seq restarts at open" "raft-recovery `GetLastEvent`; Typhon #712";
    "B05a" PlainBug::SeqBarelyChecked "rot" [Durability, Honesty] "checksum covers the seq as a character" "raft-recovery `CalculateChecksum`; pogreb #30", ["damage-believed"];
    "B05b" PlainBug::PayloadNotChecked "rot" [NoPhantom, Honesty] "checksum covers neither timestamp nor payload" "raft-recovery `CalculateChecksum`; raft-engine #319", ["damage-believed"];
    "B06" PlainBug::TornTailRefused "power-cuts" [Honesty] "torn tail refuses start" "etcd #5230, #15068; ra #283; mysticeti #219; ALICE (OSDI'14)";
    "B07" DiskMisuse::NeverCuts "failing-writes" [NoPhantom] "append after torn tail" "cqlite #1390; dittofs #2230; amelie #17", ["failed-write-stays", "end-not-cut"];
    "B08" DiskMisuse::StaleOffset "failing-writes" [Honesty, Durability] "append at a stale offset" "raft-recovery `Rotate`; raft-engine #200, #245; nsq #214", ["hole"];
    "B09" PlainBug::OvertakenSeq "callers" [Honesty] "seq order differs from file order" "raft-recovery `Append`";
    "B10" PlainBug::SeqsCrossRotation "callers" [Honesty] "old seqs written into the new file" "raft-recovery `Rotate`; hashicorp/raft-wal 68f487d";
    "B11" PlainBug::CopyBeforeRotation "callers" [Honesty] "events between copy and rotate" "raft-recovery `takeSnapshot`; laurus #876; influxdb #25277";
    "B12" PlainBug::PositionAfterCopy "callers" [SnapshotEquivalence, Honesty] "last_seq ahead of the copied state" "raft-recovery `EnqueueJobs`; etcd #13766, #13854";
    "B13" DiskMisuse::SnapshotNameNotSynced "checkpoints-without-fall-back" [Honesty] "snapshot rename without sync_dir" "hashicorp/raft #229; consul #3362; ClickHouse #111339; sled #1229; redis #10737", ["removed-too-early", "removed-uncovered", "name-not-synced"];
    "B14" DiskMisuse::SegmentNameNotSynced "power-cuts" [Durability] "new log file without sync_dir" "etcd #6368; KAFKA-3968; WiredTiger #2064; pebble #125; badger d301dc43", ["name-not-synced"];
    "B15" PlainBug::FailedRotationCloses "failing-checkpoints" [Availability] "failed rotation leaves the log closed" "raft-recovery `Rotate`; t4 #124";
    "B16" DiskMisuse::NeverRemoves "checkpoints" [Hygiene] "rotated files never removed" "beanstalkd #570, #573; prometheus #4695", ["nothing-removed"];
    "B17" PlainBug::SyncFailureGoesOn "failing-syncs" [Poison, NoPhantom, Honesty] "log continues after a failed sync" "turso #2091; LevelDB 1.15; raft-engine #131; cockroach #37102; yugabyte-db #33816", ["sync-failed"];
    "B18" PlainBug::HalfBatchStays "failing-writes" [NoPhantom, Honesty] "half-written batch kept" "proton #1229; rocksdb-js #751; etcd #2819", ["failed-write-stays", "hole"];
    "B19a" PlainBug::LoggedBeforeChecked "late-reports" [JobRules, Positions, Honesty] "report logged before it is validated" "raft-recovery `handleResult`; ArcadeDB #4936";
    "B19b" PlainBug::RefusedEnqueueLogged "late-reports" [JobRules, Positions, Honesty] "refused enqueue comes back" "raft-recovery `EnqueueJobs`; ArcadeDB #4936";
    "B20" PlainBug::DispatchIgnoresError "failing-writes" [Durability, Poison, Positions] "dispatch goes on after a failed append" "raft-recovery `dispatchLoop`, `Poll`", ["never-written", "error-swallowed"];
    "B21" PlainBug::AttemptCountedTwice "late-reports" [JobRules] "attempt counted twice live, once in replay" "raft-recovery `handleResult`; azkaban #332; apalis #554";
    "B22" PlainBug::DeathNotLogged "late-reports" [NoPhantom] "dead job logged as timeout" "raft-recovery `timeoutLoop`";
    "B23" PlainBug::ReplayLeavesReady "late-reports" [State, SnapshotEquivalence] "replayed dispatch leaves the job in the ready queue" "raft-recovery `MarkInFlight`, `MarkDead`";
    "B24" PlainBug::RequeueNotLogged "late-reports" [Positions] "recovery requeue is not logged" "raft-recovery `Start`; weaviate #1716";
    "B25" PlainBug::OrderLostInSnapshot "checkpoints" [SnapshotEquivalence] "queue order lost in the snapshot" "raft-recovery `Restore`; OrderBook-rs #192; rabbitmq-server #14100; beanstalkd #668";
    "B26" PlainBug::ClockInReplay "late-reports" [State, SnapshotEquivalence] "clock read during replay" "raft-recovery `replayWAL`; copycat #40; TemporalStore #1759";
    "B27" PlainBug::CompletedForgotten "checkpoints" [SnapshotEquivalence] "completed ids dropped from the snapshot" "raft-recovery `PartialSnapshot`; akka-ddd #71";
    "B28" PlainBug::CloseStrandsCallers "callers" [Progress] "close strands waiting callers" "raft-recovery `Close`; oxia #266; matrixone #28013; AutoMQ #3465";
    "B29" PlainBug::LockHeldInReplay "late-reports" [Progress] "lock held over the replay callback" "raft-recovery `Replay`; raft-engine #63";
    "B30" PlainBug::NoContinuity "rot" [Durability] "no continuity check" "RocksDB #7701; ra #581; memgraph #4528", ["damage-believed"];
    "B31" PlainBug::SnapshotNotChecked "rot" [SnapshotEquivalence] "snapshot without checksum" "raft-recovery `Load`", ["damage-believed"];
    "B32" PlainBug::SnapshotMovedAway "checkpoints" [Honesty, Availability, State] "live snapshot moved away first" "raft-recovery `WriteWithBackup`; verdi #39; ZOOKEEPER-2325; NATS #7676", ["removed-uncovered"];
    "B33a" PlainBug::ChecksumBeforeEncoding "power-cuts" [Durability, Honesty] "checksum taken before the encoder changes the value" "raft-recovery; tidwall/wal #1";
    "B33b" PlainBug::NumbersAsFloats "power-cuts" [NoPhantom] "numbers pass through a float" "raft-recovery";
    "B34" PlainBug::AnswerFromBuffer "power-cuts" [Durability, Honesty] "acknowledged from the buffer" "raft-recovery before ff57c51; etcd #14370; NATS #7564; tikv #994", ["never-written"];
    "B35" DiskMisuse::RenamedBeforeSync "checkpoints-without-fall-back" [Honesty, Decided] "snapshot renamed before its data is synced" "zeek #1817; WiredTiger #1389; ALICE (OSDI'14)", ["renamed-before-sync", "named-before-sync"];
    "B36" PlainBug::RepairRenumbers "power-cuts" [NoPhantom] "repair renumbers" "raft-recovery `RepairWAL`";
    "B37" PlainBug::UnknownTypeIgnored "rot" [Honesty] "unknown event type ignored" "raft-recovery `replayWAL`", ["damage-believed"];
    "B38" DiskMisuse::SyncedNowAndThen "power-cuts" [Durability, Decided] "no fsync before the answer" "NATS #7564; tikv #994; SpacetimeDB #4886; VelesDB #898", ["not-synced", "cache-believed"];
    "B39" DiskMisuse::SyncErrorSwallowed "failing-syncs" [Poison, Decided] "sync error swallowed" "redis #8111, #8347, #8419; Rebello et al., ATC'20", ["sync-failed"];
    "B40" PlainBug::PrunedTooEarly "checkpoints" [Honesty] "log dropped before the snapshot is durable" "ArcadeDB #4830; VelesDB #898; orientdb #10084; turso #5010", ["removed-uncovered"];
    "B41" PlainBug::FirstBadRecordEnds "rot" [Honesty] "bad record in the middle ends the log" "RocksDB #7701; NATS #7549; memgraph #4528; Alagappan et al., FAST'18", ["damage-believed"];
    "B42" PlainBug::RepairThrowsAway "power-cuts" [Durability, Decided] "repair throws the file away" "frostdb #313; prometheus #13152";
    "Q01" PlainBug::LateAckAccepted "attempts" [JobRules] "late ack completes the attempt of another worker" QUEUE;
    "Q02" PlainBug::LateFailAccepted "attempts" [JobRules] "late failure ends the attempt of another worker" QUEUE;
    "Q03" PlainBug::HeartbeatNotLogged "attempts" [Positions] "heartbeat is not logged" QUEUE;
    "Q04" PlainBug::BackoffForgotten "attempts" [State, SnapshotEquivalence] "delay before a retry forgotten at recovery" QUEUE;
    "Q05" PlainBug::RevivedWithoutPayload "attempts" [State, SnapshotEquivalence] "revived job without its payload" QUEUE;
    "Q06" PlainBug::RevivedWithoutAttempts "attempts" [JobRules] "revived job without attempts" QUEUE;
    "Q07" PlainBug::WrongDeadlineKept "attempts" [Positions, JobRules] "deadline of a clock that was set back" QUEUE;
    "S01" ProtocolStep::UndoOfRotate "failing-rotates" [Honesty] "failed rotate is not undone" MODEL, ["rename-not-undone"];
    "S02" ProtocolStep::DirectorySyncOfUndo "failing-rotates" [Honesty] "undo of a failed rotate is not synced" MODEL, ["rename-not-undone", "removed-name-back"];
    "S03" ProtocolStep::MarkersInRewrite "markers" [Honesty, Idempotence] "rewrite leaves out markers" MODEL;
    "S04" ProtocolStep::VerifiedBuffer "killed-then-cut" [Durability, Decided, Positions, Honesty] "rewrite from a second read" MODEL, ["damage-believed"];
    "S05" ProtocolStep::Rewrite "killed-then-cut" [Decided, Positions, Honesty] "last batch is not rewritten" MODEL, ["cache-believed"];
    "S06" ProtocolStep::BothCuts "failing-page-writes" [NoPhantom, Decided, Idempotence] "nothing is cut by set_len" MODEL, ["failed-write-stays", "end-not-cut"];
    "S07" ProtocolStep::IdleSync "killed-then-cut" [Decided] "no sync where nothing was changed" MODEL, ["cache-believed"];
    "S08" PlainBug::ContiguityEverywhere "interrupted-prunes" [Honesty] "contiguity below the snapshot too" MODEL;
    "S09" PlainBug::GapIsCorruption "power-cuts" [Honesty] "a gap is corruption" MODEL;
    "S10" ProtocolStep::SecondRead "wrong-reads" [Durability, Availability] "no second read" MODEL, ["damage-believed", "refused-for-damage"];
    "S11" PlainBug::ProofAtLinesOnly "weak-spots" [Honesty] "proof after newlines only" MODEL, ["damage-believed"];
    "S12a" PlainBug::NoMarkerProof "weak-spots" [Honesty] "a marker is no proof" MODEL, ["damage-believed"];
    "S12b" PlainBug::NoFirstOfBatchProof "weak-spots" [Honesty] "the first event of a batch is no proof" MODEL, ["damage-believed"];
    "S13" ProtocolStep::DropOfCache "unwritten-pages" [Decided] "recovery believes the cache" MODEL, ["stays-unwritten"];
    "S20" SharedFrontBug::FollowerNotSynced "callers" [Durability, Decided, Honesty] "batch queued during a sync counts as synced" MODEL, ["not-synced"];
    "U01" LibraryMisuse::FirstBatchSynced "small-batches" [Durability, Decided] "a flush syncs its first batch only" UNSEEN, ["not-synced"];
    "U02" DiskMisuse::NotSyncedFrom65 "long-epochs" [Durability, Decided] "no sync from the 65th event of a segment on" UNSEEN, ["not-synced"];
    "U03" DiskMisuse::SnapshotSyncErrorSwallowed "failing-snapshots" [Decided, Honesty] "log dropped although the snapshot's sync failed" UNSEEN, ["renamed-before-sync"];
    "U04" DiskMisuse::LineSeparatorsAreLineEnds "alphabets" [Honesty, Durability] "a line separator in a payload ends the line" UNSEEN;
    "U05" PlainBug::ReadErrorIsDamage "failing-reads" [Availability] "a read error called damage" UNSEEN;
    "U06" PlainBug::CutBeforeVerified "failing-reads" [Honesty] "a refused open has cut the log" UNSEEN;
    "U07" LibraryMisuse::NoFallBackUsed "damaged-snapshots" [Availability] "the older snapshot is not tried" UNSEEN, ["refused-for-damage"];
    "U08" LibraryMisuse::NoFallBackKept "damaged-snapshots" [Availability] "no older snapshot is kept" UNSEEN;
    "U09" PlainBug::RefusedTakesSeq "refused-requests" [Honesty, Positions] "a refused request uses up a seq" UNSEEN;
    "U10" LibraryMisuse::LenientWrites "damaged-copies" [Honesty] "lenient reading writes" UNSEEN;
    "U11" LibraryMisuse::FlushTooLate "small-batches" [Progress] "the flush interval is not kept" UNSEEN;
    "U12" LibraryMisuse::RequeueForgotten "requeue-at-open" [JobRules] "what is in flight is forgotten at open" UNSEEN;
}
