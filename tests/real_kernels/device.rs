//! A block device that refuses a write: a loop device over a file of a FUSE file system, which a thread
//! of this program serves.
//!
//! The file system has one file and nothing else, which is its root, so that it is mounted on a
//! file. Its bytes are in memory: what is there when the power is cut is what the device holds.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

/// Runs a program, which must succeed.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("{command:?}: {}", said.trim()))
        }
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

/// What the device holds, and what it refuses.
#[derive(Debug, Default)]
struct Contents {
    image: Vec<u8>,
    /// A write with these bytes in it fails, once.
    refuses: Option<Vec<u8>>,
    refused: u64,
}

/// A file system on a device that may refuse.
#[derive(Debug)]
pub(crate) struct RefusingDevice {
    contents: Arc<Mutex<Contents>>,
    file: PathBuf,
    mounted: PathBuf,
}

impl RefusingDevice {
    /// Mounts `image`, which has a file system, in `directory`.
    pub(crate) fn mount(image: Vec<u8>, directory: &Path) -> Result<Self, String> {
        let device = RefusingDevice {
            contents: Arc::new(Mutex::new(Contents {
                image,
                ..Contents::default()
            })),
            file: directory.join("device"),
            mounted: directory.join("mounted"),
        };
        let told = |error: io::Error| error.to_string();
        File::create(&device.file).map_err(told)?;
        std::fs::create_dir(&device.mounted).map_err(told)?;
        let fuse = File::options().read(true).write(true).open("/dev/fuse");
        let fuse = fuse.map_err(|error| format!("/dev/fuse: {error}"))?;
        let as_input = Stdio::from(fuse.try_clone().map_err(told)?);
        run(Command::new("mount")
            .args(["-i", "-t", "fuse", "-o"])
            .arg("fd=0,rootmode=100600,user_id=0,group_id=0")
            .arg("device")
            .arg(&device.file)
            .stdin(as_input))?;
        let contents = Arc::clone(&device.contents);
        thread::spawn(move || serve(fuse, &contents));
        let mut mount = Command::new("mount");
        let mount = mount.args(["-o", "loop"]);
        run(mount.arg(&device.file).arg(&device.mounted)).map(|()| device)
    }

    /// Where the file system is.
    pub(crate) fn path(&self) -> &Path {
        &self.mounted
    }

    /// Refuses the next write that has `bytes` in it.
    pub(crate) fn refuse(&self, bytes: &[u8]) {
        self.contents.lock().expect("no thread panics").refuses = Some(bytes.to_vec());
    }

    /// How many writes were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.contents.lock().expect("no thread panics").refused
    }

    /// What the device holds now: what a power cut leaves.
    pub(crate) fn image(&self) -> Vec<u8> {
        self.contents
            .lock()
            .expect("no thread panics")
            .image
            .clone()
    }
}

impl Drop for RefusingDevice {
    fn drop(&mut self) {
        // The mount namespace takes with it what stays.
        let _ = run(Command::new("umount").arg(&self.mounted));
        let _ = run(Command::new("umount").arg("--lazy").arg(&self.file));
    }
}

/// The requests of FUSE that a loop device on one file makes, by number.
mod request {
    pub(super) const FORGET: u32 = 2;
    pub(super) const GETATTR: u32 = 3;
    pub(super) const SETATTR: u32 = 4;
    pub(super) const OPEN: u32 = 14;
    pub(super) const READ: u32 = 15;
    pub(super) const WRITE: u32 = 16;
    pub(super) const RELEASE: u32 = 18;
    pub(super) const FSYNC: u32 = 20;
    pub(super) const FLUSH: u32 = 25;
    pub(super) const INIT: u32 = 26;
    pub(super) const ACCESS: u32 = 34;
    pub(super) const INTERRUPT: u32 = 36;
    pub(super) const BATCH_FORGET: u32 = 42;
}

const ENOSYS: i32 = 38;
const EIO: i32 = 5;

