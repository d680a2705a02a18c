//! The step that is most likely missing, inferred from the storage calls.
//!
//! Each rule looks for one way in which programs lose data, in the calls between the power cut
//! before and the crash that is explained, and names the calls. The rules, strongest first:
//!
//! - `sync-failed`: a sync of a file failed, and something that lies in the file was
//!   acknowledged afterwards by the same process;
//! - `not-synced`: a write was acknowledged, and its file was not synced in between;
//! - `never-written`: something was acknowledged for which nothing was written;
//! - `renamed-before-sync`: a file was renamed while bytes of it were not synced, and they
//!   were lost;
//! - `name-not-synced`: a name was lost, and the directory was not synced before something
//!   in the file was acknowledged;
//! - `removed-too-early`: a removal survived and a name that was made before it did not: no
//!   directory sync lies between;
//! - `failed-write-stays`: a write failed, the process went on, and the file was not cut
//!   back;
//! - `hole`: a write begins behind the end of its file;
//! - `cache-believed`: a process that ended left bytes in the cache alone; the next one
//!   opened and did not write and sync them again;
//! - `rename-not-undone`: a rename or the directory sync behind it failed, and something was
//!   acknowledged elsewhere before the new name was removed and the directory synced;
//! - `removed-uncovered`: a segment was removed, or a snapshot renamed away, and no snapshot
//!   that covers it is there;
//! - `damage-believed`: bytes rotted, or a read was wrong, and the store went on with them;
//! - `end-not-cut`: the file had an unfinished end when the store was opened, and was not
//!   cut;
//! - `nothing-removed`: files are left that nothing needs, and no call removed them;
//! - `lost`: something that was acknowledged was lost, and that is all that can be said;
//! - `nothing-lost`: no storage step is missing: what was acknowledged was on the disk.
//!
//! The calls behind the crash are looked at where those before it show nothing; the last three rules
//! apply where no other does. A rule is no proof: the same calls may
//! be right for another program. So they are called likely.

use beaver_disk::Op;
use serde::Serialize;

use super::acknowledged::{Ack, Kept};
use super::cut::{Cut, Sides};
use super::ledger::{Deed, FileNumber, Ledger};
use super::names_lost;
use super::whole::Wholeness;
use crate::invariant::Invariant;
use crate::result::Violation;
use crate::scenario::Script;

/// A step that is likely missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingStep {
    /// The rule that found it.
    pub rule: &'static str,
    /// What is missing, in words.
    pub words: String,
    /// The storage call at which it shows, if it shows at one.
    pub call: Option<u64>,
}

/// Everything that a rule may look at.
#[derive(Clone, Copy)]
pub(super) struct Case<'c> {
    /// The calls that are looked at: behind the first, up to the second.
    pub(super) window: (u64, u64),
    pub(super) ledger: &'c Ledger,
    pub(super) acks: &'c [Ack],
    pub(super) cut: Option<&'c Cut<'c>>,
    /// Calls at which a process had opened the store, and the call before it began to.
    pub(super) openings: &'c [(u64, u64)],
    pub(super) wholeness: &'c Wholeness,
    pub(super) violation: &'c Violation,
    pub(super) script: Option<&'c Script>,
    /// The last call of the run.
    pub(super) end: u64,
    /// The names that the last recovery met.
    pub(super) met: &'c [String],
    /// The names at the end.
    pub(super) names: &'c [String],
}

type Rule = fn(&Case<'_>) -> Option<MissingStep>;

const RULES: [Rule; 13] = [
    sync_failed,
    not_synced,
    never_written,
    renamed_before_sync,
    names_lost::name_not_synced,
    names_lost::removed_too_early,
    failed_write_stays,
    hole,
    cache_believed,
    names_lost::rename_not_undone,
    names_lost::removed_uncovered,
    damage_believed,
    end_not_cut,
];

/// What is likely missing, the strongest first; never empty.
pub(super) fn missing(case: &Case<'_>) -> Vec<MissingStep> {
    let steps_of = |case: &Case<'_>| -> Vec<MissingStep> {
        RULES.iter().filter_map(|rule| rule(case)).collect()
    };
    let mut steps = steps_of(case);
    if let Some(cut) = case.cut.filter(|_| steps.is_empty()) {
        let window = (cut.call, case.end);
        steps = steps_of(&Case { window, ..*case });
    }
    if steps.is_empty() {
        steps.push(nothing_removed(case).unwrap_or_else(|| nothing_lost(case)));
    }
    steps
}

/// A finding of a rule at a call.
pub(super) fn step(rule: &'static str, call: u64, words: String) -> Option<MissingStep> {
    let call = Some(call);
    Some(MissingStep { rule, words, call })
}

