//! The user's own check of an image: a command, or a server that answers for one image after the other.

use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::check_process::{
    Judgement, ProcessGroup, Waited, ended, how_it_ended, in_shell, last_line, too_long, wait,
};
use crate::check_server::{Asked, CheckServer};

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
    server: Option<CheckServer>,
}

impl<'c> Checker<'c> {
    pub(crate) fn new(check: &'c ImageCheck, limit: Duration, output: PathBuf) -> Self {
        Checker {
            check,
            limit,
            output,
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
                    empty => empty.insert(CheckServer::start(command, &self.output)?),
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
        let child = command.process_group(0).spawn()?;
        let group = ProcessGroup::of(&child);
        let ended = ended(child);
        let status = wait(&ended, self.limit, go_on);
        // Also what a check that has ended left running: its files are taken away.
        group.kill();
        let status = match status {
            Waited::Got(status) => status?,
            Waited::Stopped => return Ok(Judgement::Stopped),
            Waited::TooLong => return Ok(Judgement::Bad(self.too_long())),
        };
        if status.success() {
            return Ok(Judgement::Good);
        }
        let printed = last_line(&self.output)?;
        Ok(Judgement::Bad(
            match (status.signal(), printed.is_empty()) {
                (Some(_), true) => how_it_ended(status),
                (None, true) => format!("{} and printed nothing", how_it_ended(status)),
                (Some(_), false) => format!("{}: {printed}", how_it_ended(status)),
                (None, false) => printed,
            },
        ))
    }

    fn too_long(&self) -> String {
        too_long(self.limit)
    }
}

/// The command with the paths in it, in quotes where the shell needs them.
fn filled_in(command: &str, dir: &Path, acks: &Path) -> String {
    let command = command.replace("{dir}", &quoted(dir));
    command.replace("{acks}", &quoted(acks))
}

fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    match text.bytes().all(plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
