// Plays calls, compiled twice like `program.rs`, and says what each answered.

use std::fmt::Debug;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::{Call, FileCall};

#[derive(Default)]
pub(crate) struct Player {
    files: [Option<File>; 3],
}

fn told<T: Debug, E: Into<io::Error>>(answer: Result<T, E>) -> String {
    let answer = answer.map_err(|error| {
        let error = error.into();
        (error.kind(), error.raw_os_error())
    });
    format!("{answer:?}")
}

fn kind(metadata: &fs::Metadata) -> (bool, bool, bool, Option<u64>) {
    let it = metadata;
    // How long a directory is differs from one file system to the next, and a link may hold the root.
    let len = it.is_file().then_some(it.len());
    (it.is_file(), it.is_dir(), it.is_symlink(), len)
}

impl Player {
    pub(crate) fn play(&mut self, root: &Path, call: &Call) -> String {
        let at = |path: &str| root.join(path);
        let inside = |path: PathBuf| path.strip_prefix(root).map(Path::to_owned).unwrap_or(path);
        match call {
            Call::Open { slot, path, bits } => {
                let bit = |place: u32| bits >> place & 1 == 1;
                let mut options = fs::OpenOptions::new();
                options
                    .read(bit(0))
                    .write(bit(1))
                    .append(bit(2))
                    .truncate(bit(3));
                match options.create(bit(4)).create_new(bit(5)).open(at(path)) {
                    Ok(file) => {
                        self.files[*slot] = Some(file);
                        "opened".to_owned()
                    }
                    Err(error) => told::<(), _>(Err(error)),
                }
            }
            Call::Clone { from, to } => {
                let clone = self.files[*from]
                    .as_ref()
                    .map(|file| file.try_clone().unwrap());
                self.files[*to] = clone;
                String::new()
            }
            Call::Close { slot } => {
                self.files[*slot] = None;
                String::new()
            }
            Call::OnFile { slot, call } => match &mut self.files[*slot] {
                Some(file) => on_file(file, call),
                None => "not open".to_owned(),
            },
            Call::CreateDir(path) => told(fs::create_dir(at(path))),
            Call::CreateDirAll(path) => told(fs::create_dir_all(at(path))),
            Call::RemoveFile(path) => told(fs::remove_file(at(path))),
            Call::RemoveDir(path) => told(fs::remove_dir(at(path))),
            Call::RemoveDirAll(path) => told(fs::remove_dir_all(at(path))),
            Call::Rename(from, to) => told(fs::rename(at(from), at(to))),
            Call::HardLink(from, to) => told(fs::hard_link(at(from), at(to))),
            Call::Symlink(target, path) => told(symlink(target, at(path))),
            Call::AbsoluteLink(target, path) => told(symlink(at(target), at(path))),
            Call::Read(path) => told(fs::read(at(path))),
            Call::Write(path, bytes) => told(fs::write(at(path), bytes)),
            Call::Copy(from, to) => told(fs::copy(at(from), at(to))),
            Call::Metadata(path) => told(fs::metadata(at(path)).map(|found| kind(&found))),
            Call::LinkMetadata(path) => {
                told(fs::symlink_metadata(at(path)).map(|found| kind(&found)))
            }
            Call::Canonicalize(path) => told(fs::canonicalize(at(path)).map(inside)),
            Call::ReadLink(path) => told(fs::read_link(at(path)).map(inside)),
            Call::ReadDir(path) => told(entries(&at(path))),
        }
    }
}

fn entries(path: &Path) -> io::Result<Vec<(PathBuf, bool, bool)>> {
    let entries = fs::read_dir(path)?.map(|entry| {
        let entry = entry?;
        let kind = entry.file_type()?;
        Ok((entry.file_name().into(), kind.is_dir(), kind.is_symlink()))
    });
    let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

fn on_file(file: &mut File, call: &FileCall) -> String {
    match call {
        FileCall::Read(count) => {
            let mut buf = vec![0; *count];
            told(file.read(&mut buf).map(|count| buf[..count].to_vec()))
        }
        FileCall::ReadAt(count, offset) => {
            let mut buf = vec![0; *count];
            told(
                file.read_at(&mut buf, *offset)
                    .map(|count| buf[..count].to_vec()),
            )
        }
        FileCall::Write(bytes) => told(file.write(bytes)),
        FileCall::WriteAt(bytes, offset) => told(file.write_at(bytes, *offset)),
        FileCall::SetLen(len) => told(file.set_len(*len)),
        FileCall::Metadata => told(file.metadata().map(|found| kind(&found))),
        FileCall::Sync => told(file.sync_all()),
        FileCall::SyncData => told(file.sync_data()),
        FileCall::TryLock => told(file.try_lock()),
        // A simulated directory has no shared lock.
        FileCall::TryLockShared if file.metadata().unwrap().is_dir() => String::new(),
        FileCall::TryLockShared => told(file.try_lock_shared()),
        FileCall::Unlock => told(file.unlock()),
        // Where in a directory one can be differs from one file system to the next.
        FileCall::Seek(_) if file.metadata().unwrap().is_dir() => String::new(),
        FileCall::Seek(to) => told(file.seek(match to {
            (0, by) => SeekFrom::Start(by.unsigned_abs()),
            (1, by) => SeekFrom::Current(*by),
            (_, by) => SeekFrom::End(*by),
        })),
    }
}

/// Everything below `root`: the names, and the bytes or the target of each.
pub(crate) fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut next = vec![root.to_owned()];
    while let Some(directory) = next.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap();
            let content = match () {
                () if kind.is_dir() => {
                    next.push(path.clone());
                    String::new()
                }
                () if kind.is_symlink() => "link".to_owned(),
                () => told(fs::read(&path)),
            };
            let path = path.strip_prefix(root).unwrap().display().to_string();
            found.push(format!("{path} {content}"));
        }
    }
    found.sort();
    found
}
