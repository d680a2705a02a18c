//! The program that is recorded: a process, and all that it starts in its process group.

use std::io::{self, IsTerminal as _};
use std::process::{Command, Stdio};
use std::sync::mpsc::Sender;

use super::notice::Notice;
use crate::guard::Guard;
use crate::process_group::ProcessGroup;
use crate::recording::ProgramEnd;

/// Starts a program. Its end is noticed.
pub(super) fn start(
    mut command: Command,
    notices: Sender<Notice>,
    guard: Option<&Guard>,
) -> io::Result<ProcessGroup> {
    // A process group that is not in the foreground is stopped when it reads from the terminal.
    if io::stdin().is_terminal() {
        command.stdin(Stdio::null());
    }
    let group = ProcessGroup::start(&mut command, guard)?;
    // Nobody listens any more only when the recording has ended anyway.
    group.when_ended(move || notices.send(Notice::Ended));
    Ok(group)
}

pub(super) fn how_it_ended(group: &ProcessGroup) -> io::Result<ProgramEnd> {
    Ok(match group.wait()? {
        Ok(code) => ProgramEnd::With { code },
        Err(signal) => ProgramEnd::Killed { signal },
    })
}
