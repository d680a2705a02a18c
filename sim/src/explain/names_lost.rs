//! The rules about names: what a directory sync that is missing does.

use beaver::storage::sim::{Fate, Op, Survival, What};

use super::cut::Cut;
use super::ledger::{Deed, FileNumber};
use super::missing::{Case, MissingStep, command, step};

/// A name of a file was lost, and something in the file was acknowledged: nobody synced the
/// directory.
pub(super) fn name_not_synced(case: &Case<'_>) -> Option<MissingStep> {
    let cut = case.cut?;
    let lost = cut.files.iter().filter(|sides| sides.left.is_none());
    let lost = lost.filter(|sides| !sides.view.live_names.is_empty());
    lost.filter_map(|sides| sides.file).find_map(|file| {
        let naming = |deed: &&Deed| {
            deed.file == Some(file) && matches!(deed.op, Op::Create | Op::Rename)
        };
        let named = case.deeds().filter(naming).last()?;
        let holds = case.acks().find(|ack| {
            let writes = ack.writes.iter();
            let inside = |(written, _, _, call): &(FileNumber, u64, u64, u64)| {
                *written == file && *call > named.call
            };
            writes.into_iter().any(inside) && !case.ledger.dir_synced(named.call, ack.shown.call)
        });
        let reopened = case.openings.iter().find(|(_, opened)| {
            *opened > named.call && *opened <= cut.call && !case.ledger.dir_synced(named.call, *opened)
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
        let lost = pending.filter(|deed| name_is_lost(cut, case, deed)).last()?;
        let name = case.ledger.name(lost.file?);
        let words = format!(
            "`{}` was removed (call {}) before the directory was synced after `{name}` got its name (call {})",
            remove.name, remove.call, lost.call
        );
        let step = step("removed-too-early", remove.call, words);
        step.filter(|_| survived)
    })
}

fn name_is_lost(cut: &Cut<'_>, case: &Case<'_>, deed: &Deed) -> bool {
    let name = deed.file.map(|file| case.ledger.name(file));
    let gone = name.is_some_and(|name| cut.crashed.left.inode(name).is_none());
    let recorded = cut.records.iter().any(|record| is_lost_name(record));
    gone && recorded
}

fn is_lost_name(record: &Survival) -> bool {
    let about_a_name = matches!(record.what, What::Create | What::Rename { .. });
    about_a_name && matches!(record.fate, Fate::Lost | Fate::NeitherName)
}
