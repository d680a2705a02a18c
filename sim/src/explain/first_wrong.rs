//! The first place where something is wrong: a byte of a file, or a field of what was expected.

use serde::Serialize;

use super::acknowledged::{Ack, AckFate};
use super::explained_crash::{BeforeAfter, ExplainedCrash};
use super::file_ops::FileOpLog;
use super::whole::Wholeness;
use crate::invariant::Invariant;
use crate::result::Violation;

/// Where something is wrong first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum FirstWrong {
    /// Bytes that were acknowledged are not there.
    LostByte {
        /// The file.
        file: String,
        /// The first of them.
        offset: u64,
        /// Whether the whole file is gone.
        gone: bool,
        /// The command that they were acknowledged with.
        command: u64,
    },
    /// Bytes were pending and lost; none of them was acknowledged in this run's last part.
    ChangedByte {
        /// The file.
        file: String,
        /// The first byte that is another than before the crash.
        offset: u64,
    },
    /// A byte does not read as part of a store.
    BadByte {
        /// The file.
        file: String,
        /// The first such byte.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The files are whole: what was read from them differs.
    Field {
        /// What had to be.
        expected: String,
        /// What was.
        found: String,
    },
}

pub(super) fn first_wrong(
    acks: &[Ack],
    crash: Option<&ExplainedCrash<'_>>,
    ops: &FileOpLog,
    wholeness: &Wholeness,
    violation: &Violation,
) -> FirstWrong {
    let lost = acks.iter().find_map(|ack| match &ack.shown.fate {
        AckFate::Lost { file, offset, gone } => Some(FirstWrong::LostByte {
            file: file.clone(),
            offset: *offset,
            gone: *gone,
            command: ack.shown.command,
        }),
        _ => None,
    });
    let bad = || {
        let (file, offset, reason) = wholeness.first.clone()?;
        Some(FirstWrong::BadByte {
            file,
            offset,
            reason,
        })
    };
    let changed = || {
        let changed = crash?.files.iter().filter(|sides| sides.changed());
        let named = |sides: &&BeforeAfter| {
            let names = &mut sides.view.live_names.iter();
            names.any(|name| !name.ends_with(".tmp"))
        };
        let mut changed = changed.filter(named).filter_map(|sides| {
            let left = sides.left.as_deref().unwrap_or_default();
            let live = &sides.view.live;
            let same = live.iter().zip(left).take_while(|(a, b)| a == b).count();
            Some((ops.name(sides.file?).to_owned(), same as u64))
        });
        let (file, offset) = changed.next()?;
        Some(FirstWrong::ChangedByte { file, offset })
    };
    let field = || FirstWrong::Field {
        expected: violation.expected.clone(),
        found: violation.found.clone(),
    };
    // What was lost explains what is read; where nothing was, the invariants about state and order
    // are about what was made of the files.
    let about_bytes = matches!(
        violation.invariant,
        Invariant::Durability
            | Invariant::NoPhantom
            | Invariant::Decided
            | Invariant::Idempotence
            | Invariant::Availability
            | Invariant::Honesty
    );
    lost.or_else(bad)
        .or_else(|| changed().filter(|_| about_bytes))
        .unwrap_or_else(field)
}

impl std::fmt::Display for FirstWrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FirstWrong::LostByte {
                file,
                offset,
                gone,
                command,
            } => {
                let gone = if *gone { ", with the whole file" } else { "" };
                write!(
                    f,
                    "{file}, byte {offset}: gone{gone}; acknowledged with command {command}"
                )
            }
            FirstWrong::ChangedByte { file, offset } => {
                write!(f, "{file}, byte {offset}: not what it was before the crash")
            }
            FirstWrong::BadByte {
                file,
                offset,
                reason,
            } => write!(f, "{file}, byte {offset}: {reason}"),
            FirstWrong::Field { .. } => {
                f.write_str("no byte: the files are whole, what was made of them differs")
            }
        }
    }
}
