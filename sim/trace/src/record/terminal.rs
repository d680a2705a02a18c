//! The standard output of the program as a terminal, to which a C library prints line by line.
//!
//! A line counts when it is read here, and each change of the disk reads first what was printed before it: the order is as exact
//! as with a file.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, OutputModes, tcgetattr, tcsetattr};

/// How much is read at once: as much as a terminal holds.
const READ_BYTES: usize = 4096;
/// How often is looked whether the recording has ended.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// The side of a terminal on which is read what a program prints.
#[derive(Debug)]
pub(super) struct Terminal(OwnedFd);

impl Terminal {
    /// A new one, and the side of the program. What it prints is not changed.
    pub(super) fn open() -> io::Result<(Self, File)> {
        let own = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&own)?;
        unlockpt(&own)?;
        let name = ptsname(&own, Vec::new())?;
        let of_program = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOCTTY.bits().cast_signed())
            .open(OsStr::from_bytes(name.as_bytes()))?;
        let mut modes = tcgetattr(&of_program)?;
        modes.output_modes.remove(OutputModes::OPOST);
        tcsetattr(&of_program, OptionalActions::Now, &modes)?;
        fcntl_setfl(&own, OFlags::NONBLOCK)?;
        Ok((Terminal(own), of_program))
    }

    /// What was printed since the last time. A read that finds nothing waits for what the kernel has not handed on yet.
    pub(super) fn printed(&self) -> Vec<u8> {
        let mut printed = Vec::new();
        let mut bytes = [0; READ_BYTES];
        loop {
            match rustix::io::read(&self.0, &mut bytes) {
                Ok(0) => return printed,
                Ok(read) => printed.extend_from_slice(&bytes[..read]),
                Err(Errno::INTR) => {}
                // Nothing more, or nobody who could print.
                Err(_) => return printed,
            }
        }
    }

    /// Calls `hear` whenever something is printed, so that a program that prints much between two changes does not wait: until
    /// nobody can print any more, or it says that nobody listens.
    pub(super) fn listen(&self, hear: impl Fn() -> bool + Send + 'static) -> io::Result<()> {
        let terminal = self.0.try_clone()?;
        thread::spawn(move || {
            loop {
                let mut events = [PollFd::new(&terminal, PollFlags::IN)];
                let polled = poll(&mut events, Some(&TICK));
                let happened = events[0].revents();
                let goes_on = hear();
                let nobody = happened.contains(PollFlags::HUP) && !happened.contains(PollFlags::IN);
                let failed = polled.is_err_and(|error| error != Errno::INTR);
                if nobody || failed || !goes_on {
                    return;
                }
            }
        });
        Ok(())
    }
}
