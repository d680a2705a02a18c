//! Crashes and damage as text.

use beaver_disk::{Change, DiskEvent, Moment, Op};

use crate::run_log::CrashEvent;
use crate::scenario::{CrashKind, Effect};

/// The file that a crashed call was about, if it can be told.
pub(super) fn file_of(crashed: &CrashEvent) -> Option<String> {
    let inode = match crashed.crash.inside()? {
        Change::Create { name, .. }
        | Change::CreateDir { name, .. }
        | Change::Symlink { name, .. }
        | Change::Link { name, .. }
        | Change::Remove { name, .. }
        | Change::RemoveDir { name, .. } => return Some(name.clone()),
        Change::Rename { from, .. } => return Some(from.to_string()),
        Change::SyncDir { .. } => return Some("the directory".to_owned()),
        Change::Write { inode, .. }
        | Change::SetLen { inode, .. }
        | Change::Allocate { inode, .. }
        | Change::SyncData { inode }
        | Change::SyncAll { inode }
        | Change::DropCache { inode } => *inode,
    };
    let files = crashed.crash.files();
    let view = files.iter().find(|view| view.inode == inode)?;
    view.live_names.first().cloned()
}

/// What stops, when and in which call; `call` is the last one before the crash.
pub(super) fn of_crash(crashed: &CrashEvent, call: u64, file: Option<&str>) -> String {
    let point = crashed.crash.point();
    let Some(op) = crashed.crash.op() else {
        return format!("{}, after call {call}", crashed.text);
    };
    let how = match crashed.kind {
        CrashKind::Kill => "the process was killed",
        CrashKind::PowerCut => "the power failed",
    };
    let when = match point.moment {
        Moment::Before => "just before",
        Moment::Inside => "inside",
        Moment::After => "just after",
    };
    let on = match (op, file) {
        (Op::SyncDir | Op::List | Op::Lock, _) | (_, None) => String::new(),
        (_, Some(file)) => format!(" {file}"),
    };
    format!("{how} {when} call {} ({op}{on})", point.call)
}

/// What damage did to a file.
pub(super) fn of_damage(effect: &Effect) -> String {
    let Effect::Event(event) = effect else {
        return "a storage call went wrong".to_owned();
    };
    match event {
        DiskEvent::FlipBit { file, offset, bit } => {
            format!("bit {bit} of byte {offset} of `{file}` was flipped")
        }
        DiskEvent::ZeroSectors {
            file,
            sector,
            count,
        } => {
            let (from, to) = (sector * 512, (sector + count) * 512);
            format!("bytes {from} to {to} of `{file}` became zeros")
        }
        DiskEvent::Truncate { file, len } => format!("`{file}` was shortened to {len} bytes"),
        DiskEvent::Replace { file, .. } => format!("`{file}` got other bytes"),
        _ => "the disk changed on its own".to_owned(),
    }
}
