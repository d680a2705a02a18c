//! The rules about bytes: what a sync, a cut or a rewrite that is missing does.

use beaver_disk::{Fate, Op, RecordKind, Survival};

use super::acknowledged::Ack;
use super::evidence::{Evidence, MissingStep, step};
use super::explained_crash::{BeforeAfter, ExplainedCrash};
use super::file_ops::{FileId, FileOp};
use super::plain_text::shortened;
use crate::invariant::Invariant;
use crate::result::Violation;
use crate::run_log::RunEvent;

/// The names and lengths of all files together, where they survive in order.
pub(super) const METADATA: &str = "metadata";

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
                format!("command {step} ({})", shortened(command))
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
    let unwritten = |ack: &&Ack| !ack.changed;
    let ack = evidence.acks().find(unwritten)?;
    let text = format!(
        "{} was acknowledged before anything was written for it",
        ack
    );
    step("never-written", ack.shown.call, text)
}

/// The first rename of a file whose bytes were not synced before it and were lost, and the last write before it.
fn unsynced_rename<'e>(evidence: &Evidence<'e>) -> Option<(FileId, &'e FileOp, &'e FileOp)> {
    let mut renames = evidence.ops().filter(|op| op.op == Op::Rename);
    renames.find_map(|rename| {
        let file = rename.file.filter(|file| evidence.lost(*file))?;
        let written =
            |op: &&FileOp| op.file == Some(file) && op.op == Op::WriteAt && op.call < rename.call;
        let write = evidence.ops().filter(written).last()?;
        let synced = evidence.ops.synced(file, write.call, rename.call);
        (!synced).then_some((file, write, rename))
    })
}

