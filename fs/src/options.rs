//! How a file is opened.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use beaver_storage::{Access, FileKind};
use rustix::fs::OFlags;

use crate::description::{Description, Flags, OpenedNode, SyncedWrites};
use crate::errors::{numbered, plain, too_many_links, unsupported};
use crate::file::File;
use crate::mounted_path::{MountedPath, PathEnd};

/// As Linux has them on all but its oldest processors. `rustix` knows `O_SYNC` alone.
const O_DSYNC: i32 = 0o10_000;
const O_SYNC: i32 = 0o4_010_000;

/// [`std::fs::OpenOptions`].
///
/// [`std::os::unix::fs::OpenOptionsExt`] is implemented too. On a simulated disk a mode is not kept, and
/// the flags are `O_DSYNC` or `O_SYNC`, a sync after each write; `O_NOFOLLOW`; `O_CLOEXEC`, which says
/// nothing there.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    real: std::fs::OpenOptions,
    read: bool,
    write: bool,
    append: bool,
    truncate: bool,
    create: bool,
    create_new: bool,
    custom_flags: i32,
}

impl OpenOptions {
    /// [`std::fs::OpenOptions::new`].
    #[expect(clippy::new_without_default, reason = "std has no default either")]
    #[must_use]
    pub fn new() -> Self {
        OpenOptions {
            real: std::fs::OpenOptions::new(),
            read: false,
            write: false,
            append: false,
            truncate: false,
            create: false,
            create_new: false,
            custom_flags: 0,
        }
    }

    /// [`std::fs::OpenOptions::read`].
    pub fn read(&mut self, read: bool) -> &mut Self {
        self.real.read(read);
        self.read = read;
        self
    }

    /// [`std::fs::OpenOptions::write`].
    pub fn write(&mut self, write: bool) -> &mut Self {
        self.real.write(write);
        self.write = write;
        self
    }

    /// [`std::fs::OpenOptions::append`].
    pub fn append(&mut self, append: bool) -> &mut Self {
        self.real.append(append);
        self.append = append;
        self
    }

    /// [`std::fs::OpenOptions::truncate`].
    pub fn truncate(&mut self, truncate: bool) -> &mut Self {
        self.real.truncate(truncate);
        self.truncate = truncate;
        self
    }

    /// [`std::fs::OpenOptions::create`].
    pub fn create(&mut self, create: bool) -> &mut Self {
        self.real.create(create);
        self.create = create;
        self
    }

    /// [`std::fs::OpenOptions::create_new`].
    pub fn create_new(&mut self, create_new: bool) -> &mut Self {
        self.real.create_new(create_new);
        self.create_new = create_new;
        self
    }

    /// [`std::fs::OpenOptions::open`]. On a simulated disk it is one call, `create` or `open`, and with
    /// `truncate` a `set_len` after it.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub fn open<P: AsRef<Path>>(&self, path: P) -> io::Result<File> {
        let path = path.as_ref();
        let creates = self.create || self.create_new;
        let place = match PathEnd::of(path) {
            // No file is made under a name that is a directory's.
            PathEnd::Slash if creates => MountedPath::of_name(path),
            // A new file is made under this very name: a link there is a file that exists.
            _ if self.create_new => MountedPath::of_name(path),
            _ if self.follows_no_link() => MountedPath::of_link(path),
            _ => MountedPath::of(path),
        };
        let Some(place) = place.transpose() else {
            return self.real.open(path).map(File::from);
        };
        // Before the way to the file, which may be missing.
        self.check()?;
        let place = place?;
        if creates && place.end == PathEnd::Slash {
            return Err(plain(io::ErrorKind::IsADirectory));
        }
        // Other than a link at the end there is none on the way by now.
        let is_link = || place.kind().is_ok_and(|kind| kind == FileKind::Symlink);
        if !self.create_new && self.follows_no_link() && is_link() {
            return Err(too_many_links());
        }
        self.open_at(place).map(File::simulated)
    }

    fn open_at(&self, place: MountedPath) -> io::Result<Description> {
        let node = self.node(&place).map_err(numbered)?;
        Ok(Description {
            mount: place.mount,
            node,
            flags: Flags {
                read: self.read,
                write: self.write || self.append,
                append: self.append,
                synced: self.synced_writes()?,
            },
            offset: Mutex::new(0),
        })
    }

    fn node(&self, MountedPath { mount, path, .. }: &MountedPath) -> io::Result<OpenedNode> {
        let tree = mount.tree()?;
        let access = match self.write || self.append {
            true => Access::Write,
            false => Access::Read,
        };
        if path.is_empty() && access == Access::Write {
            return Err(match self.create_new {
                true => io::ErrorKind::AlreadyExists.into(),
                false => io::ErrorKind::IsADirectory.into(),
            });
        }
        if self.create_new {
            return tree.create(path).map(OpenedNode::File);
        }
        match tree.find(path) {
            Ok(FileKind::Directory) if access == Access::Read => {
                tree.open_dir(path).map(OpenedNode::directory)
            }
            Err(error) if self.create && error.kind() == io::ErrorKind::NotFound => {
                tree.create(path).map(OpenedNode::File)
            }
            _ => {
                let file = tree.open(path, access)?;
                if self.truncate {
                    file.set_len(0)?;
                }
                Ok(OpenedNode::File(file))
            }
        }
    }

    /// Fails where the combination makes no sense, as std does.
    fn check(&self) -> io::Result<()> {
        let creates = self.create || self.create_new;
        let writes = self.write || self.append;
        let is_valid = match (writes, self.append) {
            (false, _) => self.read && !creates && !self.truncate,
            (true, true) => !self.truncate || self.create_new,
            (true, false) => true,
        };
        self.synced_writes()?;
        match is_valid {
            true => Ok(()),
            // In its words: it looks at the options before it looks for a file, and there is none.
            false => self.real.open("").map(drop),
        }
    }

    fn flags(&self) -> OFlags {
        OFlags::from_bits_retain(self.custom_flags.cast_unsigned())
    }

    fn follows_no_link(&self) -> bool {
        self.flags().contains(OFlags::NOFOLLOW)
    }

    /// What the flags of one's own say of writes; any other flag is refused.
    fn synced_writes(&self) -> io::Result<Option<SyncedWrites>> {
        // Std closes every file in a child process, and says so itself.
        let others = self.flags() - (OFlags::CLOEXEC | OFlags::NOFOLLOW);
        match others.bits().cast_signed() {
            0 => Ok(None),
            O_DSYNC if cfg!(target_os = "linux") => Ok(Some(SyncedWrites::Data)),
            O_SYNC if cfg!(target_os = "linux") => Ok(Some(SyncedWrites::All)),
            _ => Err(unsupported("OpenOptionsExt::custom_flags")),
        }
    }
}

/// The ways to open a file that need no options.
impl File {
    /// [`std::fs::File::open`].
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub fn open<P: AsRef<Path>>(path: P) -> io::Result<File> {
        OpenOptions::new().read(true).open(path)
    }

    /// [`std::fs::File::create`].
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub fn create<P: AsRef<Path>>(path: P) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).open(path)
    }

    /// [`std::fs::File::create_new`].
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub fn create_new<P: AsRef<Path>>(path: P) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).open(path)
    }

    /// [`std::fs::File::options`].
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }
}

impl OpenOptionsExt for OpenOptions {
    fn mode(&mut self, mode: u32) -> &mut Self {
        self.real.mode(mode);
        self
    }

    fn custom_flags(&mut self, flags: i32) -> &mut Self {
        self.real.custom_flags(flags);
        self.custom_flags = flags;
        self
    }
}
