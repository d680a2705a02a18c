//! Where a path leads: to the real file system, or to a place on a simulated disk, with `..` and
//! symbolic links resolved on the way, as the system does before a call begins.

use std::collections::VecDeque;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use beaver_storage::FileKind;

use crate::errors;
use crate::mount::{self, Mount};

/// How many links a path may lead through; Linux allows as many.
const MAX_LINKS: u32 = 40;

/// A place on a simulated disk: what stands there, or could.
#[derive(Clone, Debug)]
pub(crate) struct MountedPath {
    pub(crate) mount: Arc<Mount>,
    /// The path from the root of the disk, without links; empty for the root itself.
    pub(crate) path: String,
}

impl MountedPath {
    /// Where a call leads that follows links.
    pub(crate) fn of(path: &Path) -> io::Result<Option<MountedPath>> {
        MountedPath::resolve(path, true)
    }

    /// Where a call leads that is about a link itself, or about a name.
    pub(crate) fn of_name(path: &Path) -> io::Result<Option<MountedPath>> {
        MountedPath::resolve(path, false)
    }

    /// The same, for a call that does not work on the root of a disk.
    pub(crate) fn below_root(path: &Path) -> io::Result<Option<MountedPath>> {
        match MountedPath::of_name(path)? {
            Some(place) if place.path.is_empty() => Err(io::ErrorKind::ResourceBusy.into()),
            place => Ok(place),
        }
    }

    /// The path as the program knows it.
    pub(crate) fn full_path(&self) -> PathBuf {
        match self.path.as_str() {
            "" => self.mount.path.clone(),
            path => self.mount.path.join(path),
        }
    }

    fn resolve(path: &Path, follow: bool) -> io::Result<Option<MountedPath>> {
        let Some((mount, rest)) = mount::find(path)? else {
            return Ok(None);
        };
        let path = walk(&mount, &rest, follow)?;
        Ok(Some(MountedPath { mount, path }))
    }
}

/// Walks along `path` from the root. The last name need not be there, and `follow` says whether it is
/// followed where it is a link.
fn walk(mount: &Mount, path: &Path, follow: bool) -> io::Result<String> {
    let tree = mount.tree()?;
    let mut names = VecDeque::from(names(path)?);
    let mut here = String::new();
    let mut links = 0;
    while let Some(name) = names.pop_front() {
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
