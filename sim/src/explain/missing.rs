//! The step that is most likely missing, inferred from the storage calls.
//!
//! Each rule looks for one way in which programs lose data, in the calls between the power cut
//! before and the crash that is explained, and names the calls. What it says is what the run shows: where a fault or a
//! loss is blamed that need not have done it, the run is made again without it, and must hold. The rules, strongest first:
//!
//! - `left-over`: a file of a process that ended is in the way of a new one, and the store does not open;
//! - `stays-unwritten`: after a failed sync a page never reached the disk, although later syncs said `Ok`;
//! - `short-write`: a write took a part of its bytes, and the rest was not written after it;
//! - `read-error-ignored`: a read failed, and the store went on without what it could not read;
//! - `sync-failed`: a sync of a file failed, and something that lies in the file was
//!   acknowledged afterwards by the same process;
//! - `not-synced`: a write was acknowledged, and its file was not synced in between;
//! - `never-written`: something was acknowledged for which nothing was written;
//! - `renamed-before-sync`: a file was renamed while bytes of it were not synced, and they
//!   were lost;
//! - `parent-not-synced`: a file was lost with a directory that it is in, and the directory in which that one was
//!   made was not synced before something in the file was acknowledged;
//! - `name-not-synced`: a name was lost, and the directory was not synced before something
//!   in the file was acknowledged;
//! - `removed-too-early`: a removal survived and a name that was made before it did not: no
//!   directory sync lies between;
//! - `failed-write-stays`: a write failed, the process went on, and the file was not cut
//!   back;
//! - `hole`: a write begins after the end of its file;
//! - `cache-believed`: a process that ended left bytes in the cache alone; the next one
//!   opened and did not write and sync them again;
//! - `rename-not-undone`: a rename or the directory sync after it failed, and something was
//!   acknowledged elsewhere before the new name was removed and the directory synced;
//! - `removed-uncovered`: a segment was removed, or a snapshot renamed away, and no snapshot
//!   that covers it is there;
//! - `removed-name-back`: a removed name came back, because the directory was not synced;
//! - `set-len-lost`: a length that was set was lost, because the file was not synced;
//! - `named-before-sync`: a file had its name before its first sync, and lost its bytes;
//! - `damage-believed`: bytes rotted, or a read was wrong, and the store went on with them;
//! - `refused-for-damage`: bytes rotted, or a read was wrong, and the store did not open, though it should have;
//! - `end-not-cut`: the file had an unfinished end when the store was opened, and was not
//!   cut;
//! - `two-names`: a power cut left both names of a file that was being renamed, and the file was emptied as if it
//!   were another one;
//! - `name-lost`: a name was lost, its directory was not synced before the store went on, and the run
//!   holds where the name stays;
//! - `bytes-not-synced`: bytes of a file were lost, it was not synced before the store went on, and the run holds
//!   where they stay;
//! - `cut-in-place`: a file was emptied although what was acknowledged was in it and nowhere else;
//! - `error-swallowed`: a call failed, and the command or the recovery that made it said nothing of it;
//! - `failed-call`: a call failed, and the run holds without that;
//! - `torn-believed`: a write that was not acknowledged is there in part, and the store believed it;
//! - `nothing-removed`: files are left that nothing needs, and no call removed them;
//! - `lost`: something that was acknowledged was lost, and that is all that can be said;
//! - `nothing-lost`: nothing that was acknowledged is known to be lost.
//!
//! The calls after the crash are looked at where those before it show nothing, and then those of the
//! whole run; the last ten rules apply where no other does. The same calls may be right for another program, so what they
//! come to is called likely.

use beaver_disk::{Fate, Op, Survival};

use super::acknowledged::{Ack, AckFate};
use super::evidence::{Evidence, MissingStep};
use super::explained_crash::{BeforeAfter, ExplainedCrash};
use super::{failed_calls, lost_bytes, lost_names, two_names, unfinished};
use crate::invariant::Invariant;

