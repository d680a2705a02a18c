//! Which kinds of fault apply to a storage call, and what exactly each of them does there.

use beaver_disk::{
    Behaviour, CallEffect, DiskEvent, FailedSync, FailureKind, Fault, Op, StorageCall, Subset,
};

use crate::scenario::{Effect, FaultKind, Target};
use crate::stream::Stream;

/// Whether faults of `kind` can happen at `call`.
pub(crate) fn applies(kind: FaultKind, call: &StorageCall<'_>) -> bool {
    use FaultKind as K;
    match kind {
        K::ReadError | K::ReadErrorSticky | K::InterruptedRead => call.op == Op::ReadAt,
        K::WrongRead => call.op == Op::ReadAt && call.len > 0,
        K::ShortRead => call.op == Op::ReadAt && call.len > 1,
        K::OpenError => matches!(call.op, Op::Open | Op::Len | Op::List),
        K::LockError => call.op == Op::Lock,
        K::WriteError | K::InterruptedWrite | K::MisplacedWrite => call.op == Op::WriteAt,
        K::ShortWrite => call.op == Op::WriteAt && call.len > 1,
        K::CreateError | K::CreateErrorAfterEffect | K::FullAtCreate => call.op == Op::Create,
        K::RenameError | K::RenameErrorAfterEffect | K::FullAtRename => call.op == Op::Rename,
        K::RemoveError | K::RemoveErrorAfterEffect => call.op == Op::Remove,
        K::SetLenError | K::SetLenErrorAfterEffect => call.op == Op::SetLen,
        K::AllocateError => call.op == Op::Allocate,
        K::FullAtWrite | K::FullDisk => matches!(call.op, Op::WriteAt | Op::Allocate),
        K::SyncDirError => call.op == Op::SyncDir,
        K::SyncMarkClean
        | K::SyncSizeLost
        | K::SyncUnwritten
        | K::SyncRevert
        | K::SyncRetryWorks
        | K::SyncReadOnly
        | K::SyncInterrupted
        | K::FullAtSync => call.op == Op::SyncData,
        K::CacheDrop | K::Writeback => true,
        _ => false,
    }
}

/// Whether the file of a call has the role `target`; `newest` is the highest segment number seen.
pub(crate) fn is_target(target: Target, file: &str, newest: u64) -> bool {
    let segment = crate::faults::files::segment_epoch(file);
    match target {
        Target::Any => true,
        Target::Active | Target::Header => segment.is_some_and(|epoch| epoch >= newest),
        Target::Sealed => segment.is_some_and(|epoch| epoch < newest),
        // Only what lies at rest is hit there.
        Target::LineEnd | Target::Marker => false,
        Target::Snapshot => crate::faults::files::snapshot_epoch(file).is_some(),
        Target::Temporary => file.ends_with(".tmp"),
    }
}

