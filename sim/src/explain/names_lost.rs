//! The rules about names: what a directory sync that is missing does.

use beaver_disk::{Fate, Op, RecordKind, Survival};

use super::cut::Cut;
use super::ledger::{Deed, FileNumber};
use super::missing::{Case, MissingStep, command, step};
use crate::faults::files::{segment_epoch, snapshot_epoch};

/// A name of a file was lost, and something in the file was acknowledged: nobody synced the
/// directory.
pub(super) fn name_not_synced(case: &Case<'_>) -> Option<MissingStep> {
    let cut = case.cut?;
    let lost = cut.files.iter().filter(|sides| sides.left.is_none());
    let lost = lost.filter(|sides| !sides.view.live_names.is_empty());
    lost.filter_map(|sides| sides.file).find_map(|file| {
        let naming =
            |deed: &&Deed| deed.file == Some(file) && matches!(deed.op, Op::Create | Op::Rename);
        let named = case.deeds().filter(naming).last()?;
        let holds = case.acks().find(|ack| {
            let writes = ack.writes.iter();
            let inside = |(written, _, _, call): &(FileNumber, u64, u64, u64)| {
                *written == file && *call > named.call
            };
            writes.into_iter().any(inside) && !case.ledger.dir_synced(named.call, ack.shown.call)
        });
        let reopened = case.openings.iter().find(|(_, opened)| {
            *opened >= named.call
                && *opened <= cut.call
                && !case.ledger.dir_synced(named.call, *opened)
        });
        let name = case.ledger.name(file);
        let how = match named.op {
            Op::Rename => format!("`{name}` got its name by a rename from `{}`", named.name),
            _ => format!("`{name}` was created"),
        };
        let when = match (holds, reopened) {
            (Some(ack), _) => format!("before {} was acknowledged in it", command(ack)),
            (None, Some((_, opened))) => format!("before the store opened at call {opened}"),
            (None, None) => return None,
        };
        let words = format!(
            "{how} (call {}), but the directory was never synced {when}",
            named.call
        );
        step("name-not-synced", named.call, words)
    })
}

/// A removal survived, and a name that was made before it did not.
pub(super) fn removed_too_early(case: &Case<'_>) -> Option<MissingStep> {
    let cut = case.cut?;
    let removes = case.deeds().filter(|deed| deed.op == Op::Remove && deed.ok);
    removes.into_iter().find_map(|remove| {
        let file = remove.file?;
        let survived = cut.crashed.left.inode(&remove.name).is_none();
        let pending = case.deeds().filter(|deed| {
            deed.call < remove.call
                && matches!(deed.op, Op::Rename | Op::Create)
                && !case.ledger.dir_synced(deed.call, remove.call)
                && deed.file != Some(file)
        });
        let lost = pending
            .filter(|deed| name_is_lost(cut, case, deed))
            .last()?;
        let name = case.ledger.name(lost.file?);
        let words = format!(
            "`{}` was removed (call {}) before the directory was synced after `{name}` got its \
             name (call {})",
            remove.name, remove.call, lost.call
        );
        let step = step("removed-too-early", remove.call, words);
        step.filter(|_| survived)
    })
}

fn name_is_lost(cut: &Cut<'_>, case: &Case<'_>, deed: &Deed) -> bool {
    let name = deed.file.map(|file| case.ledger.name(file));
    let gone = name.is_some_and(|name| cut.crashed.left.inode(name).is_none());
    let recorded = cut.records.iter().any(is_lost_name);
    gone && recorded
}

fn is_lost_name(record: &Survival) -> bool {
    let about_a_name = matches!(record.what, RecordKind::Create | RecordKind::Rename { .. });
    about_a_name && matches!(record.fate, Fate::Lost | Fate::NeitherName)
}

/// A rename, or the directory sync behind it, failed, and the process went on in another file before
/// the new name was gone for good.
pub(super) fn rename_not_undone(case: &Case<'_>) -> Option<MissingStep> {
    let renames = case.deeds().filter(|deed| deed.op == Op::Rename);
    renames.into_iter().find_map(|rename| {
        let file = rename.file?;
        let later = || {
            let deeds = case.deeds();
            deeds.filter(|deed| deed.call > rename.call && deed.process == rename.process)
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
        let undone = later().find(|deed| deed.op == Op::Remove && deed.file == Some(file));
        let undone = undone.filter(|undone| undone.ok);
        let elsewhere = |ack: &&super::acknowledged::Ack| {
            let others = ack.writes.iter();
            let mut others = others.filter(|(written, ..)| *written != file);
            others.any(|(_, _, _, call)| later().any(|deed| deed.call == *call))
        };
        let ack = case.acks().find(elsewhere)?;
        let settled =
            undone.is_some_and(|undone| case.ledger.dir_synced(undone.call, ack.shown.call));
        if settled {
            return None;
        }
        let name = case.ledger.name(file);
        let how = match undone {
            None => "and the new name was not removed",
            Some(_) => "and the removal that undoes it was not synced",
        };
        let words = format!(
            "the rename to `{name}` (call {}) failed, or the directory sync behind it did, {how} \
             before {} was acknowledged in another file",
            rename.call,
            command(ack)
        );
        step("rename-not-undone", failed, words)
    })
}

/// A segment was removed, or a snapshot moved away, and nothing that is there covers it.
pub(super) fn removed_uncovered(case: &Case<'_>) -> Option<MissingStep> {
    case.wholeness.first.as_ref()?;
    let covers = |epoch: u64| {
        let snapshots = case.met.iter().filter_map(|name| snapshot_epoch(name));
        snapshots.into_iter().any(|snapshot| snapshot >= epoch)
    };
    let mut deeds = case.ledger.between(0, case.end);
    deeds.find_map(|deed| {
        let gone = !case.met.contains(&deed.name);
        let epoch = segment_epoch(&deed.name).or_else(|| snapshot_epoch(&deed.name))?;
        let (what, how) = match deed.op {
            Op::Remove if gone && deed.ok => {
                ("removed", "no snapshot that covers it is on the disk")
            }
            Op::Rename if gone && deed.ok => (
                "renamed away",
                "nothing that takes its place is on the disk",
            ),
            _ => return None,
        };
        let words = format!("`{}` was {what} (call {}), and {how}", deed.name, deed.call);
        step("removed-uncovered", deed.call, words).filter(|_| !covers(epoch))
    })
}
