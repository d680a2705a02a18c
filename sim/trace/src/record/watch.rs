//! Hears of sync(2) and syncfs(2): a FUSE file system is told nothing of them.
//!
//! The program is started by a process that installs the filter in itself, hands its listener over a socket, and becomes the
//! program. While a caller waits, what it has written to mappings is fetched, and everything counts as durable.

use std::fs::{self, File};
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use beaver_notify::Heard;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::server::{Server, lock};
use crate::guard::{Guard, Guarded, Held};

/// Becomes the program, which is watched by the one who listens at `socket`. Returns only if it cannot, and that one was told.
///
/// # Errors
///
/// It could not be told.
pub fn run_watched(socket: &Path, program: &[String]) -> io::Result<()> {
    let [name, arguments @ ..] = program else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut stream = UnixStream::connect(socket)?;
    match beaver_notify::install() {
        Ok(listener) => send(&stream, Some(&listener), 0)?,
        // A program that is not watched is better than none.
        Err(error) => send(&stream, None, error.raw_os_error().unwrap_or_default())?,
    }
    // The socket is closed where this works.
    let error = Command::new(name).args(arguments).exec();
    let number = error.raw_os_error().unwrap_or_default();
    stream.write_all(&number.to_le_bytes())
}

/// Hands the listener over or, if there is none, the number of the error that is the reason.
fn send(stream: &UnixStream, listener: Option<&OwnedFd>, error: i32) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = listener.map(|listener| [listener.as_fd()]);
    if let Some(descriptors) = &descriptors {
        ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let bytes = error.to_le_bytes();
    sendmsg(
        stream,
        &[IoSlice::new(&bytes)],
        &mut ancillary,
        SendFlags::empty(),
    )?;
    Ok(())
}

/// Takes the listener or, if there is none, the error that is the reason.
fn receive(stream: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 4];
    let received = recvmsg(
        stream,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = message
            && let Some(listener) = descriptors.next()
        {
            return Ok(listener);
        }
    }
    match received.bytes {
        4 => Err(io::Error::from_raw_os_error(i32::from_le_bytes(bytes))),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Waits for a program that is to be watched.
pub(super) struct Watch {
    socket: PathBuf,
    /// Whether the program has started, or why not, once that is known.
    started: Receiver<io::Result<()>>,
    _held: Option<Held>,
}

impl Watch {
    pub(super) fn new(
        mount: &Path,
        server: Arc<Mutex<Server>>,
        guard: Option<&Guard>,
    ) -> io::Result<Self> {
        // Beside the mount: nobody else has the name.
        let socket = mount.with_extension("watch");
        let held = guard.map(|guard| guard.hold(Guarded::Path(socket.clone())));
        let listener = UnixListener::bind(&socket)?;
        let mount = mount.to_owned();
        let (start, started) = channel();
        // It ends when the last process does that is watched, and that may outlive the recording.
        thread::spawn(move || {
            let Ok((mut stream, _)) = listener.accept() else {
                return;
            };
            let received = receive(&stream);
            if let Err(error) = &received {
                lock(&server).watch_failed(&mount, error);
            }
            let mut number = [0; 4];
            // The other side is closed where the process becomes the program, and where it ends.
            let _ = start.send(match stream.read_exact(&mut number) {
                Ok(()) => Err(io::Error::from_raw_os_error(i32::from_le_bytes(number))),
                Err(_) => Ok(()),
            });
            if let Ok(listener) = received {
                watch(&listener, &mount, &server);
            }
        });
        Ok(Watch {
            socket,
            started,
            _held: held,
        })
    }

    /// Why the process that has ended did not become the program, if it did not.
    pub(super) fn not_started(&self) -> Option<io::Error> {
        // One that never came is no longer waited for.
        drop(UnixStream::connect(&self.socket));
        self.started.recv().ok()?.err()
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(UnixStream::connect(&self.socket));
        let _ = fs::remove_file(&self.socket);
    }
}

/// Hears until nobody is left who could call.
fn watch(listener: &OwnedFd, mount: &Path, server: &Mutex<Server>) {
    loop {
        let mut events = [PollFd::new(listener, PollFlags::IN)];
        match poll(&mut events, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        let happened = events[0].revents();
        if happened.contains(PollFlags::IN) {
            // One that was killed meanwhile has called nothing.
            if let Ok(heard) = beaver_notify::hear(listener) {
                synced(&heard, mount, server);
                let _ = beaver_notify::go_on(listener, &heard);
            }
        } else if happened.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return;
        }
    }
}

fn synced(heard: &Heard, mount: &Path, server: &Mutex<Server>) {
    if let Some(file) = heard.syncfs {
        let file = fs::read_link(format!("/proc/{}/fd/{file}", heard.pid));
        if !file.is_ok_and(|file| file.starts_with(mount)) {
            return;
        }
    }
    // What stands in mappings is written back when a file is closed, and so comes before. A syncfs(2) of our own would begin
    // that too, but not wait for it.
    let open = lock(server).open_files();
    for path in open {
        drop(File::open(mount.join(path)));
    }
    lock(server).sync_everything();
}
