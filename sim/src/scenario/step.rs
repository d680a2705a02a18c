//! What a run does, step by step.

use std::fmt;

use beaver_disk::DiskEvent;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::CommandKind;
use super::old_steps;
use super::survivors::Survivors;
use crate::erased::AnyOp;

/// One step of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// One caller gives one op of the store.
    Op(AnyOp),
    /// Several ops at once, around a flush, a checkpoint or a close.
    Concurrent(ConcurrentStep),
    /// Compaction, a snapshot: whatever the store does to stay small.
    Checkpoint,
    /// Close cleanly and open again.
    Reopen,
    /// Kill the process and start it again.
    Kill,
    /// Cut the power and start again.
    PowerCut {
        /// What survives; nothing that is pending where it is left out.
        image: Option<Survivors>,
    },
    /// Let a second process try to open the directory.
    SecondOpener,
    /// Read the log while it is in use, and hold it against the history.
    Inspect,
    /// Damage a copy of the disk and read it leniently.
    Lenient {
        /// The damage; drawn when the step runs where it is left out.
        damage: Vec<DiskEvent>,
    },
}

/// Several ops around one flush, checkpoint or close, each at its moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ConcurrentStep {
    /// What they are given around.
    pub(crate) around: Around,
    /// The ops, in the order in which they are given.
    pub(crate) ops: Vec<Scheduled>,
}

/// What several ops are given around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Around {
    /// One flush, which serves all of them.
    Flush,
    /// A flush that no caller asks for: the store says when it is due.
    Interval,
    /// A checkpoint in three steps: begin, write, finish.
    Checkpoint,
    /// A clean close; the store is opened again.
    Close,
}

/// An op, and when it is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Scheduled {
    /// When it is given.
    pub(crate) at: When,
    /// The op.
    pub(crate) op: AnyOp,
}

/// When an op is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum When {
    /// Its caller has submitted it, and waits for the flush that comes after the first step.
    Waiting,
    /// After the first step of a checkpoint, and the flush.
    BeforeWrite,
    /// Just before this storage call of the second step of a checkpoint, counted from 1; after the
    /// step if that makes fewer.
    BeforeCall(u64),
    /// After the second step of a checkpoint.
    BeforeFinish,
}

impl ConcurrentStep {
    /// These ops, all waiting.
    #[must_use]
    pub(crate) fn waiting(around: Around, ops: impl IntoIterator<Item = AnyOp>) -> Self {
        let at = When::Waiting;
        let ops = ops.into_iter().map(|op| Scheduled { at, op });
        ConcurrentStep {
            around,
            ops: ops.collect(),
        }
    }

    /// The ops that are given then.
    pub(crate) fn at(&self, at: When) -> Vec<AnyOp> {
        let then = self.ops.iter().filter(|scheduled| scheduled.at == at);
        then.map(|scheduled| scheduled.op.clone()).collect()
    }

    /// The ops that are given in the middle of the second step of a checkpoint, each with the call
    /// before which it is.
    pub(crate) fn during_write(&self) -> Vec<(u64, AnyOp)> {
        let during = self.ops.iter().filter_map(|scheduled| match scheduled.at {
            When::BeforeCall(call) => Some((call, scheduled.op.clone())),
            _ => None,
        });
        during.collect()
    }
}

impl Step {
    /// What a workload calls it; `None` for an op.
    #[must_use]
    pub fn kind(&self) -> Option<CommandKind> {
        Some(match self {
            Step::Op(_) => return None,
            Step::Concurrent(round) => match round.around {
                Around::Flush => CommandKind::Group,
                Around::Interval => CommandKind::Unawaited,
                Around::Checkpoint => CommandKind::SlowCheckpoint,
                Around::Close => CommandKind::CloseQueued,
            },
            Step::Checkpoint => CommandKind::Checkpoint,
            Step::Reopen => CommandKind::Reopen,
            Step::Kill => CommandKind::Kill,
            Step::PowerCut { .. } => CommandKind::PowerCut,
            Step::SecondOpener => CommandKind::SecondOpener,
            Step::Inspect => CommandKind::Inspect,
            Step::Lenient { .. } => CommandKind::Lenient,
        })
    }

    /// The ops of the step, wherever in it they are given.
    #[must_use]
    pub fn ops(&self) -> Vec<&AnyOp> {
        match self {
            Step::Op(op) => vec![op],
            Step::Concurrent(round) => round.ops.iter().map(|at| &at.op).collect(),
            _ => Vec::new(),
        }
    }

    /// The same, to be changed.
    pub fn ops_mut(&mut self) -> Vec<&mut AnyOp> {
        match self {
            Step::Op(op) => vec![op],
            Step::Concurrent(round) => round.ops.iter_mut().map(|at| &mut at.op).collect(),
            _ => Vec::new(),
        }
    }
}

