//! What happened in a run, in order: commands and their answers, storage calls, crashes with the disk
//! before and after them, and attempts to open. The text trace, `trace.jsonl`, the explanation and
//! the page are all made from this one list.

use beaver_disk::{Choice, Crash, Image, Op, TraceRecord};
use serde::{Serialize, Serializer};

use crate::oracle::history::Position;
use crate::scenario::CrashKind;

/// An event, and the number of the last storage call until then.
#[derive(Clone, Debug)]
pub struct LoggedEvent {
    /// The number of the storage call that was made last; of a call its own.
    pub call: u64,
    /// What happened.
    pub event: RunEvent,
}

/// Something that happened in a run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum RunEvent {
    /// The client gave a command.
    Command {
        /// Its number, from 1.
        number: u64,
        /// What it was.
        text: String,
    },
    /// The client got an answer.
    Answer {
        /// `ok`, `refused: …`, `failed: …`.
        text: String,
    },
    /// A command that has no answer did something.
    Note {
        /// What it did.
        text: String,
    },
    /// The client was told that what it did is durable.
    Acknowledged {
        /// The command, which may be one of several in a group.
        text: String,
        /// Where it stands, in the log of a store that says so.
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
        position: Option<Position>,
    },
    /// A storage call was made.
    Call {
        /// The call, with its answer.
        #[serde(flatten, serialize_with = "call_fields")]
        record: TraceRecord,
    },
    /// The process died, or the power failed.
    Crash(Box<CrashEvent>),
    /// The store is about to be opened.
    Opening {
        /// What is on the disk.
        #[serde(rename = "names", serialize_with = "names_of")]
        found: Image,
    },
    /// The store opened.
    Opened {
        /// The last applied position, of a store that says so.
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
        position: Option<Position>,
    },
    /// The store did not open.
    Refused {
        /// Why.
        text: String,
    },
}

/// A crash, with the disk before and after it.
#[derive(Clone, Debug, Serialize)]
pub struct CrashEvent {
    /// The crash in words, as the trace has it.
    pub text: String,
    /// How the process ended.
    pub kind: CrashKind,
    /// Whether it is the crash that an explanation is about.
    pub explained: bool,
    /// The disk, and the call that was under way.
    #[serde(skip)]
    pub crash: Crash,
    /// What survived; none if the process was killed and the system went on.
    #[serde(skip)]
    pub choice: Option<Choice>,
    /// What is on the disk now.
    #[serde(skip)]
    pub left: Image,
}

impl RunEvent {
    /// One line of JSON.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("an event can be written as JSON")
    }

    /// The line of the text trace; `None` for what other lines say already.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        match self {
            RunEvent::Command { text, .. } => Some(text.clone()),
            RunEvent::Answer { text } | RunEvent::Note { text } => Some(format!("  {text}")),
            RunEvent::Call { record } => Some(record.to_string()),
            RunEvent::Crash(crash) => Some(crash.text.clone()),
            RunEvent::Opened { position: None } => Some("opened".to_owned()),
            RunEvent::Opened {
                position: Some(position),
            } => Some(format!("opened at {position}")),
            RunEvent::Refused { text } => Some(format!("open: {text}")),
            RunEvent::Acknowledged { .. } | RunEvent::Opening { .. } => None,
        }
    }
}

/// `events` with the storage calls between them, each where it was made.
#[must_use]
pub(crate) fn with_calls(events: &[LoggedEvent], calls: Vec<TraceRecord>) -> Vec<LoggedEvent> {
    let mut events = events.iter().peekable();
    let mut log = Vec::new();
    for record in calls {
        while let Some(event) = events.next_if(|event| event.call < record.call) {
            log.push(event.clone());
        }
        log.push(LoggedEvent {
            call: record.call,
            event: RunEvent::Call { record },
        });
    }
    log.extend(events.cloned());
    log
}

/// How a storage call is written.
#[derive(Serialize)]
struct CallFields<'r> {
    call: u64,
    op: &'static str,
    file: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'r str>,
    /// Where a read or write begins, or the length that was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    len: Option<u64>,
    /// A hash of the bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    result: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'static str>,
}

fn call_fields<S: Serializer>(record: &TraceRecord, to: S) -> Result<S::Ok, S::Error> {
    let moves = matches!(record.op, Op::ReadAt | Op::WriteAt);
    let sizes = matches!(record.op, Op::SetLen | Op::Allocate);
    let fields = CallFields {
        call: record.call,
        op: record.op.name(),
        file: &record.file,
        to: record.to.as_deref(),
        offset: (moves || sizes).then_some(record.offset),
        len: moves.then_some(record.len),
        data: moves.then(|| format!("{:016x}", record.data)),
        result: result_of(record),
        ok: record.answer.is_ok(),
        fault: record.fault,
    };
    fields.serialize(to)
}

/// What a storage call returned: `ok`, a number, or the kind of error.
#[must_use]
pub fn result_of(record: &TraceRecord) -> String {
    let counts = matches!(record.op, Op::ReadAt | Op::WriteAt | Op::List | Op::Len);
    match record.answer {
        Ok(value) if counts => value.to_string(),
        Ok(_) => "ok".to_owned(),
        Err(kind) => format!("{kind:?}"),
    }
}

fn as_text<S: Serializer>(position: &Option<Position>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&at(*position))
}

/// `1:5`; empty for a store that does not say where it stands.
pub(crate) fn at(position: Option<Position>) -> String {
    position.map_or_else(String::new, |position| position.to_string())
}

fn names_of<S: Serializer>(image: &Image, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(image.names())
}
