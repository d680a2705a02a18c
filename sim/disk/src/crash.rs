//! Where a process dies, and what is on the disk then.

use std::borrow::Cow;

use super::change::Change;
use super::crash_point::CrashPoint;
use super::disk::Disk;
use super::fault::CallEffect;
use beaver_storage::Op;

/// The disk at the moment at which a process died, with the call that it was in.
#[derive(Clone, Debug)]
pub struct Crash {
    pub(super) point: CrashPoint,
    pub(super) op: Option<Op>,
    pub(super) before: Disk,
    pub(super) inside: Option<Change>,
}

impl Crash {
    /// Where the process died.
    #[must_use]
    pub fn point(&self) -> CrashPoint {
        self.point
    }

    /// The kind of call at that point, if the process was in or about to make one.
    #[must_use]
    pub fn op(&self) -> Option<Op> {
        self.op
    }

    /// The change that was interrupted, if one was.
    #[must_use]
    pub fn inside(&self) -> Option<&Change> {
        self.inside.as_ref()
    }

    /// The disk without the interrupted change.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        &self.before
    }

    /// The disk after the process was killed: the live view goes on, with as much of the
    /// interrupted call as `effect` says. What was pending stays pending.
    #[must_use]
    pub fn kill(&self, effect: CallEffect) -> Disk {
        let mut disk = self.before.clone();
        if let Some(change) = self.done_by(effect) {
            // A call that would have failed leaves nothing.
            let _ = disk.apply(&change);
        }
        disk.forget_unreachable(|_| false);
        disk
    }

    /// As much of the interrupted change as `effect` says.
    fn done_by(&self, effect: CallEffect) -> Option<Cow<'_, Change>> {
        let whole = self.inside.as_ref()?;
        match (effect, whole) {
            (CallEffect::Nothing, _) => None,
            (
                CallEffect::Bytes(count),
                Change::Write {
                    inode,
                    offset,
                    bytes,
                },
            ) => {
                let count = usize::try_from(count).map_or(bytes.len(), |n| n.min(bytes.len()));
                Some(Cow::Owned(Change::Write {
                    inode: *inode,
                    offset: *offset,
                    bytes: bytes[..count].to_vec(),
                }))
            }
            (CallEffect::Everything | CallEffect::Bytes(_), _) => Some(Cow::Borrowed(whole)),
        }
    }
}