/// A step in a few words.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Op(op) => write!(f, "{op:?}"),
            Step::Concurrent(round) => round.fmt(f),
            Step::Checkpoint => f.write_str("checkpoint"),
            Step::Reopen => f.write_str("close and open again"),
            Step::Kill => f.write_str("kill"),
            Step::PowerCut { .. } => f.write_str("power cut"),
            Step::SecondOpener => f.write_str("a second process opens the store"),
            Step::Inspect => f.write_str("inspect while in use"),
            Step::Lenient { .. } => f.write_str("read a damaged copy leniently"),
        }
    }
}

impl fmt::Display for ConcurrentStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = listed(&self.at(When::Waiting));
        match self.around {
            Around::Flush => return write!(f, "together: {waiting}"),
            Around::Interval => return write!(f, "submitted and not waited for: {waiting}"),
            Around::Close => return write!(f, "closed while waiting: {waiting}"),
            Around::Checkpoint if waiting.is_empty() => f.write_str("checkpoint")?,
            Around::Checkpoint => write!(f, "checkpoint while these wait: {waiting}")?,
        }
        let during: Vec<String> = self
            .during_write()
            .iter()
            .map(|(call, op)| format!("before call {call} {op:?}"))
            .collect();
        if !during.is_empty() {
            write!(
                f,
                ", and while it writes its snapshot: {}",
                during.join("; ")
            )?;
        }
        let between = [("writes", When::BeforeWrite), ("ends", When::BeforeFinish)];
        let between = between.map(|(when, at)| (when, listed(&self.at(at))));
        let between = between.iter().filter(|(_, ops)| !ops.is_empty());
        let between: Vec<String> = between
            .map(|(when, ops)| format!("before it {when}: {ops}"))
            .collect();
        match &between[..] {
            [] => Ok(()),
            _ => write!(f, " ({})", between.join("; ")),
        }
    }
}

fn listed(ops: &[AnyOp]) -> String {
    let ops: Vec<String> = ops.iter().map(|op| format!("{op:?}")).collect();
    ops.join("; ")
}

/// The steps of a run that are not ops of the store, as they stand in a file.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Written {
    /// Several ops at once, around a flush, a checkpoint or a close.
    Concurrent(#[cfg_attr(feature = "schema", schemars(with = "Value"))] ConcurrentStep),
    /// Whatever the store does to stay small.
    Checkpoint,
    /// Close cleanly and open again.
    Reopen,
    /// Kill the process and start it again.
    Kill,
    /// Cut the power and start again.
    PowerCut {
        /// What survives; nothing that is pending where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<Value>"))]
        image: Option<Survivors>,
    },
    /// Let a second process try to open the directory.
    SecondOpener,
    /// Read the log while it is in use.
    Inspect,
    /// Damage a copy of the disk and read it leniently.
    Lenient {
        /// The damage; drawn when the step runs where it is left out.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[cfg_attr(feature = "schema", schemars(with = "Vec<Value>"))]
        damage: Vec<DiskEvent>,
    },
}

/// The names of the steps in [`Written`].
const NAMES: [&str; 8] = [
    "concurrent",
    "checkpoint",
    "reopen",
    "kill",
    "power-cut",
    "second-opener",
    "inspect",
    "lenient",
];

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match self.clone() {
            Step::Op(op) => return op.serialize(serializer),
            Step::Concurrent(round) => Written::Concurrent(round),
            Step::Checkpoint => Written::Checkpoint,
            Step::Reopen => Written::Reopen,
            Step::Kill => Written::Kill,
            Step::PowerCut { image } => Written::PowerCut { image },
            Step::SecondOpener => Written::SecondOpener,
            Step::Inspect => Written::Inspect,
            Step::Lenient { damage } => Written::Lenient { damage },
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let name = match &value {
            Value::String(name) => Some(name.as_str()),
            Value::Object(fields) if fields.len() == 1 => fields.keys().next().map(String::as_str),
            _ => None,
        };
        let name = name.unwrap_or_default();
        if let Some(round) = old_steps::in_new_words(name, &value) {
            let round = ConcurrentStep::deserialize(round.map_err(D::Error::custom)?);
            return round.map(Step::Concurrent).map_err(D::Error::custom);
        }
        if !NAMES.contains(&name) {
            let op = AnyOp::deserialize(value).map_err(D::Error::custom)?;
            return Ok(Step::Op(op));
        }
        let written = Written::deserialize(value).map_err(D::Error::custom)?;
        Ok(match written {
            Written::Concurrent(round) => Step::Concurrent(round),
            Written::Checkpoint => Step::Checkpoint,
            Written::Reopen => Step::Reopen,
            Written::Kill => Step::Kill,
            Written::PowerCut { image } => Step::PowerCut { image },
            Written::SecondOpener => Step::SecondOpener,
            Written::Inspect => Step::Inspect,
            Written::Lenient { damage } => Step::Lenient { damage },
        })
    }
}

/// The steps of every run; any other value is an op, which only its subject can describe.
#[cfg(feature = "schema")]
impl schemars::JsonSchema for Step {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let steps = generator.subschema_for::<Written>();
        schemars::json_schema!({"anyOf": [steps, {"$ref": "#/$defs/Op"}]})
    }
}

#[cfg(test)]
mod tests;
