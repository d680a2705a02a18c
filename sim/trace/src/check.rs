//! The user's own check of an image: a command, or a server that answers for one image after the other.

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::check_process::{Judgement, Waited, how_it_ended, in_shell, last_line, too_long, wait};
use crate::check_server::{Asked, CheckServer};
use crate::guard::Guard;
use crate::process_group::ProcessGroup;

/// What says of an image whether it is good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageCheck {
    /// A shell command in which `{dir}` and `{acks}` stand for the files, and for a file with the lines that the program had
    /// said. It holds if it ends with 0.
    Command(String),
    /// A shell command that is started once for each job. It reads lines `DIR<tab>ACKS` and answers each with a line: `ok`, or
    /// what is wrong.
    Server(String),
    /// The program itself, started again on the files: it must end with 0.
    Program(Vec<String>),
}

/// Checks one image after the other: one for each job.
pub(crate) struct Checker<'c> {
    check: &'c ImageCheck,
    limit: Duration,
    /// Where what the check prints is kept.
    output: PathBuf,
    guard: Option<&'c Guard>,
    server: Option<CheckServer>,
}

impl<'c> Checker<'c> {
    pub(crate) fn new(
        check: &'c ImageCheck,
        limit: Duration,
        output: PathBuf,
        guard: Option<&'c Guard>,
    ) -> Self {
        Checker {
            check,
            limit,
            output,
            guard,
            server: None,
        }
    }

    /// Checks the files in `dir`, when the lines in the file `acks` had been said. Where that was is no part of the answer.
    pub(crate) fn check(
        &mut self,
        dir: &Path,
        acks: &Path,
        go_on: &dyn Fn() -> bool,
    ) -> io::Result<Judgement> {
        Ok(match self.ask(dir, acks, go_on)? {
            Judgement::Bad(reason) => {
                Judgement::Bad(reason.replace(&*dir.to_string_lossy(), "{dir}"))
            }
            answer => answer,
        })
    }

    fn ask(&mut self, dir: &Path, acks: &Path, go_on: &dyn Fn() -> bool) -> io::Result<Judgement> {
        match self.check {
            ImageCheck::Command(command) => {
                let command = in_shell(&filled_in(command, dir, acks));
                self.run(command, dir, acks, go_on)
            }
            ImageCheck::Program(program) => {
                let dir_text = dir.to_string_lossy();
                let mut words = program.iter().map(|word| word.replace("{dir}", &dir_text));
                let mut command = Command::new(words.next().unwrap_or_default());
                command.args(words);
                self.run(command, dir, acks, go_on)
            }
            ImageCheck::Server(command) => loop {
                let server = match &mut self.server {
                    Some(server) => server,
                    empty => empty.insert(CheckServer::start(command, &self.output, self.guard)?),
                };
                let asked = server.ask(dir, acks, self.limit, go_on)?;
                if server.is_dead() {
                    self.server = None;
                }
                match asked {
                    Asked::Answered(answer) => return Ok(answer),
                    // It may have died of an earlier image: this one is asked of a new server.
                    Asked::Died {
                        is_first: false, ..
                    } => {}
                    Asked::Died { how, .. } => return Ok(Judgement::Bad(how)),
                }
            },
        }
    }

    fn run(
        &self,
        mut command: Command,
        dir: &Path,
        acks: &Path,
        go_on: &dyn Fn() -> bool,
    ) -> io::Result<Judgement> {
        let output = File::create(&self.output)?;
        command.env("BEAVER_DIR", dir).env("BEAVER_ACKS", acks);
        command.stdin(Stdio::null());
        command.stdout(output.try_clone()?).stderr(output);
        let mut group = ProcessGroup::start(&mut command, self.guard)?;
        let (send, ended) = channel();
        group.when_ended(move || send.send(()));
        let waited = wait(&ended, self.limit, go_on);
        // Also what a check that has ended left running: its files are taken away.
        let status = group.end()?;
        match waited {
            Waited::Got(()) => {}
            Waited::Stopped => return Ok(Judgement::Stopped),
            Waited::TooLong => return Ok(Judgement::Bad(too_long(self.limit))),
        }
        if status.success() {
            return Ok(Judgement::Good);
        }
        let printed = last_line(&self.output)?;
        // That says nothing of the files.
        if let Some(code @ (126 | 127)) = status.code() {
            return Err(io::Error::other(format!(
                "the check ended with {code}, as a shell does that cannot start something: {printed}"
            )));
        }
        Ok(Judgement::Bad(
            match (status.signal(), printed.is_empty()) {
                (Some(_), true) => how_it_ended(status),
                (None, true) => format!("{} and printed nothing", how_it_ended(status)),
                (Some(_), false) => format!("{}: {printed}", how_it_ended(status)),
                (None, false) => printed,
            },
        ))
    }
}

/// The command with the paths in it, in quotes where the shell needs them.
fn filled_in(command: &str, dir: &Path, acks: &Path) -> String {
    let command = command.replace("{dir}", &quoted(dir));
    command.replace("{acks}", &quoted(acks))
}

/// A path as a word of a shell command.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    match text.bytes().all(plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
