//! Events in words, by path.

use std::borrow::Cow;
use std::ops::Range;

use beaver_disk::{Change, InodeId, Profile};

use crate::log::{Log, LogError, TraceEvent};
use crate::replay::LogReplay;

/// The events of a range in words, each with its number.
///
/// # Errors
///
/// The bytes of a write cannot be read.
pub fn events_in_words(log: &Log, range: Range<usize>) -> Result<Vec<(usize, String)>, LogError> {
    let mut replay = LogReplay::new(log, Profile::Posix);
    let mut lines = Vec::new();
    while replay.position() < range.end
        && let Some(event) = replay.next()
    {
        if range.contains(&replay.position()) {
            lines.extend(in_words(&replay, event).map(|words| (replay.position(), words)));
        }
        replay.step()?;
    }
    Ok(lines)
}

/// One event, when it comes next; `None` for one that is no news to a reader.
fn in_words(replay: &LogReplay<'_>, event: &TraceEvent) -> Option<String> {
    Some(match event {
        TraceEvent::Call {
            change,
            bytes,
            fault,
            mapped,
        } => {
            let mut words = change_in_words(replay, change, bytes.map(|(_, len)| len));
            if *mapped {
                words.push_str(" (from a mapping)");
            }
            if fault.is_some() {
                words.push_str(" (fails)");
            }
            words
        }
        TraceEvent::Sync => "sync of everything".to_owned(),
        TraceEvent::Begin => "the setup ends".to_owned(),
        TraceEvent::Ack(line) => format!("the program says \"{}\"", escaped(line)),
        TraceEvent::LetGo(_) => return None,
        TraceEvent::Mode { inode, mode } => format!("chmod {:o} {}", mode, file(replay, *inode)),
    })
}

fn change_in_words(replay: &LogReplay<'_>, change: &Change, len: Option<u64>) -> String {
    let at = |dir: &InodeId, name: &str| name_in(replay, *dir, name);
    let file = |inode: &InodeId| file(replay, *inode);
    match change {
        Change::Create { dir, name } => format!("create {}", at(dir, name)),
        Change::CreateDir { dir, name } => format!("mkdir {}", at(dir, name)),
        Change::Symlink { dir, name, target } => {
            format!("symlink {} as {}", escaped(target), at(dir, name))
        }
        Change::Link { inode, dir, name } => format!("link {} as {}", file(inode), at(dir, name)),
        Change::Rename {
            from_dir,
            from,
            to_dir,
            to,
        } => format!("rename {} to {}", at(from_dir, from), at(to_dir, to)),
        Change::Remove { dir, name } => format!("remove {}", at(dir, name)),
        Change::RemoveDir { dir, name } => format!("rmdir {}", at(dir, name)),
        Change::Write { inode, offset, .. } => {
            let len = len.unwrap_or_default();
            format!("write {}: {len} bytes at {offset}", file(inode))
        }
        Change::SetLen { inode, len } => format!("truncate {} to {len} bytes", file(inode)),
        Change::Allocate { inode, len } => format!("fallocate {} to {len} bytes", file(inode)),
        Change::SyncData { inode } => format!("fdatasync {}", file(inode)),
        Change::SyncAll { inode } => format!("fsync {}", file(inode)),
        Change::DropCache { inode } => format!("the cache of {} is dropped", file(inode)),
        Change::SyncDir { dir } => format!("fsync of the directory {}", dir_path(replay, *dir)),
    }
}

/// The text with escapes for what would break a line, or steer a terminal.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let letters = text.chars().map(|letter| match letter {
        // With it escapes are unlike what looks like one.
        '\\' => "\\\\".to_owned(),
        letter if letter.is_control() => letter.escape_debug().collect(),
        letter => letter.to_string(),
    });
    Cow::Owned(letters.collect())
}

/// The path of a file or directory, when the next event comes.
pub(crate) fn path_of(replay: &LogReplay<'_>, inode: InodeId) -> Option<String> {
    match inode {
        InodeId::ROOT => Some(".".to_owned()),
        inode => {
            let path = replay.disk().look(|disk| disk.path(inode));
            path.map(|path| escaped(&path).into_owned())
        }
    }
}

fn file(replay: &LogReplay<'_>, inode: InodeId) -> String {
    path_of(replay, inode).unwrap_or_else(|| format!("file {}, which has no name", inode.0))
}

fn dir_path(replay: &LogReplay<'_>, dir: InodeId) -> String {
    file(replay, dir)
}

/// The path of a name in a directory.
pub(crate) fn name_in(replay: &LogReplay<'_>, dir: InodeId, name: &str) -> String {
    match dir {
        InodeId::ROOT => escaped(name).into_owned(),
        dir => format!("{}/{}", dir_path(replay, dir), escaped(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_steers_a_terminal_is_escaped_and_nothing_else() {
        assert_eq!(escaped("d/ü \\n\"'"), "d/ü \\n\"'");
        assert_eq!(
            escaped("a\nb\t\u{1b}[1m\\\u{85}"),
            "a\\nb\\t\\u{1b}[1m\\\\\\u{85}"
        );
    }
}
