//! What the client was told, and whether it is still there.

use std::fmt;

use beaver_disk::Op;
use serde::Serialize;

use super::explained_crash::ExplainedCrash;
use super::file_ops::{FileOp, FileOpLog};
use super::plain_text::shortened;
use crate::run_log::{LoggedEvent, RunEvent, at};

/// A promise that the client was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Acknowledged {
    /// The number of the command.
    pub command: u64,
    /// The command as text.
    pub text: String,
    /// The last storage call before the answer.
    pub call: u64,
    /// Where it stands in the log of a store that says so: epoch and seq.
    pub place: String,
    /// What its bytes came to at the crash that is explained.
    pub fate: AckFate,
}

/// What became of the bytes of an acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kept")]
pub enum AckFate {
    /// There was no crash, or it came before they were written, or after their file was gone.
    NotTouched,
    /// All of them are there.
    There,
    /// The program removed the file.
    Removed {
        /// The file.
        file: String,
    },
    /// They are not.
    Lost {
        /// The file.
        file: String,
        /// The first byte that is not there.
        offset: u64,
        /// Whether the file itself is gone.
        gone: bool,
    },
    /// Nothing was written for it.
    NeverWritten,
}

impl fmt::Display for AckFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AckFate::NotTouched => f.write_str("not touched by a crash"),
            AckFate::There => f.write_str("there"),
            AckFate::NeverWritten => f.write_str("never written"),
            AckFate::Removed { file } => write!(f, "removed with {file}"),
            AckFate::Lost { file, gone, .. } if *gone => write!(f, "lost with {file}"),
            AckFate::Lost { file, offset, .. } => write!(f, "lost at byte {offset} of {file}"),
        }
    }
}

/// One row of the table of acknowledgements.
impl fmt::Display for Acknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (command, call, place) = (self.command, self.call, &self.place);
        let (fate, text) = (&self.fate, shortened(&self.text));
        write!(f, "  {command:>7} {call:>6}  {place:>5}  {fate}: {text}")
    }
}

/// An acknowledgement with the writes that were made for it.
#[derive(Clone, Debug)]
pub(super) struct Ack {
    pub(super) shown: Acknowledged,
    pub(super) writes: Vec<FileOp>,
    /// Whether any call was made for it that changes something, a removal or a length that is set too.
    pub(super) changed: bool,
}

/// `command 3 (enqueue job-1)`.
impl fmt::Display for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Acknowledged { command, text, .. } = &self.shown;
        write!(f, "command {command} ({})", shortened(text))
    }
}

/// All acknowledgements, in order.
pub(super) fn acknowledged(
    log: &[LoggedEvent],
    ops: &FileOpLog,
    crash: Option<&ExplainedCrash<'_>>,
) -> Vec<Ack> {
    let mut acks = Vec::new();
    let (mut command, mut begun) = (0, 0);
    for LoggedEvent { call, event } in log {
        match event {
            RunEvent::Command { number, .. } => (command, begun) = (*number, *call),
            RunEvent::Acknowledged { text, position } => {
                let changes = ops.between(begun, *call);
                let is_change = |op: &FileOp| !matches!(op.op, Op::SyncData | Op::SyncDir);
                let changed = changes.clone().any(is_change);
                let writes = changes.filter(|op| op.op == Op::WriteAt && op.ok);
                let writes: Vec<FileOp> = writes.filter(|op| op.file.is_some()).cloned().collect();
                let fate = match crash {
                    Some(crash) if !writes.is_empty() => fate(&writes, *call, ops, crash),
                    Some(crash) if *call <= crash.call && !changed => AckFate::NeverWritten,
                    _ => AckFate::NotTouched,
                };
                let shown = Acknowledged {
                    command,
                    text: text.clone(),
                    call: *call,
                    place: at(*position),
                    fate,
                };
                acks.push(Ack {
                    shown,
                    writes,
                    changed,
                });
            }
            _ => {}
        }
    }
    acks
}

/// Whether what was written for an acknowledgement is on the disk that the crash left.
fn fate(writes: &[FileOp], call: u64, ops: &FileOpLog, crash: &ExplainedCrash<'_>) -> AckFate {
    if call > crash.call {
        return AckFate::NotTouched;
    }
    let there = |write: &FileOp| write.file.and_then(|file| crash.sides_of(file));
    if writes.iter().all(|write| there(write).is_none()) {
        return AckFate::NotTouched;
    }
    for write in writes {
        let (Some(file), Some(sides)) = (write.file, there(write)) else {
            continue;
        };
        let file = ops.name(file).to_owned();
        if sides.is_lost() {
            let (offset, gone) = (write.offset, true);
            return AckFate::Lost { file, offset, gone };
        }
        let Some(left) = &sides.left else {
            return AckFate::Removed { file };
        };
        let wrong = (write.offset..write.offset + write.len).find(|at| {
            let at = usize::try_from(*at).unwrap_or(usize::MAX);
            let live = sides.view.live.get(at);
            live.is_some_and(|byte| left.get(at) != Some(byte))
        });
        if let Some(offset) = wrong {
            let gone = false;
            return AckFate::Lost { file, offset, gone };
        }
    }
    AckFate::There
}
