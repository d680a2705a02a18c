//! The rules about bytes: what a sync, a cut or a rewrite that is missing does.

use beaver_disk::Op;

use super::acknowledged::{Ack, AckFate};
use super::evidence::{Evidence, MissingStep, step};
use super::explained_crash::BeforeAfter;
use super::file_ops::{FileId, FileOp};
use crate::invariant::Invariant;
use crate::result::Violation;

pub(super) fn sync_failed(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let failed = |op: &&FileOp| op.op == Op::SyncData && !op.ok;
    evidence.ops().filter(failed).find_map(|sync| {
        let file = sync.file?;
        let same_process = |until: u64| {
            let mut later = evidence.ops.between(sync.call, until);
            later.all(|op| op.process == sync.process)
        };
        let holds = |ack: &&Ack| {
            let inside = ack.writes.iter().any(|write| write.file == Some(file));
            inside && ack.shown.call >= sync.call && same_process(ack.shown.call)
        };
        let what = match evidence.acks().find(holds) {
            Some(ack) => ack.to_string(),
            // What must not be acknowledged is judged before it counts as acknowledged.
            None if evidence.violation.invariant == Invariant::Poison
                && same_process(evidence.end) =>
            {
                let Violation { step, command, .. } = evidence.violation;
                format!("command {step} ({command})")
            }
            None => return None,
        };
        let text = format!(
            "sync of `{}` failed (call {}) and its data was acknowledged later, with {what}",
            evidence.ops.name(file),
            sync.call,
        );
        step("sync-failed", sync.call, text)
    })
}

pub(super) fn not_synced(evidence: &Evidence<'_>) -> Option<MissingStep> {
    evidence.acks().find_map(|ack| {
        let write = ack.writes.iter().find(|write| {
            let mut later = evidence.ops.between(write.call, ack.shown.call);
            !later.any(|op| op.op == Op::SyncData && op.file == write.file)
        })?;
        let name = evidence.ops.name(write.file?);
        let text = format!(
            "the write at offset {} of `{name}` (call {}) was acknowledged with {ack}, but never \
             synced before",
            write.offset, write.call
        );
        step("not-synced", write.call, text)
    })
}

pub(super) fn never_written(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let unwritten = |ack: &&Ack| ack.shown.fate == AckFate::NeverWritten || ack.writes.is_empty();
    let ack = evidence.acks().find(unwritten)?;
    let text = format!(
        "{} was acknowledged before anything was written for it",
        ack
    );
    step("never-written", ack.shown.call, text)
}

pub(super) fn renamed_before_sync(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let renames = evidence.ops().filter(|op| op.op == Op::Rename);
    renames.into_iter().find_map(|rename| {
        let file = rename.file.filter(|file| evidence.lost(*file))?;
        let written =
            |op: &&FileOp| op.file == Some(file) && op.op == Op::WriteAt && op.call < rename.call;
        let write = evidence.ops().filter(written).last()?;
        if evidence.ops.synced(file, write.call, rename.call) {
            return None;
        }
        let to = evidence.ops.name(file);
        let text = format!(
            "`{}` was renamed to `{to}` (call {}) before its data (written by call {}) was synced",
            rename.name, rename.call, write.call
        );
        step("renamed-before-sync", rename.call, text)
    })
}

pub(super) fn failed_write_stays(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let failed = |op: &&FileOp| op.op == Op::WriteAt && !op.ok;
    evidence.ops().filter(failed).find_map(|write| {
        let file = write.file?;
        let later = evidence
            .ops()
            .filter(|op| op.call > write.call && op.process == write.process);
        let mut later = later.filter(|op| op.file == Some(file));
        match later.next() {
            Some(next) if matches!(next.op, Op::SetLen | Op::Remove) => return None,
            Some(_) => {}
            // The process never came back to the file: then only what came of it tells.
            None if evidence.violation.invariant == Invariant::NoPhantom => {}
            None => return None,
        }
        let text = format!(
            "the write at offset {} of `{}` failed (call {}), and what it left there was never \
             cut off",
            write.offset,
            evidence.ops.name(file),
            write.call
        );
        step("failed-write-stays", write.call, text)
    })
}

