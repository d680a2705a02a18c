//! What is to go wrong while a program is recorded, and the source that makes it go wrong: it counts calls.

use std::str::FromStr;

use beaver_disk::{FailedSync, FailureKind, Fault, FaultSource, Injection, Op, StorageCall};

/// Something that goes wrong once, or a disk that is small. What is counted is counted from the end of the setup on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceFault {
    /// The sync of this number, of any file, counted from 1, fails with `EIO`; its pages count as clean, as on Linux.
    FailedFsync(u64),
    /// The write of this number, to any file, counted from 1, fails with `EIO`.
    FailedWrite(u64),
    /// All files together have this many bytes at most, those of the setup included.
    FullDisk(u64),
    /// After the change of this number, counted from 1, there is no power any more.
    PowerCut(u64),
}

/// The faults that can be planned, for a message.
pub const TRACE_FAULTS: &str =
    "eio-at-fsync:N, eio-at-write:N, full-disk:BYTES (64k, 10M) and power-cut-at:N";

impl FromStr for TraceFault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("no fault is called `{text}`; there are {TRACE_FAULTS}");
        let (name, number) = text.split_once(':').ok_or_else(unknown)?;
        let count = || match number.parse() {
            Ok(0) | Err(_) => Err(format!("`{number}` is no number from 1 on")),
            Ok(count) => Ok(count),
        };
        match name {
            "eio-at-fsync" => count().map(TraceFault::FailedFsync),
            "eio-at-write" => count().map(TraceFault::FailedWrite),
            "power-cut-at" => count().map(TraceFault::PowerCut),
            "full-disk" => bytes(number).map(TraceFault::FullDisk),
            _ => Err(unknown()),
        }
    }
}

/// A number of bytes, with `k`, `M` or `G` for powers of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        _ => (text, 0),
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| format!("`{text}` is no number of bytes such as 64k or 10M"))
}

/// Makes the planned faults strike, and tells which one did.
#[derive(Debug, Default)]
pub(crate) struct CountedFaults {
    fsyncs: Vec<u64>,
    writes: Vec<u64>,
    /// Whether the setup is over.
    counts: bool,
    fsyncs_seen: u64,
    writes_seen: u64,
    /// What strikes the call that was begun last.
    struck: Option<Fault>,
}

impl CountedFaults {
    pub(crate) fn of(planned: &[TraceFault]) -> Self {
        let mut faults = CountedFaults::default();
        for fault in planned {
            match fault {
                TraceFault::FailedFsync(number) => faults.fsyncs.push(*number),
                TraceFault::FailedWrite(number) => faults.writes.push(*number),
                TraceFault::FullDisk(_) | TraceFault::PowerCut(_) => {}
            }
        }
        faults
    }

    /// From now on calls are counted.
    pub(crate) fn begin(&mut self) {
        self.counts = true;
    }

    /// What struck the last call.
    pub(crate) fn take_struck(&mut self) -> Option<Fault> {
        self.struck.take()
    }

    /// Says of each planned fault that struck nothing how many calls there were.
    pub(crate) fn missed(&self) -> Vec<String> {
        let of = |planned: &[u64], seen: u64, name: &str, calls: &str| {
            let missed = planned.iter().filter(|number| **number > seen);
            let missed = missed
                .map(|number| format!("{name}:{number} did not happen: there were {seen} {calls}"));
            missed.collect::<Vec<_>>()
        };
        let fsyncs = of(
            &self.fsyncs,
            self.fsyncs_seen,
            "eio-at-fsync",
            "syncs of files",
        );
        let writes = of(&self.writes, self.writes_seen, "eio-at-write", "writes");
        [fsyncs, writes].concat()
    }

    fn strikes(&mut self, op: Op) -> Option<Fault> {
        let is_next = |seen: &mut u64, planned: &[u64]| {
            *seen += 1;
            planned.contains(seen)
        };
        match op {
            Op::SyncData if is_next(&mut self.fsyncs_seen, &self.fsyncs) => {
                Some(Fault::FailedSync(FailedSync::default()))
            }
            Op::WriteAt if is_next(&mut self.writes_seen, &self.writes) => Some(Fault::Error {
                error: FailureKind::Io,
                effect: beaver_disk::CallEffect::Nothing,
                sticky: false,
            }),
            _ => None,
        }
    }
}

impl FaultSource for CountedFaults {
    fn before(&mut self, call: &StorageCall<'_>, disk: &mut Injection<'_>) {
        self.struck = match self.counts {
            true => self.strikes(call.op),
            false => None,
        };
        if let Some(fault) = &self.struck {
            disk.fail(fault.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_their_names() {
        let read = |text: &str| text.parse::<TraceFault>();
        assert_eq!(read("eio-at-fsync:3"), Ok(TraceFault::FailedFsync(3)));
        assert_eq!(read("eio-at-write:1"), Ok(TraceFault::FailedWrite(1)));
        assert_eq!(read("full-disk:64k"), Ok(TraceFault::FullDisk(65536)));
        assert_eq!(read("full-disk:7"), Ok(TraceFault::FullDisk(7)));
        assert_eq!(read("power-cut-at:120"), Ok(TraceFault::PowerCut(120)));
        for wrong in [
            "eio",
            "eio-at-fsync:0",
            "eio-at-fsync:x",
            "full-disk:k",
            "no:1",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
