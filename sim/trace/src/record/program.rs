//! The program that is recorded: a process, and all that it starts in its process group.

use std::io::{self, IsTerminal as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::notice::Notice;
use crate::recording::ProgramEnd;

pub(super) struct Program {
    child: Child,
    group: Pid,
}

impl Program {
    /// Starts it. Its end is noticed.
    pub(super) fn start(mut command: Command, notices: Sender<Notice>) -> io::Result<Self> {
        // A process group that is not in the foreground is stopped when it reads from the terminal.
        if io::stdin().is_terminal() {
            command.stdin(Stdio::null());
        }
        let child = command.process_group(0).spawn()?;
        let group = Pid::from_child(&child);
        thread::spawn(move || {
            // It stays a zombie until it is asked how it ended: its number is nobody else's before.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(rustix::io::Errno::INTR) =
                rustix::process::waitid(WaitId::Pid(group), options)
            {}
            // Nobody listens any more only when the recording has ended anyway.
            let _ = notices.send(Notice::Ended);
        });
        Ok(Program { child, group })
    }

    pub(super) fn group(&self) -> Pid {
        self.group
    }

    /// Sends a signal to all processes of the group.
    pub(super) fn signal(&self, signal: Signal) {
        // They may have ended.
        let _ = rustix::process::kill_process_group(self.group, signal);
    }

    /// How the process ended that was started.
    pub(super) fn ended(&mut self) -> io::Result<ProgramEnd> {
        self.child.wait().map(ended)
    }
}

fn ended(status: ExitStatus) -> ProgramEnd {
    match (status.code(), status.signal()) {
        (Some(code), _) => ProgramEnd::With { code },
        (None, signal) => ProgramEnd::Killed {
            signal: signal.unwrap_or_default(),
        },
    }
}
