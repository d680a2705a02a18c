//! The functions of [`std::fs`] on files and names.

use std::fs::Permissions;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use beaver_storage::FileKind;

use crate::errors::{not_permitted, plain, unsupported};
use crate::file::{File, check_mode};
use crate::metadata::Metadata;
use crate::mount;
use crate::mounted_path::{MountedPath, PathEnd, check_bytes};

/// [`std::fs::read`].
///
/// # Errors
///
/// Those of open(2) and read(2).
pub fn read<P: AsRef<Path>>(path: P) -> io::Result<Vec<u8>> {
    if mount::is_real(path.as_ref())? {
        return std::fs::read(path);
    }
    let mut file = File::open(path)?;
    let mut bytes = Vec::with_capacity(size_hint(&file));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// [`std::fs::read_to_string`].
///
/// # Errors
///
/// Those of open(2) and read(2); `InvalidData` for what is no UTF-8.
pub fn read_to_string<P: AsRef<Path>>(path: P) -> io::Result<String> {
    if mount::is_real(path.as_ref())? {
        return std::fs::read_to_string(path);
    }
    let mut file = File::open(path)?;
    let mut text = String::with_capacity(size_hint(&file));
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// How much room to make at first; an error shows again when the file is read.
fn size_hint(file: &File) -> usize {
    let len = file.metadata().map_or(0, |metadata| metadata.len());
    usize::try_from(len).unwrap_or(0)
}

/// [`std::fs::write`]: not atomic, and nothing is synced.
///
/// # Errors
///
/// Those of open(2) and write(2).
pub fn write<P: AsRef<Path>, C: AsRef<[u8]>>(path: P, contents: C) -> io::Result<()> {
    File::create(path)?.write_all(contents.as_ref())
}

/// [`std::fs::copy`]. Where a simulated disk is on either side, it reads and writes in pieces.
///
/// # Errors
///
/// Those of open(2), read(2) and write(2); `InvalidInput` if `from` is no file.
pub fn copy<P: AsRef<Path>, Q: AsRef<Path>>(from: P, to: Q) -> io::Result<u64> {
    let (from, to) = (from.as_ref(), to.as_ref());
    if mount::is_real(from)? && mount::is_real(to)? {
        return std::fs::copy(from, to);
    }
    let mut reader = File::open(from)?;
    if !reader.metadata()?.is_file() {
        let text = "the source path is neither a regular file nor a symlink to a regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    io::copy(&mut reader, &mut File::create(to)?)
}

/// [`std::fs::rename`].
///
/// # Errors
///
/// Those of rename(2); `CrossesDevices` from one disk to another.
pub fn rename<P: AsRef<Path>, Q: AsRef<Path>>(from: P, to: Q) -> io::Result<()> {
    let (from_path, to_path) = (from.as_ref(), to.as_ref());
    let (from, to) = (
        MountedPath::of_name(from_path)?,
        MountedPath::of_name(to_path)?,
    );
    let is_root = |place: &MountedPath| place.path.is_empty();
    if from.iter().chain(&to).any(is_root) {
        return Err(plain(io::ErrorKind::ResourceBusy));
    }
    let Some((from, to)) = on_one_disk(from, to)? else {
        return std::fs::rename(from_path, to_path);
    };
    // What a directory is called from inside has no other name.
    if from.end.is_dots() || to.end.is_dots() {
        return Err(plain(io::ErrorKind::ResourceBusy));
    }
    let has_slash = [&from, &to].iter().any(|place| place.end == PathEnd::Slash);
    if has_slash && !from.is_directory()? {
        return Err(plain(io::ErrorKind::NotADirectory));
    }
    from.call(|tree, from| tree.rename(from, &to.path))
}

/// [`std::fs::hard_link`]. Of a symbolic link it makes another name, as on Linux.
///
/// # Errors
///
/// Those of link(2); `CrossesDevices` from one disk to another.
pub fn hard_link<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
    let (original, link) = (original.as_ref(), link.as_ref());
    let existing = MountedPath::of_link(original)?;
    // Before the way to the new name, which may be missing too.
    let kind = existing.as_ref().map(|place| place.kind());
    let kind = kind.transpose()?;
    let Some((existing, new)) = on_one_disk(existing, MountedPath::of_name(link)?)? else {
        return std::fs::hard_link(original, link);
    };
    if new.path.is_empty() {
        return Err(plain(io::ErrorKind::AlreadyExists));
    }
    new.check_new_name()?;
    let linked = match existing.path.as_str() {
        // The root is a directory and gets no second name; a new name that is taken is reported first.
        "" => match new.kind() {
            Ok(_) => Err(plain(io::ErrorKind::AlreadyExists)),
            Err(_) => Err(plain(io::ErrorKind::PermissionDenied)),
        },
        _ => existing.call(|tree, existing| tree.link(existing, &new.path)),
    };
    linked.map_err(|error| match error.kind() {
        // EPERM, where a file that may not be touched is EACCES.
        io::ErrorKind::PermissionDenied if kind == Some(FileKind::Directory) => not_permitted(),
        _ => error,
    })
}

/// Two places of one disk; none if both are real.
fn on_one_disk(
    one: Option<MountedPath>,
    other: Option<MountedPath>,
) -> io::Result<Option<(MountedPath, MountedPath)>> {
    match (one, other) {
        (None, None) => Ok(None),
        (Some(one), Some(other)) if one.mount.path == other.mount.path => Ok(Some((one, other))),
        _ => Err(plain(io::ErrorKind::CrossesDevices)),
    }
}

/// [`std::fs::remove_file`].
///
/// # Errors
///
/// Those of unlink(2).
pub fn remove_file<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    let Some(place) = MountedPath::of_name(path)? else {
        return std::fs::remove_file(path);
    };
    if place.end.is_dots() || place.path.is_empty() {
        return Err(plain(io::ErrorKind::IsADirectory));
    }
    if place.end == PathEnd::Slash && !place.is_directory()? {
        return Err(plain(io::ErrorKind::NotADirectory));
    }
    place.call(|tree, path| tree.remove(path))
}

/// [`std::fs::metadata`]. On a simulated disk it is a call `len`.
///
/// # Errors
///
/// Those of stat(2).
pub fn metadata<P: AsRef<Path>>(path: P) -> io::Result<Metadata> {
    let path = path.as_ref();
    match MountedPath::of(path)? {
        None => std::fs::metadata(path).map(Metadata::from),
        Some(place) => place.call(|tree, path| tree.stat(path)).map(Metadata::from),
    }
}

/// [`std::fs::symlink_metadata`]. On a simulated disk it is a call `len`.
///
/// # Errors
///
/// Those of lstat(2).
pub fn symlink_metadata<P: AsRef<Path>>(path: P) -> io::Result<Metadata> {
    let path = path.as_ref();
    match MountedPath::of_link(path)? {
        None => std::fs::symlink_metadata(path).map(Metadata::from),
        Some(place) => place.call(|tree, path| tree.stat(path)).map(Metadata::from),
    }
}

/// [`std::fs::exists`]. To be used in place of `Path::try_exists` too, which asks the real file system.
///
/// # Errors
///
/// Those of stat(2), without `NotFound`.
pub fn exists<P: AsRef<Path>>(path: P) -> io::Result<bool> {
    match metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// [`std::fs::canonicalize`]. On a simulated disk it is a call `len`.
///
/// # Errors
///
/// Those of stat(2).
pub fn canonicalize<P: AsRef<Path>>(path: P) -> io::Result<PathBuf> {
    let path = path.as_ref();
    let Some(place) = MountedPath::of(path)? else {
        return std::fs::canonicalize(path);
    };
    place.call(|tree, path| tree.stat(path))?;
    Ok(place.full_path())
}

/// [`std::fs::read_link`]. On a simulated disk it is no storage call.
///
/// # Errors
///
/// Those of readlink(2).
pub fn read_link<P: AsRef<Path>>(path: P) -> io::Result<PathBuf> {
    let path = path.as_ref();
    match MountedPath::of_link(path)? {
        None => std::fs::read_link(path),
        Some(place) if place.path.is_empty() => Err(plain(io::ErrorKind::InvalidInput)),
        Some(place) => Ok(place.call(|tree, path| tree.read_link(path))?.into()),
    }
}

/// [`std::fs::set_permissions`]. On a simulated disk no modes are kept.
///
/// # Errors
///
/// Those of chmod(2); `Unsupported` on a simulated disk if the file may not be written any more.
pub fn set_permissions<P: AsRef<Path>>(path: P, perm: Permissions) -> io::Result<()> {
    let path = path.as_ref();
    let Some(place) = MountedPath::of(path)? else {
        return std::fs::set_permissions(path, perm);
    };
    place.kind()?;
    check_mode(&perm)
}

/// The symbolic link of [`std::os::unix::fs`], whose traits are implemented for the types of this
/// package, so that `use std::os::unix::fs::FileExt` can stay as it is.
pub mod unix {
    use super::{MountedPath, Path, check_bytes, io, plain, unsupported};

    /// [`std::os::unix::fs::symlink`].
    ///
    /// # Errors
    ///
    /// Those of symlink(2).
    pub fn symlink<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
        let (original, link) = (original.as_ref(), link.as_ref());
        let Some(place) = MountedPath::of_name(link)? else {
            return std::os::unix::fs::symlink(original, link);
        };
        check_bytes(original)?;
        if place.path.is_empty() {
            return Err(plain(io::ErrorKind::AlreadyExists));
        }
        place.check_new_name()?;
        let target = original.to_str();
        let target = target.ok_or_else(|| unsupported("a link to a path that is no UTF-8"))?;
        place.call(|tree, path| tree.symlink(target, path))
    }
}
