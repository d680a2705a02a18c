//! An image written out as files, for a program to look at.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use beaver_disk::{FileKind, Image, InodeId};

/// Which bits of a mode are permissions.
const PERMISSIONS: u32 = 0o7777;

/// Bytes of a file that are written at once.
const PART: usize = 1 << 20;

/// Writes an image into the folder `to`, which is made: files, directories, hard and symbolic links, with the permissions of
/// `modes`.
///
/// # Errors
///
/// Those of the system; `AlreadyExists` if the folder is there.
pub fn write_image(image: &Image, modes: &BTreeMap<InodeId, u32>, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    let mut written: BTreeMap<InodeId, PathBuf> = BTreeMap::new();
    let mut directories = Vec::new();
    let largest = image.bytes().min(PART as u64);
    let mut part = vec![0; usize::try_from(largest).unwrap_or(PART).max(1)];
    for (path, inode) in image.entries() {
        let at = to.join(&path);
        if let Some(other) = written.get(&inode) {
            fs::hard_link(other, &at)?;
            continue;
        }
        match image.kind(&path) {
            Some(FileKind::Directory) => {
                fs::create_dir(&at)?;
                directories.push((inode, at));
                continue;
            }
            Some(FileKind::Symlink) => {
                let target = image.read(&path).unwrap_or_default();
                let target = String::from_utf8_lossy(&target).into_owned();
                symlink(target, &at)?;
            }
            Some(FileKind::File) | None => {
                let mut file = File::create_new(&at)?;
                // Another copy of a large file would be the largest thing in memory.
                let mut offset = 0;
                loop {
                    let count = image.read_at(&path, &mut part, offset);
                    file.write_all(&part[..count])?;
                    offset += count as u64;
                    if count < part.len() {
                        break;
                    }
                }
                if let Some(mode) = modes.get(&inode) {
                    file.set_permissions(Permissions::from_mode(mode & PERMISSIONS))?;
                }
            }
        }
        written.insert(inode, at);
    }
    // Last, and what is inside first: nothing can be made in a directory that may not be written to.
    for (inode, at) in directories.iter().rev() {
        if let Some(mode) = modes.get(inode) {
            fs::set_permissions(at, Permissions::from_mode(mode & PERMISSIONS))?;
        }
    }
    Ok(())
}

/// Removes a folder and everything in it, whatever its permissions are.
///
/// # Errors
///
/// Those of the system. A folder that is not there is no error.
pub(crate) fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(folder)?;
            fs::remove_dir_all(folder)
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn open_up(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use beaver_disk::Profile;

    use super::*;
    use crate::replay::LogReplay;
    use crate::testing::recorded;

    #[test]
    fn links_modes_and_bytes_are_as_they_were() {
        let (_folder, log) = recorded(
            "mkdir d; create d/a; write d/a 0 hello; link d/a b; symlink d/a s; create big; set_len big 5000",
        );
        let mut replay = LogReplay::new(&log, Profile::Posix);
        while replay.next().is_some() {
            replay.step().unwrap();
        }
        let image = replay.disk().live();
        let modes = [(InodeId(1), 0o500), (InodeId(2), 0o640)].into();
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("image");
        write_image(&image, &modes, &to).unwrap();
        assert_eq!(fs::read(to.join("b")).unwrap(), b"hello");
        assert_eq!(fs::read_link(to.join("s")).unwrap(), Path::new("d/a"));
        assert_eq!(fs::read(to.join("big")).unwrap(), vec![0; 5000]);
        let (a, b) = (
            to.join("d/a").metadata().unwrap(),
            to.join("b").metadata().unwrap(),
        );
        assert_eq!(a.ino(), b.ino());
        assert_eq!(a.mode() & 0o777, 0o640);
        assert_eq!(to.join("d").metadata().unwrap().mode() & 0o777, 0o500);
        remove_folder(&to).unwrap();
        assert!(!to.exists());
        remove_folder(&to).unwrap();
    }
}
