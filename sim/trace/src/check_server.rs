//! A check that is started once and answers for one image after the other: hundreds to thousands a second.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::check_process::{Judgement, Waited, how_it_ended, in_shell, last_line, too_long, wait};
use crate::guard::Guard;
use crate::process_group::ProcessGroup;

/// How long a server that has closed its output may take to end.
const END: Duration = Duration::from_secs(1);

/// What came of a question.
pub(crate) enum Asked {
    Answered(Judgement),
    /// The server died before it answered.
    Died {
        /// Whether it was its first question: then it died of that.
        is_first: bool,
        how: String,
    },
}

/// A server that runs.
pub(crate) struct CheckServer {
    questions: ChildStdin,
    answers: Receiver<String>,
    ended: Receiver<()>,
    group: ProcessGroup,
    /// Where its standard error is kept.
    errors: PathBuf,
    is_dead: bool,
    has_answered: bool,
}

impl CheckServer {
    pub(crate) fn start(command: &str, errors: &Path, guard: Option<&Guard>) -> io::Result<Self> {
        let mut shell = in_shell(command);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped());
        shell.stderr(File::create(errors)?);
        let mut group = ProcessGroup::start(&mut shell, guard)?;
        let (questions, stdout) = group.pipes().ok_or(io::ErrorKind::BrokenPipe)?;
        let (send, answers) = channel();
        // It ends when the server closes its output, which it does at the latest when it is killed.
        thread::spawn(move || pass_on(stdout, &send));
        let (end, ended) = channel();
        group.when_ended(move || end.send(()));
        Ok(CheckServer {
            questions,
            answers,
            group,
            ended,
            errors: errors.to_owned(),
            is_dead: false,
            has_answered: false,
        })
    }

    /// Whether it cannot be asked again.
    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead
    }

    pub(crate) fn ask(
        &mut self,
        dir: &Path,
        acks: &Path,
        limit: Duration,
        go_on: &dyn Fn() -> bool,
    ) -> io::Result<Asked> {
        let question = format!("{}\t{}\n", dir.display(), acks.display());
        // A server that has died does not read it, and says nothing either.
        let _ = self.questions.write_all(question.as_bytes());
        let waited = wait(&self.answers, limit, go_on);
        Ok(Asked::Answered(match waited {
            Waited::Got(answer) => {
                self.has_answered = true;
                match &answer[..] {
                    "ok" => Judgement::Good,
                    "" => Judgement::Bad("the check server answered with an empty line".to_owned()),
                    _ => Judgement::Bad(answer),
                }
            }
            Waited::TooLong => {
                self.end();
                Judgement::Bad(too_long(limit))
            }
            Waited::Stopped if !go_on() => {
                self.end();
                Judgement::Stopped
            }
            Waited::Stopped => {
                let how = self.how_it_died(go_on)?;
                self.end();
                let is_first = !self.has_answered;
                return Ok(Asked::Died { is_first, how });
            }
        }))
    }

    fn how_it_died(&mut self, go_on: &dyn Fn() -> bool) -> io::Result<String> {
        let how = match wait(&self.ended, END, go_on) {
            Waited::Got(()) => how_it_ended(self.group.end()?),
            Waited::TooLong | Waited::Stopped => "the check closed its output".to_owned(),
        };
        let printed = last_line(&self.errors)?;
        Ok(match printed.is_empty() {
            true => format!("{how} without an answer"),
            false => format!("{how} without an answer: {printed}"),
        })
    }

    fn end(&mut self) {
        // How it ended is asked before, where it matters.
        let _ = self.group.end();
        self.is_dead = true;
    }
}

fn pass_on(stdout: ChildStdout, send: &Sender<String>) {
    for line in BufReader::new(stdout).lines() {
        let sent = line.map(|line| send.send(line.trim_end().to_owned()));
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}
