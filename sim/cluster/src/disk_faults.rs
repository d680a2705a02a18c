//! Faults of the next storage calls of one disk.

use beaver_disk::{Fault, FaultSource, Injection, Op, StorageCall};

use crate::chaos::FailedOp;

/// Faults that wait for their call.
#[derive(Debug, Default)]
pub(crate) struct CallFaults(Vec<PendingFault>);

#[derive(Debug)]
struct PendingFault {
    op: FailedOp,
    /// How many calls that fit are still to come, the one that fails included.
    left: u64,
    fault: Fault,
}

impl CallFaults {
    /// The `call`th of the next calls that fit goes wrong.
    pub(crate) fn add(&mut self, op: FailedOp, call: u64, fault: Fault) {
        let left = call.max(1);
        self.0.push(PendingFault { op, left, fault });
    }

    /// Nothing goes wrong any more.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl FaultSource for CallFaults {
    fn before(&mut self, call: &StorageCall<'_>, disk: &mut Injection<'_>) {
        self.0.retain_mut(|waiting| {
            let fits = is_counted(waiting.op, call.op) && waiting.fault.applies_to(call.op);
            waiting.left -= u64::from(fits);
            if waiting.left == 0 {
                disk.fail(waiting.fault.clone());
            }
            waiting.left > 0
        });
    }
}

fn is_counted(counted: FailedOp, op: Op) -> bool {
    match counted {
        FailedOp::Any => true,
        FailedOp::Read => op == Op::ReadAt,
        FailedOp::Write => op == Op::WriteAt,
        FailedOp::Sync => op == Op::SyncData,
        FailedOp::SyncDir => op == Op::SyncDir,
        FailedOp::Create => op == Op::Create,
        FailedOp::Rename => op == Op::Rename,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use beaver_disk::{CallEffect, Disk, FailureKind, Profile, SimDisk, SimOptions};
    use std::sync::{Arc, Mutex};

    #[test]
    fn the_second_write_from_now_on_fails_and_no_other_call() {
        let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let faults = Arc::new(Mutex::new(CallFaults::default()));
        disk.set_faults(Some(faults.clone()));
        let fault = Fault::Error {
            error: FailureKind::Io,
            effect: CallEffect::Nothing,
            sticky: false,
        };
        faults.lock().unwrap().add(FailedOp::Write, 2, fault);
        let file = disk.storage().create("a").unwrap();
        let calls = [
            file.write_at(b"x", 0).is_ok(),
            file.sync_data().is_ok(),
            file.write_at(b"y", 1).is_ok(),
            file.write_at(b"z", 1).is_ok(),
        ];
        assert_eq!(calls, [true, true, false, true]);
    }
}
