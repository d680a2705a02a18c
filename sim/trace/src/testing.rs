//! Recordings for tests, written down as steps.

use std::collections::BTreeMap;

use beaver_disk::{Behaviour, Change, FailedSync, FailureKind, Fault, InodeId, Subset};

use crate::images::CrashImages;
use crate::log::{Log, LogFormat, LogWriter, TraceEvent};
use crate::made::CrashImage;

/// A recording of `steps`, separated by `;`, and the folder that it is in.
///
/// ```text
/// create a          mkdir d           symlink to s      link a b
/// write a 0 text    set_len a 3       rename a b        remove a      rmdir d
/// sync a            datasync a        sync_dir d        sync_all      fail_sync a      drop_cache a
/// ack text          begin
/// ```
pub(crate) fn recorded(steps: &str) -> (tempfile::TempDir, Log) {
    let folder = tempfile::tempdir().unwrap();
    let format = LogFormat {
        program: vec!["program".to_owned()],
        ..LogFormat::default()
    };
    let mut writer = LogWriter::create(folder.path(), &format).unwrap();
    let mut paths = Paths::default();
    for step in steps.split(';') {
        let words: Vec<&str> = step.split_whitespace().collect();
        writer.push(&paths.event(&words)).unwrap();
    }
    writer.flush().unwrap();
    let log = Log::open(folder.path()).unwrap();
    (folder, log)
}

/// All images that were found.
pub(crate) fn made(log: &Log, found: &CrashImages) -> Vec<CrashImage> {
    let mut made = Vec::new();
    let mut give = |place, image| {
        assert_eq!(place, made.len());
        made.push(image);
        true
    };
    let all = found.make(log, &log.events, &mut |_| true, &mut give, &|| true);
    all.unwrap();
    made
}

/// The numbers of what there is, by path.
#[derive(Default)]
struct Paths {
    inodes: BTreeMap<String, InodeId>,
    made: u64,
}

impl Paths {
    fn event(&mut self, words: &[&str]) -> TraceEvent {
        let change = match *words {
            ["begin"] => return TraceEvent::Begin,
            ["sync_all"] => return TraceEvent::Sync,
            ["ack", text] => return TraceEvent::Ack(text.to_owned()),
            _ => self.names(words).or_else(|| self.bytes(words)),
        };
        let failed = Fault::FailedSync(FailedSync {
            error: FailureKind::Io,
            behaviour: Behaviour::MarkClean,
            failed: Subset::All,
            left: BTreeMap::new(),
        });
        TraceEvent::Call {
            change: change.unwrap_or_else(|| panic!("no step: {words:?}")),
            bytes: None,
            fault: (words[0] == "fail_sync").then_some(failed),
            mapped: false,
        }
    }

    /// A change of names.
    fn names(&mut self, words: &[&str]) -> Option<Change> {
        let at = |path: &str| {
            let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
            (self.inode(dir), name.to_owned())
        };
        Some(match *words {
            ["create", path] => {
                let (dir, name) = at(path);
                self.make(path);
                Change::Create { dir, name }
            }
            ["mkdir", path] => {
                let (dir, name) = at(path);
                self.make(path);
                Change::CreateDir { dir, name }
            }
            ["symlink", target, path] => {
                let ((dir, name), target) = (at(path), target.to_owned());
                self.make(path);
                Change::Symlink { dir, name, target }
            }
            ["link", path, to] => {
                let (inode, (dir, name)) = (self.inode(path), at(to));
                self.inodes.insert(to.to_owned(), inode);
                Change::Link { inode, dir, name }
            }
            ["rename", old, new] => {
                let ((from_dir, from), (to_dir, to)) = (at(old), at(new));
                let inode = self.inodes.remove(old).unwrap();
                self.inodes.insert(new.to_owned(), inode);
                Change::Rename {
                    from_dir,
                    from,
                    to_dir,
                    to,
                }
            }
            ["remove", path] => {
                let (dir, name) = at(path);
                self.inodes.remove(path);
                Change::Remove { dir, name }
            }
            ["rmdir", path] => {
                let (dir, name) = at(path);
                self.inodes.remove(path);
                Change::RemoveDir { dir, name }
            }
            _ => return None,
        })
    }

    /// A change of bytes, or a sync.
    fn bytes(&self, words: &[&str]) -> Option<Change> {
        Some(match *words {
            ["write", path, offset, text] => Change::Write {
                inode: self.inode(path),
                offset: offset.parse().unwrap(),
                bytes: text.as_bytes().to_vec(),
            },
            ["set_len", path, len] => Change::SetLen {
                inode: self.inode(path),
                len: len.parse().unwrap(),
            },
            ["sync" | "fail_sync", path] => Change::SyncAll {
                inode: self.inode(path),
            },
            ["datasync", path] => Change::SyncData {
                inode: self.inode(path),
            },
            ["drop_cache", path] => Change::DropCache {
                inode: self.inode(path),
            },
            ["sync_dir", path] => Change::SyncDir {
                dir: self.inode(path),
            },
            _ => return None,
        })
    }

    fn make(&mut self, path: &str) {
        self.made += 1;
        self.inodes.insert(path.to_owned(), InodeId(self.made));
    }

    fn inode(&self, path: &str) -> InodeId {
        match path {
            "" | "." => InodeId::ROOT,
            path => self.inodes[path],
        }
    }
}
