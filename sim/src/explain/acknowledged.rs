//! What the client was told, and whether it is still there.

use serde::Serialize;

use super::cut::Cut;
use super::ledger::{FileNumber, Ledger};
use crate::run::Watched;
use crate::tape::Happening;
use beaver_disk::Op;

/// A promise that the client was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Acknowledged {
    /// The number of the command.
    pub command: u64,
    /// The command in words.
    pub words: String,
    /// The last storage call before the answer.
    pub call: u64,
    /// Where it stands in the log of a store that says so: epoch and seq.
    pub place: String,
    /// What its bytes came to at the crash that is explained.
    pub fate: Kept,
}

/// What became of the bytes behind an acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kept")]
pub enum Kept {
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

/// An acknowledgement with the calls that were made for it.
#[derive(Clone, Debug)]
pub(super) struct Ack {
    pub(super) shown: Acknowledged,
    /// Writes: file, offset, length, call.
    pub(super) writes: Vec<(FileNumber, u64, u64, u64)>,
}

/// All acknowledgements of records, in order.
pub(super) fn acknowledged(watched: &Watched, ledger: &Ledger, cut: Option<&Cut<'_>>) -> Vec<Ack> {
    let mut acks = Vec::new();
    let (mut number, mut begun) = (0, 0);
    for entry in &watched.tape {
        match &entry.what {
            Happening::Command { number: next, .. } => (number, begun) = (*next, entry.call),
            Happening::Acknowledged {
                words, position, ..
            } => {
                let writes = ledger.between(begun, entry.call);
                let writes = writes.filter(|deed| deed.op == Op::WriteAt && deed.ok);
                let writes: Vec<_> = writes
                    .filter_map(|deed| Some((deed.file?, deed.offset, deed.len, deed.call)))
                    .collect();
                let fate = cut.map_or(Kept::NotTouched, |cut| {
                    fate(&writes, entry.call, ledger, cut)
                });
                let shown = Acknowledged {
                    command: number,
                    words: words.clone(),
                    call: entry.call,
                    place: position.map_or_else(String::new, |at| at.to_string()),
                    fate,
                };
                acks.push(Ack { shown, writes });
            }
            _ => {}
        }
    }
    acks
}

/// Whether what was written for an acknowledgement is on the disk that the crash left.
fn fate(writes: &[(FileNumber, u64, u64, u64)], call: u64, ledger: &Ledger, cut: &Cut<'_>) -> Kept {
    if call > cut.call {
        return Kept::NotTouched;
    }
    if writes.is_empty() {
        return Kept::NeverWritten;
    }
    let sides_of = |file| cut.sides_of(file);
    if writes.iter().all(|(file, ..)| sides_of(*file).is_none()) {
        return Kept::NotTouched;
    }
    for (file, offset, len, _) in writes {
        let Some(sides) = cut.sides_of(*file) else {
            continue;
        };
        let file = ledger.name(*file).to_owned();
        let Some(left) = &sides.left else {
            if sides.view.live_names.is_empty() {
                return Kept::Removed { file };
            }
            let (offset, gone) = (*offset, true);
            return Kept::Lost { file, offset, gone };
        };
        let wrong = (*offset..offset + len).find(|at| {
            let at = usize::try_from(*at).unwrap_or(usize::MAX);
            sides
                .view
                .live
                .get(at)
                .is_some_and(|byte| left.get(at) != Some(byte))
        });
        if let Some(offset) = wrong {
            let gone = false;
            return Kept::Lost { file, offset, gone };
        }
    }
    Kept::There
}