pub(super) fn renamed_before_sync(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let (file, write, rename) = unsynced_rename(evidence)?;
    let to = evidence.ops.name(file);
    let how = match evidence.ops.failed_sync(file, write.call, rename.call) {
        Some(sync) => format!("although the sync of its data had failed (call {sync})"),
        None => format!(
            "before its data (written by call {}) was synced",
            write.call
        ),
    };
    let text = format!(
        "`{}` was renamed to `{to}` (call {}) {how}",
        rename.name, rename.call
    );
    step("renamed-before-sync", rename.call, text)
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
            Some(next) if is_written_again(write, next) => return None,
            Some(_) if later.any(|op| op.op == Op::SetLen && op.offset <= write.offset) => {
                return None;
            }
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

/// Whether a call writes over all that a write which failed may have left, as after one that was interrupted.
fn is_written_again(failed: &FileOp, next: &FileOp) -> bool {
    let covers = next.offset == failed.offset && next.len >= failed.len;
    next.op == Op::WriteAt && next.ok && covers
}

pub(super) fn hole(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let mut ends: std::collections::BTreeMap<FileId, u64> = [].into();
    // Of a write that took a part alone `short_write` speaks.
    let short: Vec<FileId> = evidence.short_writes().collect();
    evidence.ops().find_map(|op| {
        let file = op.file.filter(|_| op.ok)?;
        let known = ends.get(&file).copied();
        match op.op {
            Op::Create => ends.insert(file, 0),
            Op::SetLen => ends.insert(file, op.offset),
            Op::Allocate => known.and_then(|end| ends.insert(file, end.max(op.offset))),
            Op::WriteAt => {
                let end = op.offset + op.len;
                if let Some(known) =
                    known.filter(|known| op.offset > *known && !short.contains(&file))
                {
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
    // A name says that the bytes under it are durable: then the fault is not in believing it.
    let renamed = unsynced_rename(evidence).map(|(file, ..)| file);
    let mut files = crash
        .files
        .iter()
        .filter(there)
        .filter_map(|sides| sides.file)
        .filter(|file| Some(*file) != renamed);
    // The first process of all has nothing to believe.
    let opened = evidence.openings.iter().rfind(|(from, opened)| {
        *from > 0 && *opened > evidence.window.0 && *opened <= crash.call
    })?;
    let file = files.find(|file| {
        !rewritten(evidence, *file, *opened) && lost_what_it_met(evidence, *file, *opened)
    })?;
    let name = evidence.ops.name(file);
    let synced = evidence.ops.synced(file, opened.0, opened.1);
    let how = match (synced, evidence.ops.failed_sync(file, opened.0, opened.1)) {
        (true, _) => {
            "synced it, but did not write those bytes again: after a failed sync, the next \
                      one says ok and writes nothing"
                .to_owned()
        }
        (false, Some(sync)) => format!("opened although its sync had failed (call {sync})"),
        (false, None) => "did not sync it".to_owned(),
    };
    let text = format!(
        "a process ended and left bytes of `{name}` in the cache alone; the recovery that ended \
         at call {} believed them and {how}",
        opened.1
    );
    step("cache-believed", opened.1, text)
}

/// Whether the first byte of a file that the crash took was written before a recovery, and not after it.
fn lost_what_it_met(evidence: &Evidence<'_>, file: FileId, (from, to): (u64, u64)) -> bool {
    let Some((crash, sides)) = evidence
        .crash
        .and_then(|crash| Some((crash, crash.sides_of(file)?)))
    else {
        return false;
    };
    let left = sides.left.as_deref().unwrap_or_default();
    let live = &sides.view.live;
    let same = live
        .iter()
        .zip(left)
        .take_while(|(one, other)| one == other);
    let at = same.count() as u64;
    let wrote = |after, until| {
        let mut ops = evidence.ops.between(after, until);
        ops.any(|op| {
            let here = (op.offset..op.offset + op.len).contains(&at);
            op.op == Op::WriteAt && op.file == Some(file) && op.ok && here
        })
    };
    // Bytes that came back were not lost.
    let lost = at < live.len() as u64;
    lost && wrote(0, from) && !wrote(to, crash.call)
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
    let begun = evidence
        .log
        .iter()
        .rfind(|event| matches!(event.event, RunEvent::Opening { .. }))?;
    if begun.call != *from {
        return None;
    }
    let (met, left) = (evidence.met.read(name)?, evidence.left.read(name)?);
    let offset = usize::try_from(*offset).ok()?;
    let end = met.get(offset..).filter(|end| !end.is_empty())?;
    let damaged = evidence
        .strikes
        .iter()
        .any(|strike| strike.fault.kind.damages());
    if damaged || left.get(offset..offset + end.len()) != Some(end) {
        return None;
    }
    let text = format!(
        "`{name}` has an unfinished end from byte {offset} on, and the recovery that ended at \
         call {to} did not cut it off"
    );
    step("end-not-cut", *to, text)
}

/// The length of a file was set, and the power cut took that back.
pub(super) fn set_len_lost(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let crash = evidence.crash?;
    let lost = crash.records.iter().filter_map(|record| match record.what {
        RecordKind::SetLen { len } if record.fate == Fate::Lost => Some((record, len)),
        _ => None,
    });
    lost.into_iter().find_map(|(record, len)| {
        let inode = record.inode?;
        let sides = crash.files.iter().find(|sides| sides.view.inode == inode)?;
        let file = sides.file?;
        let set = |op: &&FileOp| op.op == Op::SetLen && op.file == Some(file) && op.offset == len;
        let set = evidence.ops().filter(set).last()?;
        let records = [format!("length of {}", record.file), METADATA.to_owned()];
        let synced = evidence.ops.synced(file, set.call, crash.call);
        if synced || !(evidence.needs_loss)(&records) {
            return None;
        }
        let how = match evidence.ops.failed_sync(file, set.call, crash.call) {
            Some(sync) => format!("the sync after it failed (call {sync})"),
            None => "that was never synced".to_owned(),
        };
        let text = format!(
            "`{}` was set to {len} bytes (call {}), {how}, and the power cut took it back: had it stayed so, this run would hold",
            evidence.ops.name(file),
            set.call
        );
        step("set-len-lost", set.call, text)
    })
}

/// A file had its name before its first sync, and the power cut left the name without the bytes.
pub(super) fn named_before_sync(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let crash = evidence.crash?;
    let mut left = crash.files.iter().filter(|sides| sides.named);
    left.find_map(|sides| {
        let file = sides.file?;
        let naming = |op: &&FileOp| {
            op.file == Some(file) && matches!(op.op, Op::Create | Op::Rename)
        };
        let named = evidence.ops().filter(naming).last()?;
        if evidence.ops.synced(file, 0, crash.call) {
            return None;
        }
        let about = |record: &&Survival| record.inode == Some(sides.view.inode);
        let records = crash.records.iter().filter(about);
        let records = records.filter_map(|record| match record.what {
            RecordKind::Growth { .. } | RecordKind::SetLen { .. } => {
                Some(format!("length of {}", record.file))
            }
            RecordKind::Page { page, .. } => Some(format!("page {page} of {}", record.file)),
            _ => None,
        });
        let records: Vec<String> = records.collect();
        let name_alone = sides.left.as_ref().is_some_and(Vec::is_empty) && {
            let create = [format!("create {}", named.name), METADATA.to_owned()];
            named.op == Op::Create && (evidence.needs_survival)(&create)
        };
        let lost = name_alone || (sides.changed() && (evidence.needs_loss)(&records));
        if !lost {
            return None;
        }
        let name = evidence.ops.name(file);
        let text = match evidence.ops.failed_sync(file, 0, crash.call) {
            Some(sync) => format!(
                "`{name}` got its name (call {}) although no sync of it succeeded (call {sync} failed), and the power cut \
                 left the name without the bytes",
                named.call
            ),
            None => format!(
                "`{name}` got its name (call {}) before its first sync, and the power cut left the name without the bytes",
                named.call
            ),
        };
        step("named-before-sync", named.call, text)
    })
}

/// Bytes were not synced before the store went on, and the power cut took them.
pub(super) fn bytes_not_synced(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let crash = evidence.crash?;
    crash.files.iter().find_map(|sides| {
        let file = sides.file.filter(|_| sides.changed())?;
        let written = |op: &&FileOp| op.file == Some(file) && op.op == Op::WriteAt && op.ok;
        let write = evidence.ops().filter(written).last()?;
        let told = evidence.went_on(write.call)?;
        let records = lost_bytes(crash, sides);
        let synced = evidence.ops.synced(file, write.call, told.call);
        if synced || records.is_empty() || !(evidence.needs_loss)(&records) {
            return None;
        }
        let name = &write.name;
        let how = match evidence.ops.failed_sync(file, write.call, told.call) {
            Some(sync) => format!("its sync failed (call {sync})"),
            None => "never synced".to_owned(),
        };
        let text = format!(
            "`{name}` was written (call {}) and {how} before {told}: the power cut took its bytes, and had they \
             stayed, this run would hold",
            write.call
        );
        step("bytes-not-synced", write.call, text)
    })
}

/// What has to survive for the bytes of a file to be there, by the names in the script of the run.
fn lost_bytes(crash: &ExplainedCrash<'_>, sides: &BeforeAfter) -> Vec<String> {
    let about = |record: &&Survival| record.inode == Some(sides.view.inode);
    let lost = crash.records.iter().filter(about);
    let lost = lost.filter(|record| record.fate == Fate::Lost);
    let named = lost.filter_map(|record| match record.what {
        RecordKind::Growth { .. } | RecordKind::SetLen { .. } => {
            Some(format!("length of {}", record.file))
        }
        RecordKind::Page { page, .. } => Some(format!("page {page} of {}", record.file)),
        _ => None,
    });
    let mut records: Vec<String> = named.collect();
    if !records.is_empty() {
        // Where lengths survive in order with names, theirs is not an option of its own.
        records.push(METADATA.to_owned());
    }
    records
}