impl<'c> Case<'c> {
    /// The calls that can matter: those since the power cut before, or all.
    pub(super) fn deeds(&self) -> impl Iterator<Item = &'c Deed> + Clone {
        let (after, until) = self.window;
        self.ledger.between(after, until)
    }

    /// Acknowledgements in the same time.
    pub(super) fn acks(&self) -> impl Iterator<Item = &'c Ack> {
        let (after, until) = self.window;
        let acks = self.acks.iter();
        acks.filter(move |ack| ack.shown.call > after && ack.shown.call <= until)
    }

    /// Whether bytes of a file are gone, or the file is.
    fn lost(&self, file: FileNumber) -> bool {
        let sides = self.cut.and_then(|cut| cut.sides_of(file));
        sides.is_some_and(Sides::changed)
    }
}

/// `command 3 (enqueue job-1)`.
pub(super) fn command(ack: &Ack) -> String {
    format!("command {} ({})", ack.shown.command, ack.shown.words)
}

fn sync_failed(case: &Case<'_>) -> Option<MissingStep> {
    let failed = |deed: &&Deed| deed.op == Op::SyncData && !deed.ok;
    case.deeds().filter(failed).find_map(|sync| {
        let file = sync.file?;
        let same_process = |until: u64| {
            let mut later = case.ledger.between(sync.call, until);
            later.all(|deed| deed.process == sync.process)
        };
        let holds = |ack: &&Ack| {
            let inside = ack.writes.iter().any(|(written, ..)| *written == file);
            inside && ack.shown.call >= sync.call && same_process(ack.shown.call)
        };
        let what = match case.acks().find(holds) {
            Some(ack) => command(ack),
            // What must not be acknowledged is judged before it counts as acknowledged.
            None if case.violation.invariant == Invariant::Poison && same_process(case.end) => {
                let Violation { step, command, .. } = case.violation;
                format!("command {step} ({command})")
            }
            None => return None,
        };
        let words = format!(
            "sync of `{}` failed (call {}) and its data was acknowledged later, with {what}",
            case.ledger.name(file),
            sync.call,
        );
        step("sync-failed", sync.call, words)
    })
}

fn not_synced(case: &Case<'_>) -> Option<MissingStep> {
    case.acks().find_map(|ack| {
        let (file, offset, _, call) = ack.writes.iter().find(|(file, _, _, call)| {
            let tried = case
                .ledger
                .between(*call, ack.shown.call)
                .any(|deed| deed.op == Op::SyncData && deed.file == Some(*file));
            !tried
        })?;
        let name = case.ledger.name(*file);
        let words = format!(
            "the write at offset {offset} of `{name}` (call {call}) was acknowledged with {}, but \
             never synced before",
            command(ack)
        );
        step("not-synced", *call, words)
    })
}

fn never_written(case: &Case<'_>) -> Option<MissingStep> {
    let unwritten = |ack: &&Ack| ack.shown.fate == Kept::NeverWritten || ack.writes.is_empty();
    let ack = case.acks().find(unwritten)?;
    let words = format!(
        "{} was acknowledged before anything was written for it",
        command(ack)
    );
    step("never-written", ack.shown.call, words)
}

fn renamed_before_sync(case: &Case<'_>) -> Option<MissingStep> {
    let renames = case.deeds().filter(|deed| deed.op == Op::Rename);
    renames.into_iter().find_map(|rename| {
        let file = rename.file.filter(|file| case.lost(*file))?;
        let written = |deed: &&Deed| {
            deed.file == Some(file) && deed.op == Op::WriteAt && deed.call < rename.call
        };
        let write = case.deeds().filter(written).last()?;
        if case.ledger.synced(file, write.call, rename.call) {
            return None;
        }
        let to = case.ledger.name(file);
        let words = format!(
            "`{}` was renamed to `{to}` (call {}) before its data (written by call {}) was synced",
            rename.name, rename.call, write.call
        );
        step("renamed-before-sync", rename.call, words)
    })
}

fn failed_write_stays(case: &Case<'_>) -> Option<MissingStep> {
    let failed = |deed: &&Deed| deed.op == Op::WriteAt && !deed.ok;
    case.deeds().filter(failed).find_map(|write| {
        let file = write.file?;
        let later = case
            .deeds()
            .filter(|deed| deed.call > write.call && deed.process == write.process);
        let mut later = later.filter(|deed| deed.file == Some(file));
        let next = later.next()?;
        if next.op == Op::SetLen {
            return None;
        }
        let words = format!(
            "the write at offset {} of `{}` failed (call {}), and what it left there was never \
             cut off",
            write.offset,
            case.ledger.name(file),
            write.call
        );
        step("failed-write-stays", write.call, words)
    })
}

fn hole(case: &Case<'_>) -> Option<MissingStep> {
    let mut ends: std::collections::BTreeMap<FileNumber, u64> = [].into();
    case.deeds().find_map(|deed| {
        let file = deed.file.filter(|_| deed.ok)?;
        let known = ends.get(&file).copied();
        match deed.op {
            Op::Create => ends.insert(file, 0),
            Op::SetLen => ends.insert(file, deed.offset),
            Op::Allocate => known.and_then(|end| ends.insert(file, end.max(deed.offset))),
            Op::WriteAt => {
                let end = deed.offset + deed.len;
                if let Some(known) = known.filter(|known| deed.offset > *known) {
                    let words = format!(
                        "the write at offset {} of `{}` (call {}) begins behind the end of the \
                         file, which was cut to {known} bytes: it leaves a hole",
                        deed.offset,
                        case.ledger.name(file),
                        deed.call
                    );
                    return step("hole", deed.call, words);
                }
                known.and_then(|known| ends.insert(file, known.max(end)))
            }
            _ => None,
        };
        None
    })
}

