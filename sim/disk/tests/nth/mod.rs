//! Faults by kind of call: the nth `write_at`, say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use beaver_disk::{Fault, FaultSource, Injection, Op, SimDisk, StorageCall};

#[derive(Debug)]
struct AtNth {
    op: Op,
    faults: BTreeMap<u64, Fault>,
    calls: u64,
}

impl FaultSource for AtNth {
    fn before(&mut self, call: &StorageCall<'_>, disk: &mut Injection<'_>) {
        self.calls += u64::from(call.op == self.op);
        if let Some(fault) = self.faults.get(&self.calls).filter(|_| call.op == self.op) {
            disk.fail(fault.clone());
        }
    }
}

/// From now on the calls of kind `op` meet these faults, by their number among themselves from 1.
pub(crate) fn fail_nth<const N: usize>(disk: &SimDisk, op: Op, faults: [(u64, Fault); N]) {
    let source = AtNth {
        op,
        faults: faults.into(),
        calls: 0,
    };
    disk.set_faults(Some(Arc::new(Mutex::new(source))));
}
