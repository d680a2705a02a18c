//! A run in order: commands, storage calls, crashes, recoveries. The lines of `trace.jsonl`, and the
//! rows of the timeline of a page.

use beaver_disk::{Op, TraceRecord};
use serde::{Serialize, Serializer};

use super::cut::Cut;
use super::lanes::Lanes;
use super::ledger::Ledger;
use super::words;
use crate::run::Watched;
use crate::scenario::CrashKind;
use crate::tape::{Entry, Happening};

/// A run in order.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Everything that happened.
    pub rows: Vec<Row>,
    /// What was durable and what was not, by file.
    pub lanes: Lanes,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum Row {
    /// The client gave a command.
    Command {
        /// Its number, from 1.
        number: u64,
        /// What it was.
        words: String,
    },
    /// It was answered.
    Answer {
        /// How.
        words: String,
    },
    /// The client was told that records are durable.
    Acknowledged {
        /// Of which command.
        words: String,
        /// Where it stands in the log of a store that says so.
        place: String,
    },
    /// A storage call.
    Call(CallRow),
    /// The process died, or the power failed.
    Crash {
        /// What happened, when and in which call.
        words: String,
        /// How the process ended.
        kind: CrashKind,
        /// Whether it is the crash that is explained.
        explained: bool,
    },
    /// The store is about to be opened.
    Opening {
        /// The names that are there.
        names: Vec<String>,
    },
    /// It opened.
    Opened {
        /// The last applied place.
        place: String,
    },
    /// It did not open.
    Refused {
        /// Why.
        text: String,
    },
}

fn as_text<S: Serializer>(op: &Op, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(op)
}

/// A storage call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallRow {
    /// Its number.
    pub call: u64,
    /// Its kind.
    #[serde(serialize_with = "as_text")]
    pub op: Op,
    /// The file, by the name that it has now; `.` is the directory.
    pub file: String,
    /// The new name of a rename.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Where a read or write begins, or the length that was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// How many bytes were to be read or written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub len: Option<u64>,
    /// A hash of the bytes that were written or read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// `ok`, a number, or the kind of error.
    pub result: String,
    /// Whether it succeeded.
    pub ok: bool,
    /// The kind of fault that struck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'static str>,
}

impl Timeline {
    pub(super) fn of(watched: &Watched, ledger: &Ledger, cut: Option<&Cut<'_>>) -> Self {
        let mut rows = Vec::new();
        let mut calls = watched.calls.iter().peekable();
        let mut crashes = 0;
        for entry in &watched.tape {
            while let Some(record) = calls.next_if(|record| record.call <= entry.call) {
                rows.push(Row::Call(CallRow::of(record, ledger)));
            }
            let place = crashes;
            crashes += usize::from(matches!(entry.what, Happening::Crashed(_)));
            let explained = cut.is_some_and(|cut| cut.place == place);
            rows.push(row_of(entry, explained));
        }
        rows.extend(calls.map(|record| Row::Call(CallRow::of(record, ledger))));
        Timeline {
            rows,
            lanes: Lanes::of(watched, ledger, cut),
        }
    }
}

fn row_of(entry: &Entry, explained: bool) -> Row {
    match &entry.what {
        Happening::Command { number, words } => Row::Command {
            number: *number,
            words: words.clone(),
        },
        Happening::Answered { words } => Row::Answer {
            words: words.clone(),
        },
        Happening::Acknowledged { words, position } => Row::Acknowledged {
            words: words.clone(),
            place: position.map_or_else(String::new, |at| at.to_string()),
        },
        Happening::Crashed(crashed) => {
            let file = words::file_of(crashed);
            Row::Crash {
                words: words::of_crash(crashed, file.as_deref()),
                kind: crashed.kind,
                explained,
            }
        }
        Happening::Opening { found } => Row::Opening {
            names: found.names().map(str::to_owned).collect(),
        },
        Happening::Opened { position } => Row::Opened {
            place: position.map_or_else(String::new, |at| at.to_string()),
        },
        Happening::Refused { text } => Row::Refused { text: text.clone() },
    }
}

impl CallRow {
    fn of(record: &TraceRecord, ledger: &Ledger) -> Self {
        let moves = matches!(record.op, Op::ReadAt | Op::WriteAt);
        let sizes = matches!(record.op, Op::SetLen | Op::Allocate);
        let counts = moves || matches!(record.op, Op::List | Op::Len);
        let file = ledger.name_at(record.call).unwrap_or(&record.file);
        CallRow {
            call: record.call,
            op: record.op,
            file: file.to_owned(),
            to: record.to.as_deref().map(str::to_owned),
            offset: (moves || sizes).then_some(record.offset),
            len: moves.then_some(record.len),
            data: moves.then(|| format!("{:016x}", record.data)),
            result: match record.answer {
                Ok(value) if counts => value.to_string(),
                Ok(_) => "ok".to_owned(),
                Err(kind) => format!("{kind:?}"),
            },
            ok: record.answer.is_ok(),
            fault: record.fault,
        }
    }
}
