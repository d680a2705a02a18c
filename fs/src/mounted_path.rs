//! Where a path leads: to the real file system, or to a place on a simulated disk, with `..` and
//! symbolic links resolved on the way, as the system does before a call begins.

use std::collections::VecDeque;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use beaver_storage::{FileKind, Tree};

use crate::errors::{self, numbered, plain};
use crate::mount::{self, Mount};

/// How many links a path may lead through; Linux allows as many.
const MAX_LINKS: u32 = 40;

/// How long a path may be, with the NUL at its end.
const MAX_PATH: usize = 4_096;

/// A place on a simulated disk: what stands there, or could.
#[derive(Clone, Debug)]
pub(crate) struct MountedPath {
    pub(crate) mount: Arc<Mount>,
    /// The path from the root of the disk, without links; empty for the root itself.
    pub(crate) path: String,
    /// How the path ended that led here.
    pub(crate) end: PathEnd,
}

/// How a path ends. Calls that make or remove a name tell these apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathEnd {
    Name,
    /// A name with a slash after it: that of a directory.
    Slash,
    Dot,
    Up,
}

impl PathEnd {
    pub(crate) fn of(path: &Path) -> Self {
        let bytes = path.as_os_str().as_bytes();
        let slashes = bytes.iter().rev().take_while(|byte| **byte == b'/').count();
        let name = bytes[..bytes.len() - slashes].rsplit(|byte| *byte == b'/');
        match name.into_iter().next() {
            Some(b".") => PathEnd::Dot,
            Some(b"..") => PathEnd::Up,
            _ if slashes > 0 => PathEnd::Slash,
            _ => PathEnd::Name,
        }
    }

    /// Whether what the path leads to is a directory that has another name than the last one here.
    pub(crate) fn is_dots(self) -> bool {
        matches!(self, PathEnd::Dot | PathEnd::Up)
    }
}

impl MountedPath {
    /// Where a call leads that follows links.
    pub(crate) fn of(path: &Path) -> io::Result<Option<MountedPath>> {
        MountedPath::resolve(path, Last::Followed)
    }

    /// Where a call leads that is about a link itself.
    pub(crate) fn of_link(path: &Path) -> io::Result<Option<MountedPath>> {
        MountedPath::resolve(path, Last::Link)
    }

    /// Where a call leads that makes or removes a name.
    pub(crate) fn of_name(path: &Path) -> io::Result<Option<MountedPath>> {
        MountedPath::resolve(path, Last::Name)
    }

    /// A call on the disk.
    pub(crate) fn call<T>(
        &self,
        call: impl FnOnce(&dyn Tree, &str) -> io::Result<T>,
    ) -> io::Result<T> {
        call(self.mount.tree()?, &self.path).map_err(numbered)
    }

    /// Fails where a new name that is no directory's cannot stand, because a slash comes after it.
    pub(crate) fn check_new_name(&self) -> io::Result<()> {
        if self.end != PathEnd::Slash {
            return Ok(());
        }
        self.kind()?;
        Err(plain(io::ErrorKind::AlreadyExists))
    }

    /// What stands there: no storage call.
    pub(crate) fn kind(&self) -> io::Result<FileKind> {
        self.call(|tree, path| tree.find(path))
    }

    pub(crate) fn is_directory(&self) -> io::Result<bool> {
        Ok(self.kind()? == FileKind::Directory)
    }

    /// The path as the program knows it.
    pub(crate) fn full_path(&self) -> PathBuf {
        match self.path.as_str() {
            "" => self.mount.path.clone(),
            path => self.mount.path.join(path),
        }
    }

    fn resolve(path: &Path, last: Last) -> io::Result<Option<MountedPath>> {
        let Some((mount, rest)) = mount::find(path)? else {
            return Ok(None);
        };
        check_bytes(path)?;
        let end = PathEnd::of(path);
        let mut names = names(&rest)?;
        // After a slash the name of a directory is followed, as before one, unless the name itself is meant.
        if end == PathEnd::Dot || end == PathEnd::Slash && last != Last::Name {
            names.push(".".to_owned());
        }
        let path = walk(&mount, names.into(), last == Last::Followed).map_err(numbered)?;
        Ok(Some(MountedPath { mount, path, end }))
    }
}

/// What becomes of a link that is the last name of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Followed,
    /// It is meant itself, unless a slash comes after it.
    Link,
    /// Its name is meant, whatever comes after it.
    Name,
}

/// Fails where the system takes no such path: none with a NUL, and none that long.
pub(crate) fn check_bytes(path: &Path) -> io::Result<()> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.contains(&0) {
        let text = "file name contained an unexpected NUL byte";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    match bytes.len() < MAX_PATH {
        true => Ok(()),
        false => Err(plain(io::ErrorKind::InvalidFilename)),
    }
}

/// Walks along `names` from the root; `.` follows a name that a directory must have. The last name need
/// not be there, and `follow` says whether it is followed where it is a link.
fn walk(mount: &Mount, mut names: VecDeque<String>, follow: bool) -> io::Result<String> {
    let tree = mount.tree()?;
    let mut here = String::new();
    let mut links = 0;
    while let Some(name) = names.pop_front() {
        if name == "." {
            continue;
        }
        if name == ".." {
            let up = here.rfind('/').unwrap_or(0);
            match here.is_empty() {
                true => return Err(errors::unsupported("a path that leaves its disk")),
                false => here.truncate(up),
            }
            continue;
        }
        let next = match here.as_str() {
            "" => name,
            dir => format!("{dir}/{name}"),
        };
        let is_last = names.is_empty();
        match tree.find(&next) {
            _ if is_last && !follow => here = next,
            Ok(FileKind::Symlink) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(errors::too_many_links());
                }
                let target = PathBuf::from(tree.read_link(&next)?);
                if target.is_absolute() {
                    here.clear();
                }
                let rest = names.drain(..).collect();
                names = VecDeque::from(self::names(inside(mount, &target)?)?);
                if matches!(PathEnd::of(&target), PathEnd::Slash | PathEnd::Dot) {
                    names.push_back(".".to_owned());
                }
                names.extend::<Vec<String>>(rest);
            }
            Ok(FileKind::File) if !is_last => return Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if !is_last || error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(_) | Err(_) => here = next,
        }
    }
    Ok(here)
}

/// The target of a link, from the root of its disk if it is absolute.
fn inside<'t>(mount: &Mount, target: &'t Path) -> io::Result<&'t Path> {
    match target.is_absolute() {
        false => Ok(target),
        true => target
            .strip_prefix(&mount.path)
            .map_err(|_| errors::unsupported("a link that leaves its disk")),
    }
}

fn names(path: &Path) -> io::Result<Vec<String>> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_str().map(str::to_owned).ok_or_else(|| {
            let text = format!("{name:?} is no UTF-8, and a simulated disk knows no other names");
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })),
        Component::ParentDir => Some(Ok("..".to_owned())),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    });
    names.collect()
}
