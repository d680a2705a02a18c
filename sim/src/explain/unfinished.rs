//! The rules about what a process had begun when it ended: they apply where the storage calls were made in the
//! right order, and the next process can do nothing with what it finds.

use std::io::ErrorKind;

use beaver_disk::{Op, TraceRecord};

use super::acknowledged::Ack;
use super::evidence::{Evidence, MissingStep, step};
use super::file_ops::{FileId, FileOp};
use crate::invariant::Invariant;
use crate::run_log::RunEvent;

/// A file was emptied although what was acknowledged was in it, and the process ended before that was written again.
pub(super) fn cut_in_place(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let cut_after = |ack: &Ack, write: &FileOp| {
        let cuts =
            |op: &&FileOp| op.op == Op::SetLen && op.ok && op.file == write.file && op.offset == 0;
        let ops = evidence.ops.between(ack.shown.call, evidence.end);
        let cut = ops.filter(cuts).last()?;
        if !is_unfinished(evidence, cut) {
            return None;
        }
        let met = evidence.met.read(evidence.ops.name(write.file?))?;
        ((met.len() as u64) < write.offset + write.len).then_some(cut)
    };
    evidence.acks.iter().find_map(|ack| {
        let cut = ack.writes.iter().find_map(|write| cut_after(ack, write))?;
        let text = format!(
            "`{}` was cut to 0 bytes (call {}) with {ack} in it, which no other file holds: until it is written \
             and synced again, a crash loses it; write a new file and rename it over this one",
            evidence.ops.name(cut.file?),
            cut.call
        );
        step("cut-in-place", cut.call, text)
    })
}

/// Whether the process that made a call ended before it acknowledged anything more.
fn is_unfinished(evidence: &Evidence<'_>, begun: &FileOp) -> bool {
    let later = evidence
        .acks
        .iter()
        .filter(|ack| ack.shown.call >= begun.call);
    let mut until = later.map(|ack| ack.shown.call);
    let Some(until) = until.next() else {
        return true;
    };
    let mut ops = evidence.ops.between(begun.call, until);
    ops.any(|op| op.process != begun.process)
}

/// The store does not open, because a file that is to be new is there already.
pub(super) fn left_over(evidence: &Evidence<'_>) -> Option<MissingStep> {
    if evidence.violation.invariant != Invariant::Availability {
        return None;
    }
    let refused = |record: &TraceRecord| {
        record.op == Op::Create && record.answer == Err(ErrorKind::AlreadyExists)
    };
    let call = evidence
        .log
        .iter()
        .rev()
        .find_map(|event| match &event.event {
            RunEvent::Call { record } if refused(record) => Some(record),
            _ => None,
        })?;
    let text = format!(
        "`{}` is left over from a process that ended, and cannot be created as a new file (call {}): the store \
         does not remove it when it opens",
        call.file, call.call
    );
    step("left-over", call.call, text)
}

/// A write that was never acknowledged is there in part, and the store made a state of it.
pub(super) fn torn_believed(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let crash = evidence.crash?;
    if evidence.violation.invariant != Invariant::State {
        return None;
    }
    let acknowledged = |file: FileId, at: u64| {
        let mut writes = evidence.acks.iter().flat_map(|ack| &ack.writes);
        writes.any(|write| {
            write.file == Some(file) && (write.offset..write.offset + write.len).contains(&at)
        })
    };
    crash.files.iter().find_map(|sides| {
        let (file, left) = (sides.file?, sides.left.as_deref()?);
        let live = &sides.view.live;
        let mut pairs = live.iter().zip(left);
        let at = pairs.position(|(one, other)| one != other)? as u64;
        if acknowledged(file, at) {
            return None;
        }
        let text = format!(
            "`{}` is torn: what was written from byte {at} on, and never acknowledged, did not survive with what \
             stands before it, and the store took that for whole; a checksum would tell",
            evidence.ops.name(file)
        );
        step("torn-believed", crash.call, text)
    })
}