/// What a fault of `kind` does to `call`, its details drawn.
pub(crate) fn effect(kind: FaultKind, call: &StorageCall<'_>, stream: &mut Stream) -> Effect {
    use FaultKind as K;
    let io = |effect| error(FailureKind::Io, effect);
    let full = |effect| error(form_of_full(call), effect);
    let fault = match kind {
        K::CacheDrop => {
            let dropped = if stream.coin() {
                Subset::All
            } else {
                Subset::Mask(stream.draw(1, u64::MAX))
            };
            return Effect::Event(DiskEvent::CacheDrop(dropped));
        }
        K::Writeback => {
            let nth = stream.draw(0, 63);
            return Effect::Event(DiskEvent::Writeback(nth));
        }
        K::ShortRead => Fault::ShortRead {
            bytes: stream.draw(1, call.len - 1),
        },
        K::ShortWrite => Fault::ShortWrite {
            bytes: stream.draw(1, call.len - 1),
        },
        K::WrongRead => Fault::FlippedRead {
            byte: stream.draw(0, call.len - 1),
            bit: u8::try_from(stream.draw(0, 7)).expect("0 to 7 fit"),
        },
        K::MisplacedWrite => Fault::MisdirectedWrite {
            offset: misplaced(call, stream),
        },
        K::InterruptedRead | K::InterruptedWrite => {
            error(FailureKind::Interrupted, CallEffect::Nothing)
        }
        // All of it, now and then: an error that is not the whole truth is the hardest to undo.
        K::WriteError => io(match stream.draw(1, 4) {
            1 => CallEffect::Everything,
            _ => CallEffect::Bytes(stream.draw(0, call.len)),
        }),
        K::FullAtWrite if call.op == Op::WriteAt => full(CallEffect::Bytes(
            stream.draw(0, call.len.saturating_sub(1)),
        )),
        K::FullAtWrite | K::FullAtCreate | K::FullAtRename => full(CallEffect::Nothing),
        K::CreateErrorAfterEffect
        | K::RenameErrorAfterEffect
        | K::RemoveErrorAfterEffect
        | K::SetLenErrorAfterEffect => io(CallEffect::Everything),
        K::ReadOnly => error(FailureKind::ReadOnly, CallEffect::Nothing),
        K::SyncDirError => Fault::FailedSyncDir {
            error: FailureKind::Io,
            durable: some(stream),
        },
        K::SyncMarkClean => failed_sync(FailureKind::Io, Behaviour::MarkClean, stream),
        K::SyncSizeLost => failed_sync(FailureKind::Io, Behaviour::MarkCleanSizeLost, stream),
        K::SyncUnwritten => failed_sync(FailureKind::Io, Behaviour::MarkCleanUnwritten, stream),
        K::SyncRevert => failed_sync(FailureKind::Io, Behaviour::Revert, stream),
        K::SyncRetryWorks => failed_sync(FailureKind::Io, Behaviour::RetryWorks, stream),
        K::SyncReadOnly => failed_sync(FailureKind::Io, Behaviour::ReadOnly, stream),
        K::SyncInterrupted => failed_sync(FailureKind::Interrupted, Behaviour::MarkClean, stream),
        K::FullAtSync => failed_sync(form_of_full(call), Behaviour::MarkClean, stream),
        K::AllocateError => error(FailureKind::Unsupported, CallEffect::Nothing),
        _ => io(CallEffect::Nothing),
    };
    Effect::Call(fault)
}

/// One of the errors that say that there is no room: of the disk, of the user, or for a file of that
/// size. By the number of the call, so that each comes up and none costs a draw.
fn form_of_full(call: &StorageCall<'_>) -> FailureKind {
    match call.number % 3 {
        0 => FailureKind::StorageFull,
        1 if matches!(call.op, Op::WriteAt | Op::SetLen | Op::Allocate) => {
            FailureKind::FileTooLarge
        }
        _ => FailureKind::QuotaExceeded,
    }
}

fn error(error: FailureKind, effect: CallEffect) -> Fault {
    Fault::Error {
        error,
        effect,
        sticky: false,
    }
}

fn failed_sync(error: FailureKind, behaviour: Behaviour, stream: &mut Stream) -> Fault {
    Fault::FailedSync(FailedSync {
        error,
        behaviour,
        failed: some(stream),
        left: std::collections::BTreeMap::new(),
    })
}

/// All, none, or a drawn subset.
fn some(stream: &mut Stream) -> Subset {
    match stream.draw(1, 4) {
        1 => Subset::Nothing,
        2 => Subset::Mask(stream.draw(1, u64::MAX)),
        _ => Subset::All,
    }
}

/// Another offset: a page off, a sector off, or the start of the file.
fn misplaced(call: &StorageCall<'_>, stream: &mut Stream) -> u64 {
    match stream.draw(1, 3) {
        1 => call.offset + 4096,
        2 => call.offset + 512,
        _ => call.offset.saturating_sub(stream.draw(1, 512)),
    }
}
