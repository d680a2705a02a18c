//! The processes of a check: how one is waited for, how it ended, and what it printed last.

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rustix::process::Signal;

/// What a check said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The image is good.
    Good,
    /// It is not, and why.
    Bad(String),
    /// The work was stopped before the check had ended.
    Stopped,
}

/// How long a check waits before it looks whether the work was stopped.
const TICK: Duration = Duration::from_millis(50);
/// How much of what a check printed is its reason: the beginning of its last line.
const REASON_BYTES: usize = 300;

/// What came of waiting.
pub(crate) enum Waited<T> {
    Got(T),
    TooLong,
    Stopped,
}

/// Waits for something that is sent, at most as long as `limit`.
pub(crate) fn wait<T>(from: &Receiver<T>, limit: Duration, go_on: &dyn Fn() -> bool) -> Waited<T> {
    let mut left = limit;
    loop {
        let tick = left.min(TICK);
        match from.recv_timeout(tick) {
            Ok(got) => return Waited::Got(got),
            Err(RecvTimeoutError::Disconnected) => return Waited::Stopped,
            Err(RecvTimeoutError::Timeout) if !go_on() => return Waited::Stopped,
            Err(RecvTimeoutError::Timeout) => left -= tick,
        }
        if left.is_zero() {
            return Waited::TooLong;
        }
    }
}

pub(crate) fn too_long(limit: Duration) -> String {
    format!("the check did not end within {limit:?}")
}

pub(crate) fn how_it_ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the check ended with {code}"),
        (None, Some(signal)) => {
            let name = Signal::from_named_raw(signal).map(|signal| format!("{signal:?}"));
            let name = name.map(|name| format!(" (SIG{})", name.trim_start_matches("Signal::")));
            let name = name.unwrap_or_default();
            format!("the check was killed by signal {signal}{name}")
        }
        (None, None) => "the check ended".to_owned(),
    }
}

pub(crate) fn in_shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    shell
}

/// The last line of what was printed.
pub(crate) fn last_line(file: &Path) -> io::Result<String> {
    let printed = fs::read(file)?;
    let printed = String::from_utf8_lossy(&printed);
    let mut lines = printed.lines().map(str::trim).rev();
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let end = (0..=line.len().min(REASON_BYTES)).rfind(|end| line.is_char_boundary(*end));
    Ok(line[..end.unwrap_or(0)].to_owned())
}
