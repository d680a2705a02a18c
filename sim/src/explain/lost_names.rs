//! The rules about names: what a directory sync that is missing does.

use beaver_disk::{Fate, Op, RecordKind, Survival};

use super::acknowledged::Ack;
use super::evidence::{Evidence, MissingStep, step};
use super::explained_crash::ExplainedCrash;
use super::file_ops::FileOp;
use super::lost_bytes::METADATA;
use crate::faults::files::{segment_epoch, snapshot_epoch};

/// A name of a file was lost, and something in the file was acknowledged: the directory was not
/// synced.
pub(super) fn name_not_synced(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let crash = evidence.crash?;
    let lost = crash.files.iter().filter(|sides| sides.is_lost());
    lost.filter_map(|sides| sides.file).find_map(|file| {
        let naming =
            |op: &&FileOp| op.file == Some(file) && matches!(op.op, Op::Create | Op::Rename);
        let named = evidence.ops().filter(naming).last()?;
        let name = evidence.ops.name(file);
        let holds = evidence.acks().find(|ack| {
            let inside = ack.writes.iter().any(|op| op.file == Some(file));
            let told = ack.shown.call;
            inside && told >= named.call && !evidence.ops.dir_synced(name, named.call, told)
        });
        let reopened = evidence.openings.iter().find(|(_, opened)| {
            *opened >= named.call
                && *opened <= crash.call
                && !evidence.ops.dir_synced(name, named.call, *opened)
        });
        let how = match named.op {
            Op::Rename => format!("`{name}` got its name by a rename from `{}`", named.name),
            _ => format!("`{name}` was created"),
        };
        let when = match (holds, reopened) {
            (Some(ack), _) => format!("before {} was acknowledged in it", ack),
            (None, Some((_, opened))) => format!("before the store opened at call {opened}"),
            (None, None) => return None,
        };
        let sync = evidence.ops.failed_dir_sync(name, named.call, crash.call);
        let text = match sync {
            Some(sync) => format!(
                "{how} (call {}), but the sync of the directory failed (call {sync}) and was not made again {when}",
                named.call
            ),
            None => format!(
                "{how} (call {}), but the directory was never synced {when}",
                named.call
            ),
        };
        step("name-not-synced", named.call, text)
    })
}

/// A removal survived, and a name that was made before it did not.
pub(super) fn removed_too_early(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let crash = evidence.crash?;
    let removes = evidence.ops().filter(|op| op.op == Op::Remove && op.ok);
    removes.into_iter().find_map(|remove| {
        let file = remove.file?;
        let survived = crash.crashed.left.inode(&remove.name).is_none();
        let pending = evidence.ops().filter(|op| {
            op.call < remove.call
                && matches!(op.op, Op::Rename | Op::Create)
                && !evidence.ops.dir_synced(op.new_name(), op.call, remove.call)
                && op.file != Some(file)
        });
        let lost = pending
            .filter(|op| name_is_lost(crash, evidence, op))
            .last()?;
        let name = evidence.ops.name(lost.file?);
        let how = match evidence.ops.failed_dir_sync(name, lost.call, remove.call) {
            Some(sync) => format!("although the sync of the directory had failed (call {sync})"),
            None => "before the directory was synced".to_owned(),
        };
        let text = format!(
            "`{}` was removed (call {}) {how} after `{name}` got its name (call {})",
            remove.name, remove.call, lost.call
        );
        let step = step("removed-too-early", remove.call, text);
        step.filter(|_| survived)
    })
}

fn name_is_lost(crash: &ExplainedCrash<'_>, evidence: &Evidence<'_>, op: &FileOp) -> bool {
    let name = op.file.map(|file| evidence.ops.name(file));
    let gone = name.is_some_and(|name| crash.crashed.left.inode(name).is_none());
    let recorded = crash.records.iter().any(is_lost_name);
    gone && recorded
}

fn is_lost_name(record: &Survival) -> bool {
    let about_a_name = matches!(record.what, RecordKind::Create | RecordKind::Rename { .. });
    about_a_name && matches!(record.fate, Fate::Lost | Fate::NeitherName)
}

