//! Marks: rare situations by name. A scenario that expects a mark and never reaches it fails: a
//! test that does not reach its situation proves nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares the marks once: variant, name, what happened.
macro_rules! marks {
    ($($mark:ident $name:literal $says:literal;)*) => {
        /// A rare situation that a run reached.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum Mark {
            $(#[doc = $says] #[serde(rename = $name)] $mark,)*
        }

        impl Mark {
            /// All marks, in the order in which they are listed to people.
            pub const ALL: &'static [Mark] = &[$(Mark::$mark,)*];

            /// The name in files and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Mark::$mark => $name,)* }
            }

            /// What happened, in one line.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Mark::$mark => $says,)* }
            }
        }
    };
}

marks! {
    TornTailCut "torn-tail-cut" "recovery cut an unfinished tail off the active segment";
    TornTailExtended "append-after-torn-tail" "events were acknowledged after a torn tail had been cut, and recovered later";
    HalfGroupCut "half-group-cut" "recovery cut whole lines because the atomic append they belong to was not complete";
    FellBack "fell-back-to-older-snapshot" "the newest snapshot could not be used and an older one was";
    SnapshotUsed "snapshot-used" "recovery started from a snapshot and replayed the tail";
    CrashRenameDirSync "crash-between-rename-and-sync-dir" "a crash after a rename and before the directory sync that follows";
    CrashCreateDirSync "crash-between-create-and-sync-dir" "a crash after a create and before the directory sync that follows";
    CrashInSync "crash-inside-sync" "a crash in the middle of a sync";
    CrashInWrite "crash-inside-write" "a crash in the middle of a write";
    CrashInCheckpoint "crash-inside-checkpoint" "a crash at one of the storage calls of a checkpoint";
    CrashInRotate "crash-inside-rotate" "a crash between the making of a new segment and the directory sync that publishes it";
    CrashBetweenPrunes "crash-inside-prune" "a crash between two removals, or before the directory sync that follows them";
    CrashInRecovery "crash-inside-recovery" "a recovery was crashed";
    CrashInRecoveryTwice "crash-inside-recovery-twice" "two recoveries in a row were crashed";
    KillThenPowerCut "kill-then-power-cut" "a power cut hit what a recovery after a kill had shown";
    NewSegmentLost "new-segment-lost" "a new segment did not survive because its name was not yet durable";
    IndeterminateKept "indeterminate-came-back" "an append that had returned an error, or none, was there after recovery";
    IndeterminateLost "indeterminate-did-not-come-back" "an append that had returned an error, or none, was not there after recovery";
    Poisoned "log-poisoned" "the log refused to go on after an error that leaves doubt";
    PoisonRefused "poisoned-log-refused" "a poisoned log refused a command";
    PoisonedReopened "poisoned-log-reopened" "a poisoned log was opened again in the same process";
    PoisonedKilled "poisoned-log-killed" "the process was killed while its log was poisoned";
    WriteUndone "failed-write-undone" "a write failed, the log cut it off and went on";
    RotateUndone "failed-rotate-undone" "a rotate failed after its rename, the log undid it and went on";
    CheckpointFailed "checkpoint-failed" "a checkpoint returned an error and the log went on";
    RetriedAfterFull "append-retried-after-full-disk" "a command refused by a full disk succeeded when tried again";
    RecoveredOnFullDisk "recovered-on-full-disk" "an open met a full disk and a later one succeeded";
    TransientRetried "transient-read-error-retried" "an open failed with a read error and succeeded when tried again";
    WrongReadSurvived "wrong-read-survived" "a read returned a wrong bit during recovery and nothing was cut for it";
    ReadOnlyRefused "read-only-refused" "an open on a read-only file system failed with a typed error";
    TemporaryRemoved "leftover-temporary-removed" "recovery removed a temporary file";
    LeftoverRemoved "leftover-removed" "recovery removed files below the fall-back snapshot";
    StrayReported "stray-reported" "recovery reported a foreign file and left it alone";
    SecondOpenerRefused "second-opener-refused" "a second opener was refused with Locked";
    CorruptionRefused "corruption-refused" "recovery refused damaged data with a typed error";
    SealedRefused "sealed-corruption-refused" "recovery refused a damaged sealed segment";
    ActiveRefused "active-corruption-refused" "recovery refused a damaged active segment";
    SnapshotRefused "snapshot-corruption-refused" "a damaged snapshot was not used";
    HeaderRefused "header-corruption-refused" "recovery refused a damaged segment header";
    BoundedLoss "bounded-loss" "damage took acknowledged events that no undamaged proof covered";
    DamageHarmless "damage-harmless" "damage was injected and recovery returned the whole history";
    LyingSyncHit "lying-sync-hit" "a power cut took back a page that a sync had claimed";
    UnacceptableRefused "unacceptable-refused" "a request that no store can take was refused, and nothing was changed";
    FlushedWhenDue "flushed-when-due" "what no caller waited for was synced when its time had come";
    LenientSkipped "lenient-skipped" "lenient replay skipped damaged lines and reported each";
    LenientGroupSkipped "lenient-group-skipped" "lenient replay skipped a whole group for one damaged member";
    GroupCommit "group-commit" "several callers shared one sync";
    AppendDuringCheckpoint "append-during-checkpoint" "events were acknowledged between the rotate and the end of a checkpoint";
    CleanReopen "clean-reopen" "a log was closed and opened again";
    EmptyRotate "checkpoint-without-events" "a checkpoint found nothing new to cover";
    Pruned "pruned" "a checkpoint removed what a snapshot covers";
    ReplayedTwice "replayed-twice" "the log was replayed twice over the same state without a change";
    TimedOut "timed-out" "a job was taken away from a worker that was too slow";
    Retried "retried" "a failed job went back to the queue";
    DeadLetter "dead-letter" "a job used up its attempts";
    DuplicateRefused "duplicate-refused" "an id that was used before was refused";
    LateReportRefused "late-report-refused" "a report for a job that is not in flight was refused";
    LateAttemptRefused "late-attempt-refused" "a report of an attempt whose time was over was refused while another one was in flight";
    Heartbeat "heartbeat" "a worker got the whole time of its job again";
    Delayed "delayed" "a job waited before it was handed out again";
    Readied "readied" "the delay of a job was over";
    Revived "revived" "a dead letter went back to the queue";
    Dropped "dropped" "a dead letter was removed";
    WrongDeadline "wrong-deadline" "a clock was set back, and the deadlines that it had given were set anew";
    TornPage "torn-page" "a page survived a power cut in sectors of different age";
    CacheDropped "cache-dropped" "pages whose sync had failed fell back to the bytes on disk";
    SyncedOnRequest "synced-on-request" "a sync, a rotate or a close made durable what had been answered before";
    BatchLimitSynced "batch-limit-synced" "what had been answered became durable because the batch had reached its limit";
    UnsyncedKept "unsynced-kept" "events that were answered and not synced were there after a crash";
    UnsyncedEndLost "unsynced-end-lost" "a crash took the end of what was answered and not synced, and left what came before it";
    UnsyncedLost "unsynced-lost" "a crash took everything that was answered and not synced";
    ImageJudged "side-image-judged" "an image of a power cut was recovered and judged beside the main line";
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
