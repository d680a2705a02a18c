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
//! - `hole`: a write begins after the end of its file;
//! - `cache-believed`: a process that ended left bytes in the cache alone; the next one
//!   opened and did not write and sync them again;
//! - `rename-not-undone`: a rename or the directory sync after it failed, and something was
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
//! The calls after the crash are looked at where those before it show nothing, and then those of the
//! whole run; the last three rules apply where no other does. A rule is no proof: the same calls may
//! be right for another program. So they are called likely.

use beaver_disk::Op;

use super::acknowledged::{Ack, AckFate};
use super::evidence::{Evidence, MissingStep};
use super::{lost_bytes, lost_names};
use crate::invariant::Invariant;

type Rule = fn(&Evidence<'_>) -> Option<MissingStep>;

const RULES: [Rule; 13] = [
    lost_bytes::sync_failed,
    lost_bytes::not_synced,
    lost_bytes::never_written,
    lost_bytes::renamed_before_sync,
    lost_names::name_not_synced,
    lost_names::removed_too_early,
    lost_bytes::failed_write_stays,
    lost_bytes::hole,
    lost_bytes::cache_believed,
    lost_names::rename_not_undone,
    lost_names::removed_uncovered,
    lost_bytes::damage_believed,
    lost_bytes::end_not_cut,
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
        steps.push(nothing_removed(evidence).unwrap_or_else(|| nothing_lost(evidence)));
    }
    steps
}

fn nothing_removed(evidence: &Evidence<'_>) -> Option<MissingStep> {
    if evidence.violation.invariant != Invariant::Hygiene {
        return None;
    }
    let removed = evidence.ops.between(0, evidence.end);
    let removed = removed.filter(|op| op.op == Op::Remove && op.ok).count();
    let text = match removed {
        0 => format!(
            "no file was ever removed; there are now {}",
            evidence.names.join(", ")
        ),
        _ => format!(
            "what is left is more than is needed: {}",
            evidence.names.join(", ")
        ),
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
        text,
        call: None,
    }
}