type Rule = fn(&Evidence<'_>) -> Option<MissingStep>;

const RULES: [Rule; 21] = [
    unfinished::left_over,
    failed_calls::stays_unwritten,
    failed_calls::short_write,
    failed_calls::read_error_ignored,
    lost_bytes::sync_failed,
    lost_bytes::not_synced,
    lost_bytes::never_written,
    lost_bytes::renamed_before_sync,
    lost_names::parent_not_synced,
    lost_names::name_not_synced,
    lost_names::removed_too_early,
    lost_bytes::failed_write_stays,
    lost_bytes::hole,
    lost_bytes::cache_believed,
    lost_names::rename_not_undone,
    lost_names::removed_uncovered,
    lost_names::removed_name_back,
    lost_bytes::set_len_lost,
    lost_bytes::named_before_sync,
    failed_calls::damage_believed,
    lost_bytes::end_not_cut,
];

/// What is said where no rule above speaks, the first that applies.
const OTHERWISE: [Rule; 8] = [
    two_names::two_names,
    lost_names::name_lost,
    lost_bytes::bytes_not_synced,
    unfinished::cut_in_place,
    failed_calls::error_swallowed,
    failed_calls::failed_call,
    unfinished::torn_believed,
    nothing_removed,
];

/// What is likely missing, the strongest first; never empty.
pub(super) fn missing(evidence: &Evidence<'_>) -> Vec<MissingStep> {
    let steps_of = |evidence: &Evidence<'_>| -> Vec<MissingStep> {
        RULES.iter().filter_map(|rule| rule(evidence)).collect()
    };
    let mut steps = steps_of(evidence);
    if let Some(crash) = evidence.crash {
        for window in [(crash.call, evidence.end), (0, evidence.end)] {
            if steps.is_empty() {
                steps = steps_of(&Evidence {
                    window,
                    ..*evidence
                });
            }
        }
    }
    if steps.is_empty() {
        let step = OTHERWISE.iter().find_map(|rule| rule(evidence));
        steps.push(step.unwrap_or_else(|| nothing_lost(evidence)));
    }
    steps
}

fn nothing_removed(evidence: &Evidence<'_>) -> Option<MissingStep> {
    if evidence.violation.invariant != Invariant::Hygiene {
        return None;
    }
    let removed = evidence.ops.between(0, evidence.end);
    let removed = removed.filter(|op| op.op == Op::Remove && op.ok).count();
    let names: Vec<&str> = evidence.left.names().collect();
    let names = names.join(", ");
    let text = match removed {
        0 => format!("no file was ever removed; there are now {names}"),
        _ => format!("what is left is more than is needed: {names}"),
    };
    Some(MissingStep {
        rule: "nothing-removed",
        text,
        call: None,
    })
}

fn nothing_lost(evidence: &Evidence<'_>) -> MissingStep {
    let is_lost = |ack: &&Ack| matches!(ack.shown.fate, AckFate::Lost { .. });
    if let Some(ack) = evidence.acks.iter().find(is_lost) {
        return MissingStep {
            rule: "lost",
            text: format!(
                "what was written for {} was lost, and no rule says why",
                ack
            ),
            call: None,
        };
    }
    let text = match (evidence.crash, evidence.wholeness.problem()) {
        (_, Some(problem)) => format!(
            "no rule names a storage step: what the last recovery met does not read as a store \
             ({problem}): look at what writes it"
        ),
        (Some(crash), None) if took_only_what_was_not_answered(evidence, crash) => {
            "no rule names a storage step: no bytes that were acknowledged were lost in the crash; \
             what it took stands in the table of its files"
                .to_owned()
        }
        (Some(crash), None) if took_something(crash) => {
            "no rule names a storage step: what the crash took stands in the table of its files"
                .to_owned()
        }
        (Some(_), None) => "no rule names a storage step, and the crash took nothing: look at \
                            encoding, replay and the state machine"
            .to_owned(),
        (None, None) => "no rule names a storage step, and there was no crash: look at the state \
         machine and at what answers the client"
            .to_owned(),
    };
    MissingStep {
        rule: "nothing-lost",
        text,
        call: None,
    }
}

fn took_something(crash: &ExplainedCrash<'_>) -> bool {
    let choice = crash.crashed.choice.as_ref();
    choice.is_some_and(|choice| !choice.tears.is_empty()) || crash.records.iter().any(was_taken)
}

fn was_taken(record: &Survival) -> bool {
    !matches!(record.fate, Fate::Survived | Fate::Replaced)
}

/// Whether the crash took something, and nothing that the store had made before it last opened or
/// acknowledged anything. An acknowledgement may rest on any of that: on a file that leads to
/// another, on a directory, on the one file that is left after others were removed.
fn took_only_what_was_not_answered(evidence: &Evidence<'_>, crash: &ExplainedCrash<'_>) -> bool {
    let acks = || {
        let acks = evidence.acks.iter();
        acks.filter(|ack| ack.shown.call <= crash.call)
    };
    let is_there = |ack: &Ack| ack.shown.fate == AckFate::There;
    let told = acks().map(|ack| ack.shown.call);
    let opened = evidence.openings.iter().map(|(_, opened)| *opened);
    let told = told.chain(opened.filter(|opened| *opened <= crash.call));
    let told = told.max().unwrap_or(0);
    let is_new = |sides: &BeforeAfter| {
        let mut earlier = evidence.ops.between(crash.after, told);
        let made = sides.file.is_some();
        made && !earlier.any(|op| op.file == sides.file && op.op != Op::SyncData)
    };
    let mut changed = crash.files.iter().filter(|sides| sides.changed());
    crash.records.iter().any(was_taken) && acks().all(is_there) && changed.all(is_new)
}
