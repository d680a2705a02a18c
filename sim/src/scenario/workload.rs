//! What the program under test is told to do, and how its log is set up.

use std::collections::BTreeMap;
use std::fmt;

use beaver::wal::QueueOptions;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A closed range of integers, written `[least, most]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "[u64; 2]", into = "[u64; 2]")]
pub struct Range {
    /// The least value.
    pub least: u64,
    /// The most; not below `least`.
    pub most: u64,
}

impl Range {
    /// The range from `least` to `most`, both included.
    #[must_use]
    pub const fn new(least: u64, most: u64) -> Self {
        Range { least, most }
    }
}

impl TryFrom<[u64; 2]> for Range {
    type Error = String;

    fn try_from([least, most]: [u64; 2]) -> Result<Self, Self::Error> {
        if least > most {
            return Err(format!(
                "[{least}, {most}] is not a range: write [least, most]"
            ));
        }
        Ok(Range { least, most })
    }
}

impl From<Range> for [u64; 2] {
    fn from(range: Range) -> Self {
        [range.least, range.most]
    }
}

/// The sorts of command that a workload can draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CommandKind {
    /// One job.
    Enqueue,
    /// Several jobs at once, all or none.
    EnqueueBatch,
    /// Hand out the oldest pending job.
    Dispatch,
    /// A worker reports success.
    Ack,
    /// A worker reports failure.
    Fail,
    /// A worker reports that it is at work.
    Heartbeat,
    /// A worker whose time was over reports success, while another one has the job.
    LateAck,
    /// A worker whose time was over reports failure, while another one has the job.
    LateFail,
    /// A dead job goes back to the queue.
    Revive,
    /// A dead job is removed.
    Drop,
    /// The clock jumps: by an hour, a year, to before 1970, or back.
    Clock,
    /// A request that no store can take, for its size or for what it holds: it is refused.
    Unacceptable,
    /// Time passes and expired jobs are retried or buried.
    Tick,
    /// Everything in flight goes back to the queue.
    Requeue,
    /// Several callers share one sync.
    Group,
    /// Several callers submit and do not wait: the store syncs them when they are due.
    Unawaited,
    /// Rotate, snapshot, prune.
    Checkpoint,
    /// A checkpoint with other commands between its steps.
    SlowCheckpoint,
    /// Close cleanly and open again.
    Reopen,
    /// Several callers have submitted when the store is closed; then it is opened again.
    CloseQueued,
    /// The process is killed between two commands and started again.
    Kill,
    /// The power fails between two commands.
    PowerCut,
    /// A second process tries to open the same directory.
    SecondOpener,
    /// The whole log is inspected while it is in use, and replayed twice. Where it syncs on request, its owner reads what
    /// is durable.
    Inspect,
    /// A copy of the disk is damaged and read by lenient replay.
    Lenient,
    /// Everything that was appended is made durable; only where `log.sync` is `on-request`.
    Sync,
    /// The active segment is sealed and the next one begins; only where `log.sync` is `on-request`.
    Rotate,
    /// Everything that was appended is made durable, and up to 64 KiB of free space after it; only where `log.sync` is
    /// `on-request`.
    Preallocate,
    /// An op of a store that is not Beaver's own.
    Op,
}

impl CommandKind {
    /// Whether it opens the store, writes all of it out or looks at all of it.
    pub(crate) fn grows_with_the_store(self) -> bool {
        use CommandKind as K;
        match self {
            K::Enqueue | K::EnqueueBatch | K::Dispatch | K::Ack | K::Fail | K::Tick => false,
            K::Heartbeat | K::LateAck | K::LateFail | K::Revive | K::Drop | K::Clock => false,
            K::Unacceptable | K::Unawaited => false,
            K::Requeue | K::Group | K::Sync | K::Preallocate | K::Op => false,
            K::Checkpoint | K::SlowCheckpoint | K::Reopen | K::CloseQueued | K::Kill => true,
            K::PowerCut | K::SecondOpener | K::Inspect | K::Lenient | K::Rotate => true,
        }
    }
}

/// What the program under test is told to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Workload {
    /// How many commands a run has. Once there were more than 250 jobs, whatever opens the store, writes all of it out or
    /// looks at all of it (checkpoints, crashes, faults, …) gets rarer as the store grows, so that a command of a long run
    /// costs no more than one of a short run.
    pub commands: u32,
    /// How often each command is drawn, relative to the others. A command that is not named is not
    /// drawn.
    #[serde(deserialize_with = "each_once")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "weights_schema"))]
    pub weights: BTreeMap<CommandKind, u32>,
    /// How many different job ids there are; a small number makes duplicates and refusals.
    pub jobs: u32,
    /// Jobs of one `enqueue-batch`.
    pub batch_size: Range,
    /// Commands of one `group`.
    pub group_size: Range,
    /// Bytes of a payload.
    pub payload_bytes: Range,
    /// What payloads and ids are made of; each takes one of these.
    pub alphabets: Vec<Alphabet>,
    /// Attempts that a job may use.
    pub max_attempts: Range,
    /// Time that a worker has before its job is taken away, in milliseconds.
    pub timeout_ms: Range,
    /// Time that a job waits after a first attempt that failed, in milliseconds; four times as long at most. 0: it never
    /// waits.
    #[serde(skip_serializing_if = "never_waits")]
    pub backoff_ms: Range,
    /// Time that passes in one `tick`, in milliseconds.
    pub tick_ms: Range,
}

fn never_waits(backoff_ms: &Range) -> bool {
    backoff_ms.most == 0
}

/// Reads weights. A name that is there twice would otherwise have the later weight, in silence.
fn each_once<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<CommandKind, u32>, D::Error> {
    struct Weights;

    impl<'de> Visitor<'de> for Weights {
        type Value = BTreeMap<CommandKind, u32>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut weights = BTreeMap::new();
            while let Some((kind, weight)) = map.next_entry()? {
                if weights.insert(kind, weight).is_some() {
                    let name = serde_json::to_value(kind).unwrap_or_default();
                    let name = name.as_str().unwrap_or_default();
                    return Err(de::Error::custom(format_args!("`{name}` is named twice")));
                }
            }
            Ok(weights)
        }
    }

    from.deserialize_map(Weights)
}

/// Weights by the names of the commands: the schema of a map says nothing about its keys by itself.
#[cfg(feature = "schema")]
fn weights_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let names = generator.subschema_for::<CommandKind>();
    let weight = generator.subschema_for::<u32>();
    schemars::json_schema!({"type": "object", "propertyNames": names, "additionalProperties": weight})
}

impl Default for Workload {
    fn default() -> Self {
        use CommandKind::{
            Ack, Checkpoint, Dispatch, Enqueue, EnqueueBatch, Fail, Group, Reopen, Tick,
        };
        Workload {
            commands: 30,
            weights: [
                (Enqueue, 30),
                (EnqueueBatch, 8),
                (Dispatch, 20),
                (Ack, 12),
                (Fail, 6),
                (Tick, 4),
                (Group, 6),
                (Checkpoint, 5),
                (Reopen, 3),
            ]
            .into(),
            jobs: 12,
            batch_size: Range::new(2, 4),
            group_size: Range::new(2, 4),
            payload_bytes: Range::new(0, 120),
            alphabets: vec![Alphabet::OneLetter],
            max_attempts: Range::new(1, 3),
            timeout_ms: Range::new(50, 500),
            backoff_ms: Range::new(0, 0),
            tick_ms: Range::new(1, 400),
        }
    }
}

/// What a payload, and the id of its job, are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Alphabet {
    /// One letter over and over.
    OneLetter,
    /// Letters in any order.
    Letters,
    /// What some programs take for the end of a line: U+2028, U+2029, U+0085, the form feed.
    LineSeparators,
    /// Characters that JSON must escape, or may, each escaped: control characters, quotes, halves of pairs.
    Escapes,
    /// Characters of two, three and four bytes, control characters that need no escape among them.
    NonAscii,
    /// Digits: the number is one whatever is torn out of its middle.
    Digits,
    /// What the lines of a log look like.
    LogLines,
}

/// When an append becomes durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SyncSetting {
    /// Before it is answered.
    #[default]
    EveryAppend,
    /// On request. The log is then used alone, without snapshots and checkpoints: a
    /// command is answered when its events are in memory, and is promised with the next `sync`,
    /// `rotate`, `preallocate`, `group` or clean close, or when the batch has grown to its limit. A crash may take
    /// an end of what was answered since, never a part from the middle, and an append whole or not
    /// at all. Of the commands there are those of the queue, `group`, `sync`, `rotate`, `preallocate`, `inspect`, `reopen`, `second-opener`, `kill`, `power-cut`.
    OnRequest,
}

/// How the log under test is set up. Zero stands for the library's default where that makes sense.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// Bytes of space preallocated ahead; 0 for none.
    pub preallocate_bytes: u64,
    /// Bytes of events that share one sync; 0 for the library's default.
    pub batch_bytes: u64,
    /// Events that share one sync; 0 for the library's default.
    #[serde(skip_serializing_if = "super::is_default")]
    pub batch_events: u64,
    /// How long what no caller waits for may stay unsynced, in milliseconds; 0 for the library's default.
    #[serde(skip_serializing_if = "super::is_default")]
    pub flush_interval_ms: u64,
    /// Old snapshots kept beside the newest.
    pub keep_old_snapshots: u32,
    /// Whether what is in flight goes back to the queue when the store is opened.
    #[serde(skip_serializing_if = "super::is_default")]
    pub requeue_in_flight: bool,
    /// When an append becomes durable.
    #[serde(skip_serializing_if = "super::is_default")]
    pub sync: SyncSetting,
}

impl LogSettings {
    /// How long what no caller waits for may stay unsynced, in milliseconds.
    #[must_use]
    pub fn interval_ms(&self) -> u64 {
        match self.flush_interval_ms {
            0 => QueueOptions::default().flush_interval_ms,
            set => set,
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        LogSettings {
            preallocate_bytes: 0,
            batch_bytes: 0,
            batch_events: 0,
            flush_interval_ms: 0,
            keep_old_snapshots: 1,
            requeue_in_flight: false,
            sync: SyncSetting::EveryAppend,
        }
    }
}
