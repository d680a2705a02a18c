//! An image served as a directory: copy on write, so that nothing of it is written anywhere. What a check of it does can be
//! recorded as a program is: then the check may be crashed too.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use beaver_disk::{Change, Disk, FileKind, Image, InodeId, Profile, SimDisk, SimOptions};
use fuser::Errno;

use super::attributes::{Attributes, number, usual_mode};
use super::file_system::ServedDisk;
use super::mount::{MountPoint, ServedMount};
use super::server::{Server, lock};
use super::standard_output::StandardOutput;
use crate::guard::Guard;
use crate::log::{LogFormat, LogWriter};
use crate::recording::RecordError;

/// An image that is mounted until this is dropped.
pub struct ServedImage {
    server: Arc<Mutex<Server>>,
    mount: ServedMount,
}

impl ServedImage {
    /// Serves an image, with the permissions of `modes`. If `log` names a folder, what is done to it is recorded there: the
    /// recording begins with the image as its setup. `guard` takes the mount
    /// away if this process is killed.
    ///
    /// # Errors
    ///
    /// It cannot be mounted, or the recording cannot be written.
    pub fn mount(
        image: &Image,
        modes: &BTreeMap<InodeId, u32>,
        log: Option<&Path>,
        guard: Option<&Guard>,
    ) -> Result<Self, RecordError> {
        let point = MountPoint::new(guard)?;
        // Nobody waits for a notice: a check ends by itself, and a recording that cannot be written fails at its end.
        let (notify, _) = channel();
        let writer = log.map(|folder| {
            let log = LogWriter::create(folder, &LogFormat::default());
            log.map_err(|error| RecordError::at_log(folder, error))
        });
        let writer = writer.transpose()?;
        let recorded = writer.is_some();
        let (said, _) = channel();
        let output = StandardOutput::new(said);
        let mut server = Server::new(writer, &[], output, None, notify);
        match recorded {
            true => server
                .lay_out(image, modes)
                .map_err(|error| RecordError::Mount(io::Error::from_raw_os_error(error.code())))?,
            false => server.take_over(image, modes),
        }
        let server = Arc::new(Mutex::new(server));
        let mount = point.mount(ServedDisk::new(server.clone(), None))?;
        Ok(ServedImage { server, mount })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.mount.path()
    }

    /// Ends the recording, and takes the mount away.
    ///
    /// # Errors
    ///
    /// The recording could not be written.
    pub fn finish(self) -> io::Result<()> {
        lock(&self.server).finish().map(drop)
    }
}

impl Server {
    /// The disk is the image, its pages shared.
    fn take_over(&mut self, image: &Image, modes: &BTreeMap<InodeId, u32>) {
        let disk = Disk::from_image(image, Profile::LinuxOrdered);
        self.disk = SimDisk::new(disk, SimOptions::default());
        for (path, inode) in image.entries() {
            let kind = image.kind(&path).unwrap_or_default();
            let mode = modes.get(&inode).copied();
            self.own(inode, mode.unwrap_or(usual_mode(kind)));
        }
        self.begin();
    }

    /// Makes the image by calls, which are the setup of the recording.
    fn lay_out(&mut self, image: &Image, modes: &BTreeMap<InodeId, u32>) -> Result<(), Errno> {
        // Directories stand before what is in them.
        let mut made = BTreeMap::from([(String::new(), InodeId::ROOT)]);
        let mut files: BTreeMap<InodeId, InodeId> = BTreeMap::new();
        for (path, there) in image.entries() {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
            let (dir, name) = (made[parent], name.to_owned());
            if let Some(inode) = files.get(&there).copied() {
                self.change(Change::Link { inode, dir, name }, false)?;
                continue;
            }
            let kind = image.kind(&path).unwrap_or_default();
            let bytes = || image.read(&path).unwrap_or_default();
            let change = match kind {
                FileKind::Directory => Change::CreateDir { dir, name },
                FileKind::File => Change::Create { dir, name },
                FileKind::Symlink => Change::Symlink {
                    dir,
                    name,
                    target: String::from_utf8_lossy(&bytes()).into_owned(),
                },
            };
            self.change(change, false)?;
            let inode = self.disk.look(|disk| disk.find(&path));
            let inode = inode.map_err(|_| Errno::EIO)?;
            let content = match kind {
                FileKind::File => bytes(),
                FileKind::Directory | FileKind::Symlink => Vec::new(),
            };
            if !content.is_empty() {
                let write = Change::Write {
                    inode,
                    offset: 0,
                    bytes: content,
                };
                self.change(write, false)?;
            }
            let mode = modes.get(&there).copied();
            if let Some(mode) = mode {
                self.set_mode(inode, mode)?;
            }
            self.own(inode, mode.unwrap_or(usual_mode(kind)));
            match kind {
                FileKind::Directory => made.insert(path, inode),
                FileKind::File | FileKind::Symlink => files.insert(there, inode).map(|_| inode),
            };
        }
        self.begin();
        Ok(())
    }

    /// Something that was there before belongs to who serves it.
    fn own(&mut self, inode: InodeId, mode: u32) {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        let attributes = Attributes::new(mode, uid.as_raw(), gid.as_raw());
        self.attributes.insert(number(inode), attributes);
    }
}
