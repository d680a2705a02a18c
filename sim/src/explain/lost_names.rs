//! The rules about names: what a directory sync that is missing does.

use beaver_disk::{Change, Fate, Op, RecordKind, Survival};

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
        let name = named.new_name();
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
    let removed = evidence.ops().filter(|op| op.op == Op::Remove && op.ok);
    let removed = removed.map(|op| (op.call, op.name.to_string()));
    let mut removed: Vec<(u64, String)> = removed.collect();
    removed.extend(interrupted_removal(crash));
    removed.into_iter().find_map(|(call, removed)| {
        if crash.crashed.left.inode(&removed).is_some() {
            return None;
        }
        let naming = evidence.ops().filter(|op| {
            op.call < call
                && op.ok
                && matches!(op.op, Op::Rename | Op::Create)
                && *op.new_name() != *removed
                && !evidence.ops.dir_synced(op.new_name(), op.call, call)
        });
        let naming: Vec<&FileOp> = naming.collect();
        let lost = naming.into_iter().rev().find(|op| {
            let records = lost_name(crash, op.new_name());
            !records.is_empty() && (evidence.needs_loss)(&records)
        })?;
        let name = lost.new_name();
        let text = match evidence.ops.failed_dir_sync(name, lost.call, call) {
            Some(sync) => format!(
                "`{removed}` was removed (call {call}) although the sync of the directory had failed (call {sync}) \
                 after `{name}` got its name (call {})",
                lost.call
            ),
            None => format!(
                "`{removed}` was removed (call {call}) before the directory was synced after `{name}` got its name \
                 (call {at}): sync {directory} after call {at} ({op}) and before call {call} (remove)",
                at = lost.call,
                directory = directory_of(name),
                op = lost.op,
            ),
        };
        step("removed-too-early", call, text)
    })
}

/// The removal in which the crash came.
fn interrupted_removal(crash: &ExplainedCrash<'_>) -> Option<(u64, String)> {
    let inside = crash.crashed.crash.inside()?;
    if !matches!(inside, Change::Remove { .. }) {
        return None;
    }
    let removed = crash.records.iter().rev();
    let mut removed = removed.filter(|record| record.what == RecordKind::Remove);
    let name = removed.next()?.file.clone();
    Some((crash.crashed.crash.point().call, name))
}

/// Everything that has to survive for a name to be there, by its names in the script of the run; nothing
/// if the name was not lost.
fn lost_name(crash: &ExplainedCrash<'_>, name: &str) -> Vec<String> {
    let gives = |record: &&Survival| match &record.what {
        RecordKind::Create | RecordKind::Link => record.file == name,
        RecordKind::Rename { to } => to == name,
        _ => false,
    };
    let lost = |record: &&Survival| matches!(record.fate, Fate::Lost | Fate::NeitherName);
    let mut records = crash.records.iter().rev();
    let Some(record) = records.find(gives).filter(lost) else {
        return Vec::new();
    };
    let of_file = crash
        .records
        .iter()
        .filter(|other| other.inode == record.inode);
    let named = of_file
        .filter(lost)
        .filter_map(|record| match &record.what {
            RecordKind::Create => Some(format!("create {}", record.file)),
            RecordKind::Link => Some(format!("link {}", record.file)),
            RecordKind::Rename { to } => Some(format!("rename {} to {to}", record.file)),
            _ => None,
        });
    named.chain([METADATA.to_owned()]).collect()
}

/// A file was lost with a directory that it is in, and the directory in which that one was made was not synced.
pub(super) fn parent_not_synced(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let crash = evidence.crash?;
    let lost = crash.files.iter().filter(|sides| sides.is_lost());
    lost.filter_map(|sides| Some((sides.file?, sides.view.live_names.first()?)))
        .find_map(|(file, path)| {
            let ends = path.match_indices('/').map(|(at, _)| &path[..at]);
            let mut made = ends.filter_map(|directory| {
                let gives = |op: &&FileOp| {
                    let names = matches!(op.op, Op::CreateDir | Op::Rename);
                    names && op.ok && op.new_name() == directory
                };
                let made = evidence.ops().filter(gives).last()?;
                (!lost_name(crash, directory).is_empty()).then_some((directory, made))
            });
            let (directory, made) = made.next()?;
            let unsynced = |until| !evidence.ops.dir_synced(directory, made.call, until);
            let holds = evidence.acks().find(|ack| {
                let inside = ack.writes.iter().any(|op| op.file == Some(file));
                inside && ack.shown.call >= made.call && unsynced(ack.shown.call)
            });
            let opened = evidence.openings.iter().map(|(_, opened)| *opened);
            let mut opened = opened.filter(|opened| {
                *opened >= made.call && *opened <= crash.call && unsynced(*opened)
            });
            let (told, when) = match (holds, opened.next()) {
                (Some(ack), _) => (
                    ack.shown.call,
                    format!("{ack} was acknowledged in `{path}`"),
                ),
                (None, Some(opened)) => (opened, format!("the store opened at call {opened}")),
                (None, None) => return None,
            };
            let parent = directory_of(directory);
            let synced = match evidence.ops.failed_dir_sync(directory, made.call, told) {
                Some(sync) => format!("the sync of {parent} failed (call {sync})"),
                None => format!("{parent} was never synced"),
            };
            let how = match made.op {
                Op::Rename => format!("got its name by a rename from `{}`", made.name),
                _ => "was created".to_owned(),
            };
            let text = format!(
                "the directory `{directory}` {how} (call {}), but {synced} before {when}",
                made.call
            );
            step("parent-not-synced", made.call, text)
        })
}

/// A file or a directory has a name whose directory was not synced before the store went on, and the power
/// cut took the name.
pub(super) fn name_lost(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let crash = evidence.crash?;
    let naming = evidence.ops().filter(|op| {
        op.ok
            && matches!(
                op.op,
                Op::Create | Op::CreateDir | Op::Rename | Op::Link | Op::Symlink
            )
    });
    // A temporary name that was given up by now is missed by nobody.
    let is_live = |name: &str| {
        let mut live = crash.files.iter().flat_map(|sides| &sides.view.live_names);
        live.any(|live| live == name)
    };
    let naming = naming.filter(|op| is_live(op.new_name()));
    let unsynced = naming.filter_map(|op| {
        let records = lost_name(crash, op.new_name());
        let told = evidence.went_on(op.call)?;
        let synced = evidence.ops.dir_synced(op.new_name(), op.call, told.call);
        (!records.is_empty() && !synced).then_some((op, told, records))
    });
    let (op, told, _) = unsynced
        .into_iter()
        .find(|(_, _, records)| (evidence.needs_loss)(records))?;
    let (name, directory) = (op.new_name(), directory_of(op.new_name()));
    let how = match op.op {
        Op::Rename => format!("got its name by a rename from `{}`", op.name),
        Op::Link => "got its name by a link".to_owned(),
        _ => "was created".to_owned(),
    };
    let synced = match evidence.ops.failed_dir_sync(name, op.call, told.call) {
        Some(sync) => format!("the sync of {directory} failed (call {sync})"),
        None => format!("{directory} was never synced"),
    };
    let text = format!(
        "`{name}` {how} (call {}), and {synced} before {told}: the power cut took the name, and had it stayed, \
         this run would hold",
        op.call
    );
    step("name-lost", op.call, text)
}

/// `the directory `a/b``, in which a path stands.
fn directory_of(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((parent, _)) => format!("the directory `{parent}`"),
        None => "the directory".to_owned(),
    }
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