/// The length of the header before every request.
const HEADER: usize = 40;

/// Most bytes in one write.
const MAX_WRITE: u32 = 128 << 10;

/// Answers requests until the file system is unmounted.
fn serve(mut fuse: File, contents: &Mutex<Contents>) {
    let mut buffer = vec![0; MAX_WRITE as usize + 4096];
    loop {
        let len = match fuse.read(&mut buffer) {
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let message = &buffer[..len];
        let (kind, unique) = (number(message, 4, 4), &message[8..16]);
        let kind = u32::try_from(kind).expect("four bytes");
        let silent = [request::FORGET, request::BATCH_FORGET, request::INTERRUPT];
        if silent.contains(&kind) {
            continue;
        }
        let mut contents = contents.lock().expect("no thread panics");
        let (error, body) = match answer(kind, &message[HEADER..], &mut contents) {
            Ok(body) => (0, body),
            Err(error) => (-error, Vec::new()),
        };
        drop(contents);
        let size = u32::try_from(16 + body.len()).expect("a small answer");
        let mut reply = size.to_ne_bytes().to_vec();
        reply.extend(error.to_ne_bytes());
        reply.extend(unique);
        reply.extend(body);
        // An answer that comes too late for its request is refused, which matters to none.
        let _ = fuse.write(&reply);
    }
}

/// The number of `len` bytes at `at`.
fn number(bytes: &[u8], at: usize, len: usize) -> usize {
    let mut whole = [0; 8];
    whole[..len].copy_from_slice(&bytes[at..at + len]);
    usize::try_from(u64::from_ne_bytes(whole)).expect("a place in memory")
}

fn answer(kind: u32, body: &[u8], contents: &mut Contents) -> Result<Vec<u8>, i32> {
    match kind {
        request::INIT => Ok(init()),
        request::GETATTR | request::SETATTR => Ok(attributes(contents.image.len() as u64)),
        request::OPEN => Ok(vec![0; 16]),
        request::READ => {
            let (offset, len) = (number(body, 8, 8), number(body, 16, 4));
            let end = (offset + len).min(contents.image.len());
            Ok(contents.image[offset.min(end)..end].to_vec())
        }
        request::WRITE => {
            let (offset, len) = (number(body, 8, 8), number(body, 16, 4));
            let data = &body[40..40 + len];
            let refused = contents.refuses.as_deref();
            if refused.is_some_and(|bytes| data.windows(bytes.len()).any(|part| part == bytes)) {
                contents.refuses = None;
                contents.refused += 1;
                return Err(EIO);
            }
            let place = contents.image.get_mut(offset..offset + len).ok_or(EIO)?;
            place.copy_from_slice(data);
            let mut written = u32::try_from(len)
                .expect("a small write")
                .to_ne_bytes()
                .to_vec();
            written.extend([0; 4]);
            Ok(written)
        }
        request::RELEASE | request::FSYNC | request::FLUSH | request::ACCESS => Ok(Vec::new()),
        _ => Err(ENOSYS),
    }
}

/// Protocol 7.31, writes of more than a page, no other option.
fn init() -> Vec<u8> {
    const BIG_WRITES: u32 = 1 << 5;
    let mut out = Vec::new();
    for field in [7, 31, 128 << 10, BIG_WRITES, 0, MAX_WRITE, 1] {
        out.extend(u32::to_ne_bytes(field));
    }
    out.resize(64, 0);
    out
}

/// A regular file of `len` bytes, never out of date.
fn attributes(len: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let (valid, inode, blocks) = (1 << 20, 1, len / 512);
    for field in [valid, 0, inode, len, blocks, 0, 0, 0] {
        out.extend(u64::to_ne_bytes(field));
    }
    let (mode, links, block) = (0o100_600, 1, 4096);
    for field in [0, 0, 0, mode, links, 0, 0, 0, block, 0] {
        out.extend(u32::to_ne_bytes(field));
    }
    out
}