fn cache_believed(case: &Case<'_>) -> Option<MissingStep> {
    let cut = case.cut?;
    let there = |sides: &&Sides| sides.changed() && sides.left.is_some();
    let mut files = cut
        .files
        .iter()
        .filter(there)
        .filter_map(|sides| sides.file);
    // The first process of all has nothing to believe.
    let opened = case
        .openings
        .iter()
        .rfind(|(from, opened)| *from > 0 && *opened > case.window.0 && *opened <= cut.call)?;
    let file = files.find(|file| !rewritten(case, *file, *opened))?;
    let name = case.ledger.name(file);
    let how = match case.ledger.synced(file, opened.0, opened.1) {
        true => {
            "synced it, but did not write those bytes again: after a failed sync, the next one \
             says ok and writes nothing"
        }
        false => "did not sync it",
    };
    let words = format!(
        "a process ended and left bytes of `{name}` in the cache alone; the recovery that ended \
         at call {} believed them and {how}",
        opened.1
    );
    step("cache-believed", opened.1, words)
}

/// Whether a recovery wrote to a file and synced it.
fn rewritten(case: &Case<'_>, file: FileNumber, (from, to): (u64, u64)) -> bool {
    let wrote = case.ledger.between(from, to);
    let mut wrote = wrote.filter(|deed| deed.op == Op::WriteAt && deed.file == Some(file));
    wrote.any(|deed| case.ledger.synced(file, deed.call, to))
}

fn end_not_cut(case: &Case<'_>) -> Option<MissingStep> {
    let (name, offset) = case.wholeness.torn_tail.as_ref()?;
    let (from, to) = case.openings.last()?;
    let cut = case.ledger.between(*from, *to).any(|deed| {
        let file = deed.file.map(|file| case.ledger.name(file));
        let cut = deed.op == Op::SetLen && deed.offset <= *offset;
        let replaced = matches!(deed.op, Op::Remove | Op::Rename);
        file == Some(name.as_str()) && (cut || replaced)
    });
    if cut {
        return None;
    }
    let words = format!(
        "`{name}` has an unfinished end from byte {offset} on, and the recovery that ended at \
         call {to} did not cut it off"
    );
    step("end-not-cut", *to, words)
}

fn damage_believed(case: &Case<'_>) -> Option<MissingStep> {
    let damage = |kind: crate::scenario::FaultKind| kind.damages();
    let faults = &case.script?.faults;
    if let Some(fault) = faults.iter().rfind(|fault| damage(fault.kind)) {
        let what = super::words::of_effect(&fault.effect);
        let words = format!(
            "{what} before call {}: the store did not notice, or made something wrong of it",
            fault.call
        );
        return step("damage-believed", fault.call, words);
    }
    let wrong = faults
        .iter()
        .rfind(|fault| fault.kind == crate::scenario::FaultKind::WrongRead)?;
    let words = format!(
        "the read of call {} returned wrong bytes, and the store acted on them without reading \
         again",
        wrong.call
    );
    step("damage-believed", wrong.call, words)
}

fn nothing_removed(case: &Case<'_>) -> Option<MissingStep> {
    if case.violation.invariant != Invariant::Hygiene {
        return None;
    }
    let removed = case.ledger.between(0, case.end);
    let removed = removed
        .filter(|deed| deed.op == Op::Remove && deed.ok)
        .count();
    let words = match removed {
        0 => format!(
            "no file was ever removed; there are now {}",
            case.names.join(", ")
        ),
        _ => format!(
            "what is left is more than is needed: {}",
            case.names.join(", ")
        ),
    };
    Some(MissingStep {
        rule: "nothing-removed",
        words,
        call: None,
    })
}

fn nothing_lost(case: &Case<'_>) -> MissingStep {
    let is_lost = |ack: &&Ack| matches!(ack.shown.fate, Kept::Lost { .. });
    if let Some(ack) = case.acks.iter().find(is_lost) {
        return MissingStep {
            rule: "lost",
            words: format!(
                "what was written for {} was lost, and no rule says why",
                command(ack)
            ),
            call: None,
        };
    }
    let words = match (case.cut, case.wholeness.problem()) {
        (_, Some(problem)) => format!(
            "no storage step is missing: everything that was acknowledged was on the disk, but it \
             does not read as a store ({problem}): look at what writes it"
        ),
        (Some(_), None) => "no storage step is missing: everything that was acknowledged was on \
         the disk and reads as a whole store: look at encoding, replay and the state machine"
            .to_owned(),
        (None, None) => "no storage step is missing, and there was no crash: look at the state \
         machine and at what answers the client"
            .to_owned(),
    };
    MissingStep {
        rule: "nothing-lost",
        words,
        call: None,
    }
}
