//! A process that leads a group of its own, and all that it starts in there. None of it outlives this.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group};

use crate::guard::{Guard, Guarded, Held};

#[derive(Debug)]
pub(crate) struct ProcessGroup {
    leader: Child,
    group: Pid,
    is_ended: bool,
    held: Option<Held>,
}

impl ProcessGroup {
    pub(crate) fn start(command: &mut Command, guard: Option<&Guard>) -> io::Result<Self> {
        let leader = command.process_group(0).spawn()?;
        let group = Pid::from_child(&leader);
        Ok(ProcessGroup {
            leader,
            group,
            is_ended: false,
            held: guard.map(|guard| guard.hold(Guarded::Group(group.as_raw_nonzero().get()))),
        })
    }

    /// The pipes to and from the leader, if it was started with them.
    pub(crate) fn pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        self.leader.stdin.take().zip(self.leader.stdout.take())
    }

    /// Calls `then` as soon as the leader has ended, on another thread.
    pub(crate) fn when_ended<R>(&self, then: impl FnOnce() -> R + Send + 'static) {
        let leader = self.group;
        thread::spawn(move || {
            // One that was waited for meanwhile has ended, too.
            let _ = wait(leader);
            let _ = then();
        });
    }

    /// Waits until the leader has ended, and leaves the group as it is: its exit code, or the signal that killed it.
    pub(crate) fn wait(&self) -> io::Result<Result<i32, i32>> {
        let status = wait(self.group)?;
        let signal = status.terminating_signal().unwrap_or_default();
        Ok(status.exit_status().ok_or(signal))
    }

    /// Sends a signal to all processes of the group.
    pub(crate) fn signal(&self, signal: Signal) {
        if !self.is_ended {
            // There may be nothing left of it.
            let _ = kill_process_group(self.group, signal);
        }
    }

    /// Kills what is left of the group, and says how its leader ended.
    pub(crate) fn end(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::KILL);
        // Only after the leader was waited for may the number be that of another group.
        self.is_ended = true;
        self.held = None;
        self.leader.wait()
    }
}

/// Waits for a process that stays a zombie: its number is nobody else's before it is asked how it ended.
fn wait(leader: Pid) -> io::Result<WaitIdStatus> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    loop {
        match rustix::process::waitid(WaitId::Pid(leader), options) {
            Ok(Some(status)) => return Ok(status),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // Nobody asks any more.
        let _ = self.end();
    }
}
