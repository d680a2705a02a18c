//! The bugs that the plain store can have, one at a time.

/// What is wrong with a plain store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainBug {
    /// An ENQUEUE record holds the id of its job and nothing else.
    EnqueueWithoutPayload,
    /// Recovery replays the whole log over the snapshot.
    ReplayIgnoresSnapshot,
    /// Replay compares seqs with the snapshot's last seq, whatever the epoch.
    FilterWithoutEpoch,
    /// An opened log goes on with seq 1.
    SeqRestartsAtOpen,
    /// The seq enters the checksum through a conversion to a character, and nothing else compares
    /// it.
    SeqBarelyChecked,
    /// The checksum covers neither timestamp nor payload.
    PayloadNotChecked,
    /// A last record that is not whole makes the store refuse to start.
    TornTailRefused,
    /// The seq is taken before the queue, so callers reach the file in another order.
    OvertakenSeq,
    /// Records that were numbered before a rotation are written after it.
    SeqsCrossRotation,
    /// The state is copied, and what is acknowledged before the rotation is dropped with the old
    /// log.
    CopyBeforeRotation,
    /// The snapshot's position is read after its state was copied.
    PositionAfterCopy,
    /// A rotation that fails leaves the log closed.
    FailedRotationCloses,
    /// After a failed sync the log goes on, with the record in it.
    SyncFailureGoesOn,
    /// A batch whose write failed is not cut off.
    HalfBatchStays,
    /// A report is logged before it is checked.
    LoggedBeforeChecked,
    /// An enqueue is logged before it is checked.
    RefusedEnqueueLogged,
    /// A job is handed out although its record could not be written.
    DispatchIgnoresError,
    /// An attempt is counted by the caller and again by the transition.
    AttemptCountedTwice,
    /// A job that is given up is logged as late.
    DeathNotLogged,
    /// A replayed dispatch leaves the job in the queue.
    ReplayLeavesReady,
    /// What was in flight goes back to the queue, and the log does not say so.
    RequeueNotLogged,
    /// The queue is rebuilt from the snapshot in the order of ids.
    OrderLostInSnapshot,
    /// A replayed dispatch counts its deadline from now.
    ClockInReplay,
    /// The snapshot leaves out jobs that are done.
    CompletedForgotten,
    /// Close writes the batch of the first caller and forgets the other callers.
    CloseStrandsCallers,
    /// An ack is taken whichever attempt it is about.
    LateAckAccepted,
    /// A failure is taken whichever attempt it is about.
    LateFailAccepted,
    /// A heartbeat changes the deadline in memory, and the log does not say so.
    HeartbeatNotLogged,
    /// A delay is kept in memory alone: after recovery the job is in the queue.
    BackoffForgotten,
    /// A revived job is replayed without its payload.
    RevivedWithoutPayload,
    /// A revived job gets no attempts.
    RevivedWithoutAttempts,
    /// A deadline counts also if the clock that gave it was set back since.
    WrongDeadlineKept,
    /// Recovery appends from within replay, which holds the lock that it waits for.
    LockHeldInReplay,
    /// Seqs are not compared.
    NoContinuity,
    /// The snapshot's checksum is not verified.
    SnapshotNotChecked,
    /// The old snapshot is moved away before the new one is there, and without one the store is new.
    SnapshotMovedAway,
    /// The checksum is taken before the encoder replaces what it cannot write.
    ChecksumBeforeEncoding,
    /// Numbers in payloads pass through a 64-bit float.
    NumbersAsFloats,
    /// An append is acknowledged when it is in the buffer.
    AnswerFromBuffer,
    /// Repair drops what it cannot read and numbers the rest anew.
    RepairRenumbers,
    /// A record of an unknown type has no effect.
    UnknownTypeIgnored,
    /// The log is removed before the snapshot that covers it is durable.
    PrunedTooEarly,
    /// The log ends at the first record that is not whole, wherever that is.
    FirstBadRecordEnds,
    /// A torn tail is repaired by throwing the newest segment away.
    RepairThrowsAway,
    /// Segments must be contiguous below the snapshot too.
    ContiguityEverywhere,
    /// A gap is corruption, even where a torn batch explains it.
    GapIsCorruption,
    /// Proof is looked for after newlines only.
    ProofAtLinesOnly,
    /// A marker is no proof.
    NoMarkerProof,
    /// A file that cannot be read is called damaged.
    ReadErrorIsDamage,
    /// A torn tail is cut before everything was read.
    CutBeforeVerified,
    /// A request that is refused has used up a seq.
    RefusedTakesSeq,
    /// The first event of a batch is no proof, unless its batch is above what is missing.
    NoFirstOfBatchProof,
}
