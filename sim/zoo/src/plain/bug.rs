//! The bugs that the plain store can have, one at a time.

/// Declares the bugs once: variant, and what goes wrong.
macro_rules! bugs {
    ($($bug:ident $says:literal;)*) => {
        /// What is wrong with a plain store.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Bug {
            $(#[doc = $says] $bug,)*
        }

        impl Bug {
            /// All of them.
            pub const ALL: &'static [Bug] = &[$(Bug::$bug,)*];
        }
    };
}

bugs! {
    EnqueueWithoutPayload "An ENQUEUE record holds the id of its job and nothing else.";
    ReplayIgnoresSnapshot "Recovery replays the whole log over the snapshot.";
    FilterWithoutEpoch "Replay compares seqs with the snapshot's last seq, whatever the epoch.";
    SeqRestartsAtOpen "An opened log goes on with seq 1.";
    SeqBarelyChecked "The seq enters the checksum through a conversion to a character, and nothing else compares it.";
    PayloadNotChecked "The checksum covers neither timestamp nor payload.";
    TornTailRefused "A last record that is not whole makes the store refuse to start.";
    OvertakenSeq "The seq is taken before the queue, so callers reach the file in another order.";
    SeqsCrossRotation "Records that were numbered before a rotation are written after it.";
    CopyBeforeRotation "The state is copied, and what is acknowledged before the rotation is dropped with the old log.";
    PositionAfterCopy "The snapshot's position is read after its state was copied.";
    FailedRotationCloses "A rotation that fails leaves the log closed.";
    SyncFailureGoesOn "After a failed sync the log goes on, with the record in it.";
    HalfBatchStays "A batch whose write failed is not cut off.";
    LoggedBeforeChecked "A report is logged before it is checked.";
    RefusedEnqueueLogged "An enqueue is logged before it is checked.";
    DispatchIgnoresError "A job is handed out although its record could not be written.";
    AttemptCountedTwice "An attempt is counted by the caller and again by the transition.";
    DeathNotLogged "A job that is given up is logged as late.";
    ReplayLeavesReady "A replayed dispatch leaves the job in the queue.";
    RequeueNotLogged "What was in flight goes back to the queue, and the log does not say so.";
    OrderLostInSnapshot "The queue is rebuilt from the snapshot in the order of ids.";
    ClockInReplay "A replayed dispatch counts its deadline from now.";
    CompletedForgotten "The snapshot leaves out jobs that are done.";
    CloseStrandsCallers "Close writes the batch of the first caller and forgets those behind it.";
    LockHeldInReplay "Recovery appends from within replay, which holds the lock that it waits for.";
    NoContinuity "Nobody compares seqs.";
    SnapshotNotChecked "The snapshot's checksum is not verified.";
    SnapshotMovedAway "The old snapshot is moved away before the new one is there, and without one the store is new.";
    ChecksumBeforeEncoding "The checksum is taken before the encoder replaces what it cannot write.";
    NumbersAsFloats "Numbers in payloads pass through a 64-bit float.";
    AnswerFromBuffer "An append is acknowledged when it is in the buffer.";
    RepairRenumbers "Repair drops what it cannot read and numbers the rest anew.";
    UnknownTypeIgnored "A record of an unknown type has no effect.";
    PrunedTooEarly "The log is removed before the snapshot that covers it is durable.";
    FirstBadRecordEnds "The log ends at the first record that is not whole, wherever that is.";
    RepairThrowsAway "A torn tail is repaired by throwing the newest segment away.";
    ContiguityEverywhere "Segments must be contiguous below the snapshot too.";
    GapIsCorruption "A gap is corruption, even where a torn batch explains it.";
    ProofAtLinesOnly "Proof is looked for behind newlines only.";
    NoMarkerProof "A marker is no proof.";
    NoFirstOfBatchProof "The first event of a batch is no proof, unless its batch is above what is missing.";
}
