//! The mount table: which paths lead to which simulated disk.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use beaver_storage::{Storage, Tree};

/// Every mount point lies below it. What is below it and not mounted is not there: a path of a disk that
/// is gone must never lead to real files.
const TOP: &str = "/beaver";

/// Process-wide, so that every thread of a store finds the disk that its paths name.
static TABLE: Mutex<BTreeMap<PathBuf, Arc<Mount>>> = Mutex::new(BTreeMap::new());

fn table() -> MutexGuard<'static, BTreeMap<PathBuf, Arc<Mount>>> {
    // Each change of the table is one call: a panic leaves it whole.
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A mounted disk. The files that were opened there hold it too.
#[derive(Debug)]
pub(crate) struct Mount {
    pub(crate) path: PathBuf,
    tree: Arc<dyn Tree>,
    is_mounted: AtomicBool,
}

impl Mount {
    /// The disk, as long as it is mounted.
    pub(crate) fn tree(&self) -> io::Result<&dyn Tree> {
        self.check()?;
        Ok(&*self.tree)
    }

    pub(crate) fn check(&self) -> io::Result<()> {
        match self.is_mounted.load(Ordering::SeqCst) {
            true => Ok(()),
            false => Err(io::Error::other(format!(
                "{} is not mounted any more",
                self.path.display()
            ))),
        }
    }
}

/// A disk under its mount point, until it is dropped. Then every call on a file that was opened there
/// fails, and its paths lead nowhere.
#[derive(Debug)]
#[must_use = "dropping it unmounts the disk"]
pub struct Mounted(Arc<Mount>);

impl Mounted {
    /// The mount point.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.0.is_mounted.store(false, Ordering::SeqCst);
        table().remove(&self.0.path);
    }
}

/// Mounts a simulated disk: `disk.storage()`, say, or the storage of a machine of the checker. From now
/// on `path` is its root, for all threads of the process.
///
/// # Errors
///
/// - `InvalidInput` unless `path` lies below `/beaver` and is plain, without `..`.
/// - `AlreadyExists` if a disk is mounted there, above or below.
/// - `Unsupported` for a storage that is flat.
pub fn mount(path: impl AsRef<Path>, storage: Arc<dyn Storage>) -> io::Result<Mounted> {
    add(&mut table(), path.as_ref().to_owned(), &storage)
}

/// Mounts a disk at `/beaver/NAME/N`, where N is the lowest number that is free: for use where
/// several stores may be open at once, as in the checker, which runs several disks side by side.
///
/// A store that writes its own path into its files should not be mounted like this: what it writes then
/// depends on what else is mounted.
///
/// # Errors
///
/// As [`mount`].
pub fn mount_numbered(name: &str, storage: Arc<dyn Storage>) -> io::Result<Mounted> {
    let mut table = table();
    let paths = (0_u64..).map(|number| Path::new(TOP).join(name).join(number.to_string()));
    let mut free = paths.filter(|path| !table.contains_key(path));
    let path = free.next().expect("there are more numbers than disks");
    add(&mut table, path, &storage)
}

fn add(
    table: &mut BTreeMap<PathBuf, Arc<Mount>>,
    path: PathBuf,
    storage: &Arc<dyn Storage>,
) -> io::Result<Mounted> {
    let below = path.strip_prefix(TOP).map(Path::components);
    let mut names = below.map_err(|_| not_below_top(&path))?.peekable();
    let is_plain = names.peek().is_some() && names.all(|name| matches!(name, Component::Normal(_)));
    if !is_plain {
        return Err(not_below_top(&path));
    }
    // As the components say it: without slashes at the end.
    let path: PathBuf = path.components().collect();
    let mut others = table.keys();
    if let Some(other) = others.find(|other| other.starts_with(&path) || path.starts_with(other)) {
        let text = format!("{} is mounted already", other.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    let tree = storage.tree().ok_or_else(|| {
        let text = "the storage is flat: it has no directories";
        io::Error::new(io::ErrorKind::Unsupported, text)
    })?;
    let mount = Arc::new(Mount {
        path: path.clone(),
        tree,
        is_mounted: AtomicBool::new(true),
    });
    table.insert(path, Arc::clone(&mount));
    Ok(Mounted(mount))
}

fn not_below_top(path: &Path) -> io::Error {
    let text = format!("{} is no plain path below {TOP}", path.display());
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Whether a path leads to the real file system.
pub(crate) fn is_real(path: &Path) -> io::Result<bool> {
    find(path).map(|found| found.is_none())
}

/// The disk that a path leads to, and the path from its root; none for the real file system.
pub(crate) fn find(path: &Path) -> io::Result<Option<(Arc<Mount>, PathBuf)>> {
    if !path.starts_with(TOP) {
        return Ok(None);
    }
    let table = table();
    for mount_point in path.ancestors() {
        if let Some(mount) = table.get(mount_point) {
            let rest = path.strip_prefix(mount_point);
            let rest = rest.expect("an ancestor is a prefix").to_owned();
            return Ok(Some((Arc::clone(mount), rest)));
        }
    }
    let text = format!("no simulated disk is mounted at {}", path.display());
    Err(io::Error::new(io::ErrorKind::NotFound, text))
}
