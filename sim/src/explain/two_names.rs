//! The rule about a file that has two names: a power cut may leave both names of a rename, and a store that takes them
//! for two files empties the one to write it anew, and with it the other.

use std::collections::BTreeMap;

use beaver_disk::{FileView, InodeId, Moment, Op};

use super::evidence::{Evidence, MissingStep, step};
use super::file_ops::{FileId, FileOp};
use crate::run_log::{CrashEvent, RunEvent};

/// A file whose rename a power cut has left undecided.
struct TwoNames<'e> {
    file: FileId,
    names: [&'e str; 2],
    /// The last call before that power cut.
    since: u64,
}

/// A power cut left both names of a file that was being renamed, and the file was emptied as if it were another one.
pub(super) fn two_names(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let crashes = evidence.log.iter().filter_map(|event| match &event.event {
        RunEvent::Crash(crash) => Some((event.call, &**crash)),
        _ => None,
    });
    let crashes: Vec<(u64, &CrashEvent)> = crashes.collect();
    crashes.iter().enumerate().find_map(|(place, (since, crash))| {
        let entries = crash.left.entries();
        crash.crash.files().iter().find_map(|view| {
            let two = TwoNames {
                file: evidence.ops.file_at(place, view.inode)?,
                names: names_of(view.inode, &entries)?,
                since: *since,
            };
            if !two.come_of_a_rename(evidence, view) {
                return None;
            }
            let cut = two.emptied(evidence, &crashes)?;
            let [one, other] = two.names;
            let text = format!(
                "`{one}` and `{other}` are one file: the power cut at call {since} left both names of a rename, and what was \
                 to empty one of them (call {cut}) emptied both; remove what is left over and create a new file"
            );
            step("two-names", cut, text)
        })
    })
}

fn names_of(inode: InodeId, entries: &BTreeMap<String, InodeId>) -> Option<[&str; 2]> {
    let names = entries.iter().filter(|(_, named)| **named == inode);
    let names: Vec<&str> = names.map(|(name, _)| &**name).collect();
    names.try_into().ok()
}

impl TwoNames<'_> {
    fn is_one(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    /// Whether a rename was to replace the one name by the other: who has linked a file knows that it has two names.
    fn come_of_a_rename(&self, evidence: &Evidence<'_>, view: &FileView) -> bool {
        let mut ops = evidence.ops.between(0, self.since);
        let gave_one = |op: &FileOp| {
            op.op == Op::Rename && op.file == Some(self.file) && self.is_one(op.new_name())
        };
        view.live_names.len() == 1 && ops.any(gave_one)
    }

    /// The last call that emptied the file while it had both names, with something acknowledged in it.
    fn emptied(&self, evidence: &Evidence<'_>, crashes: &[(u64, &CrashEvent)]) -> Option<u64> {
        let is_begun = |call| crashes.iter().any(|(_, crash)| is_begun(crash, call));
        let empties = |op: &&FileOp| {
            let is_it = op.file == Some(self.file) && op.op == Op::SetLen && op.offset == 0;
            is_it && (op.ok || is_begun(op.call))
        };
        let cut = evidence
            .ops
            .between(self.since, evidence.end)
            .filter(empties);
        let cut = cut.last()?.call;
        let mut acks = evidence.acks.iter().filter(|ack| ack.shown.call < cut);
        let is_in_it = |write: &FileOp| write.file == Some(self.file);
        let held = acks.any(|ack| ack.writes.iter().any(is_in_it));
        // Later power cuts and calls may have decided for one of the names.
        let mut later = crashes
            .iter()
            .filter(|(call, _)| (self.since + 1..cut).contains(call));
        let [one, other] = self.names;
        let stay = later.all(|(_, crash)| crash.left.inode(one) == crash.left.inode(other));
        let mut ops = evidence.ops.between(self.since, cut);
        (held && stay && !ops.any(|op| self.is_decided_by(op))).then_some(cut)
    }

    /// Whether a call takes one of the names away, or gives it to another file. The rename of the one to the other does nothing.
    fn is_decided_by(&self, op: &FileOp) -> bool {
        let [from, to] = [&op.name, op.new_name()].map(|name| self.is_one(name));
        match op.op {
            Op::Rename if op.file == Some(self.file) && from && to => false,
            Op::Rename | Op::Remove | Op::Create | Op::Link => from || to,
            _ => false,
        }
    }
}

/// Whether a process ended in this call, or before it learned that it was done.
fn is_begun(crash: &CrashEvent, call: u64) -> bool {
    let point = crash.crash.point();
    point.call == call && point.moment != Moment::Before
}