/// A rename, or the directory sync after it, failed, and the process went on in another file before
/// the new name was gone for good.
pub(super) fn rename_not_undone(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let renames = evidence.ops().filter(|op| op.op == Op::Rename);
    renames.into_iter().find_map(|rename| {
        let file = rename.file?;
        let later = || {
            let ops = evidence.ops();
            ops.filter(|op| op.call > rename.call && op.process == rename.process)
        };
        let failed = match rename.ok {
            false => rename.call,
            true => {
                later()
                    .next()
                    .filter(|next| next.op == Op::SyncDir && !next.ok)?
                    .call
            }
        };
        let undone = later().find(|op| op.op == Op::Remove && op.file == Some(file));
        let undone = undone.filter(|undone| undone.ok);
        let elsewhere = |ack: &&Ack| {
            let others = ack.writes.iter();
            let mut others = others.filter(|write| write.file != Some(file));
            others.any(|write| later().any(|op| op.call == write.call))
        };
        let ack = evidence.acks().find(elsewhere)?;
        let settled = undone.is_some_and(|undone| {
            evidence
                .ops
                .dir_synced(&undone.name, undone.call, ack.shown.call)
        });
        if settled {
            return None;
        }
        let name = rename.to.as_deref().unwrap_or(evidence.ops.name(file));
        let how = match undone {
            None => "and the new name was not removed",
            Some(_) => "and the removal that undoes it was not synced",
        };
        let text = format!(
            "the rename to `{name}` (call {}) failed, or the directory sync after it did, {how} \
             before {} was acknowledged in another file",
            rename.call, ack
        );
        step("rename-not-undone", failed, text)
    })
}

/// A segment was removed, or a snapshot moved away, and nothing that is there covers it.
pub(super) fn removed_uncovered(evidence: &Evidence<'_>) -> Option<MissingStep> {
    evidence.wholeness.first.as_ref()?;
    let covers = |epoch: u64| {
        let snapshots = evidence.met.names().filter_map(snapshot_epoch);
        snapshots.into_iter().any(|snapshot| snapshot >= epoch)
    };
    let mut ops = evidence.ops.between(0, evidence.end);
    ops.find_map(|op| {
        let gone = evidence.met.inode(&op.name).is_none();
        let epoch = segment_epoch(&op.name).or_else(|| snapshot_epoch(&op.name))?;
        let (what, how) = match op.op {
            Op::Remove if gone && op.ok => ("removed", "no snapshot that covers it is on the disk"),
            Op::Rename if gone && op.ok => (
                "renamed away",
                "nothing that takes its place is on the disk",
            ),
            _ => return None,
        };
        let text = format!("`{}` was {what} (call {}), and {how}", op.name, op.call);
        step("removed-uncovered", op.call, text).filter(|_| !covers(epoch))
    })
}

/// A name was removed, the process went on and acknowledged something, and the power cut brought the name back.
pub(super) fn removed_name_back(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let crash = evidence.crash?;
    let lost = |record: &&Survival| record.what == RecordKind::Remove && record.fate == Fate::Lost;
    crash.records.iter().filter(lost).find_map(|record| {
        let name = &record.file;
        let removed = |op: &&FileOp| op.op == Op::Remove && op.ok && *op.name == **name;
        let remove = evidence.ops().filter(removed).last()?;
        let back = crash.crashed.left.inode(name).is_some();
        // A sync that failed was not left out.
        let synced = evidence.ops.dir_synced(name, remove.call, crash.call)
            || evidence.ops.failed_dir_sync(name, remove.call, crash.call).is_some();
        // Where the crash came before the process could sync, nothing was left out.
        let went_on = evidence.acks.iter().any(|ack| ack.shown.call >= remove.call && ack.shown.call <= crash.call);
        let records = [format!("remove {name}"), METADATA.to_owned()];
        if !back || synced || !went_on || !(evidence.needs_loss)(&records) {
            return None;
        }
        let text = format!(
            "`{name}` was removed (call {}), the directory was not synced after it, and the power cut brought it back: had it stayed away, this run would hold",
            remove.call
        );
        step("removed-name-back", remove.call, text)
    })
}