pub(super) fn hole(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let mut ends: std::collections::BTreeMap<FileId, u64> = [].into();
    evidence.ops().find_map(|op| {
        let file = op.file.filter(|_| op.ok)?;
        let known = ends.get(&file).copied();
        match op.op {
            Op::Create => ends.insert(file, 0),
            Op::SetLen => ends.insert(file, op.offset),
            Op::Allocate => known.and_then(|end| ends.insert(file, end.max(op.offset))),
            Op::WriteAt => {
                let end = op.offset + op.len;
                if let Some(known) = known.filter(|known| op.offset > *known) {
                    let text = format!(
                        "the write at offset {} of `{}` (call {}) begins after the end of the \
                         file, which was cut to {known} bytes: it leaves a hole",
                        op.offset,
                        evidence.ops.name(file),
                        op.call
                    );
                    return step("hole", op.call, text);
                }
                known.and_then(|known| ends.insert(file, known.max(end)))
            }
            _ => None,
        };
        None
    })
}

pub(super) fn cache_believed(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let crash = evidence.crash?;
    let there = |sides: &&BeforeAfter| sides.changed() && !sides.is_lost();
    let mut files = crash
        .files
        .iter()
        .filter(there)
        .filter_map(|sides| sides.file);
    // The first process of all has nothing to believe.
    let opened = evidence.openings.iter().rfind(|(from, opened)| {
        *from > 0 && *opened > evidence.window.0 && *opened <= crash.call
    })?;
    let file = files.find(|file| !rewritten(evidence, *file, *opened))?;
    let name = evidence.ops.name(file);
    let how = match evidence.ops.synced(file, opened.0, opened.1) {
        true => {
            "synced it, but did not write those bytes again: after a failed sync, the next one \
             says ok and writes nothing"
        }
        false => "did not sync it",
    };
    let text = format!(
        "a process ended and left bytes of `{name}` in the cache alone; the recovery that ended \
         at call {} believed them and {how}",
        opened.1
    );
    step("cache-believed", opened.1, text)
}

/// Whether a recovery wrote to a file and synced it.
fn rewritten(evidence: &Evidence<'_>, file: FileId, (from, to): (u64, u64)) -> bool {
    let wrote = evidence.ops.between(from, to);
    let mut wrote = wrote.filter(|op| op.op == Op::WriteAt && op.file == Some(file));
    wrote.any(|op| evidence.ops.synced(file, op.call, to))
}

pub(super) fn end_not_cut(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let (name, offset) = evidence.wholeness.torn_tail.as_ref()?;
    let (from, to) = evidence.openings.last()?;
    let cut = evidence.ops.between(*from, *to).any(|op| {
        let file = op.file.map(|file| evidence.ops.name(file));
        let cut = op.op == Op::SetLen && op.offset <= *offset;
        let replaced = matches!(op.op, Op::Remove | Op::Rename);
        file == Some(name.as_str()) && (cut || replaced)
    });
    if cut {
        return None;
    }
    let text = format!(
        "`{name}` has an unfinished end from byte {offset} on, and the recovery that ended at \
         call {to} did not cut it off"
    );
    step("end-not-cut", *to, text)
}

pub(super) fn damage_believed(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let damage = |kind: crate::scenario::FaultKind| kind.damages();
    let faults = &evidence.script?.faults;
    if let Some(fault) = faults.iter().rfind(|fault| damage(fault.kind)) {
        let what = super::crash_text::of_damage(&fault.effect);
        let text = format!(
            "{what} before call {}: the store did not notice, or made something wrong of it",
            fault.call
        );
        return step("damage-believed", fault.call, text);
    }
    let wrong = faults
        .iter()
        .rfind(|fault| fault.kind == crate::scenario::FaultKind::WrongRead)?;
    let text = format!(
        "the read of call {} returned wrong bytes, and the store acted on them without reading \
         again",
        wrong.call
    );
    step("damage-believed", wrong.call, text)
}
