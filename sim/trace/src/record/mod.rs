//! Records a program: the simulated disk is served by FUSE, and everything that the program does to it is written down.
//!
//! ```text
//! record         setup, program, end
//!   ServedMount    the file system
//!   ProcessGroup   the processes
//!   ServedDisk     what the kernel asks
//!     Awake          keeps processors awake while it asks much
//!     Server         the disk, the recording, and what stands beside them, under one lock
//!   Watch          sync(2) and syncfs(2), which the file system is not told of
//! ```
//!
//! What a recording does not promise:
//!
//! - Bytes in a mapping are there when the system writes them back: at msync(2), fsync(2), munmap(2), close(2), or by itself.
//!   What a mapping had in between, a power cut could have left too.
//! - `O_DIRECT` alone makes nothing durable, as the device has caches.
//! - A failed sync is told to the one who synced. On Linux each other opener of the file is told once, too.
//! - What a process does that outlives the program by more than some seconds is not recorded, and that is said.
//! - Sockets and FIFOs, owners and times are not crashed.

mod answers;
mod attributes;
mod awake;
mod file_system;
mod files;
mod may_sync;
mod mount;
mod names;
mod notice;
mod program;
mod served;
mod server;
mod special;
mod standard_output;
mod terminal;
mod watch;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

pub use served::ServedImage;
pub use watch::run_watched;

use self::awake::Awake;
use self::file_system::ServedDisk;
use self::may_sync::MaySync;
use self::mount::{MountPoint, ServedMount};
use self::notice::Notice;
use self::program::how_it_ended;
use self::server::{Server, lock, space};
use self::standard_output::{STDOUT_NAME, StandardOutput};
use self::terminal::Terminal;
use self::watch::Watch;
use crate::check::quoted;
use crate::log::{LogFormat, LogWriter};
use crate::process_group::ProcessGroup;
use crate::recording::{ProgramEnd, RecordError, RecordOptions, Recorded};

/// How often is looked whether the recording is to stop.
const TICK: Duration = Duration::from_millis(50);
/// How long processes may take that are to end.
const GRACE: Duration = Duration::from_secs(5);
/// How long those may take that were asked to, after the recording.
const END: Duration = Duration::from_secs(1);

/// Records a program. What it says on its standard output is passed on to `output` at once.
///
/// # Errors
///
/// It could not be mounted, started or written down, or the setup failed. Then there is no recording.
pub fn record(
    options: &RecordOptions<'_>,
    output: Box<dyn Write + Send>,
) -> Result<Recorded, RecordError> {
    let format = LogFormat {
        program: options.program.clone(),
        space: space(&options.faults),
        ..LogFormat::default()
    };
    let point = MountPoint::new(options.guard.as_ref())?;
    let log = LogWriter::create(&options.log, &format);
    let log = log.map_err(|error| RecordError::at_log(&options.log, error))?;
    let recorded = record_into(log, point, options, output);
    if recorded.is_err() {
        LogWriter::remove(&options.log);
    }
    recorded
}

/// A recording that is made.
struct RunningRecording<'o> {
    options: &'o RecordOptions<'o>,
    server: Arc<Mutex<Server>>,
    /// What was started, with all that it left running: a server that the setup started is there for the program.
    started: Vec<ProcessGroup>,
    mount: ServedMount,
    notices: Receiver<Notice>,
    notify: Sender<Notice>,
}

fn record_into(
    log: LogWriter,
    point: MountPoint,
    options: &RecordOptions<'_>,
    output: Box<dyn Write + Send>,
) -> Result<Recorded, RecordError> {
    let (notify, notices) = channel();
    let (pass_on, said) = channel();
    let printer = thread::spawn(move || print(&said, output));
    let server = Arc::new(Mutex::new(Server::new(
        Some(log),
        &options.faults,
        StandardOutput::new(pass_on),
        // A program that is watched need not be looked at.
        options.watch.is_none().then(|| MaySync::new(point.path())),
        notify.clone(),
    )));
    let mount = point.mount(ServedDisk::new(server.clone(), Some(Awake::new())))?;
    let mut recording = RunningRecording {
        options,
        server,
        started: Vec::new(),
        mount,
        notices,
        notify,
    };
    let ended = recording.run();
    let finished = lock(&recording.server).finish();
    // What broke the recording says more than that it cannot be ended.
    let ended = ended?;
    // Who was asked to end has the time for it.
    recording.open_after(END);
    let (summary, warnings) = finished.map_err(|error| RecordError::at_log(&options.log, error))?;
    let disk = lock(&recording.server).disk.clone();
    drop(recording);
    // It ends when all is printed: nothing is passed on any more.
    let _ = printer.join();
    Ok(Recorded {
        ended,
        summary,
        warnings,
        disk,
    })
}

impl RunningRecording<'_> {
    fn run(&mut self) -> Result<ProgramEnd, RecordError> {
        if let Some(setup) = &self.options.setup {
            let mut command = Command::new("sh");
            command
                .arg("-c")
                .arg(setup.replace("{dir}", &quoted(self.mount.path())));
            // What a setup says is no promise, and it must not mix with the result.
            command.stdout(Stdio::from(io::stderr()));
            let ended = self.run_to_end(command, "sh")?;
            if ended != (ProgramEnd::With { code: 0 }) {
                let command = setup.clone();
                return Err(RecordError::Setup { command, ended });
            }
        }
        lock(&self.server).begin();
        let options = self.options;
        let Some(name) = options.program.first() else {
            return Err(RecordError::NoProgram);
        };
        let program: Vec<String> = self
            .options
            .program
            .iter()
            .map(|word| self.in_mount(word))
            .collect();
        let watch = self.options.watch.as_ref().map(|_| {
            let server = self.server.clone();
            Watch::new(self.mount.path(), server, self.options.guard.as_ref())
        });
        let watch = watch.transpose().map_err(RecordError::Mount)?;
        let mut words: Vec<OsString> = self.options.watch.clone().unwrap_or_default();
        if let Some(watch) = &watch {
            words.extend([watch.socket().into(), "--".into()]);
        }
        words.extend(program.into_iter().map(OsString::from));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        let stdout = match options.terminal {
            true => self.terminal(),
            false => {
                let stdout = self.mount.path().join(STDOUT_NAME);
                OpenOptions::new().append(true).open(stdout)
            }
        };
        command.stdout(stdout.map_err(RecordError::Mount)?);
        let ended = self.run_to_end(command, name)?;
        match watch.and_then(|watch| watch.not_started()) {
            Some(error) => Err(RecordError::Start {
                program: name.clone(),
                error,
            }),
            None => Ok(ended),
        }
    }

    /// The program's side of a terminal that is listened to.
    fn terminal(&self) -> io::Result<File> {
        let (terminal, of_program) = Terminal::open()?;
        let server = self.server.clone();
        terminal.listen(move || {
            let mut server = lock(&server);
            server.hear_terminal();
            !server.is_over()
        })?;
        lock(&self.server).terminal = Some(terminal);
        Ok(of_program)
    }

    fn in_mount(&self, text: &str) -> String {
        text.replace("{dir}", &self.mount.path().to_string_lossy())
    }

    /// Starts a program and waits until it has ended, and all that it left running.
    fn run_to_end(&mut self, mut command: Command, name: &str) -> Result<ProgramEnd, RecordError> {
        command.env("BEAVER_DIR", self.mount.path());
        let at_start = |error| RecordError::Start {
            program: name.to_owned(),
            error,
        };
        let program = program::start(command, self.notify.clone(), self.options.guard.as_ref());
        let mut program = program.map_err(at_start)?;
        let waited = self.wait(&program);
        let ended = match waited {
            Ok(None) => {
                let ended = how_it_ended(&program).map_err(at_start);
                self.wait_for_quiet(&program);
                self.started.push(program);
                ended
            }
            Ok(Some(interruption)) => program.end().map(|_| interruption).map_err(at_start),
            Err(error) => Err(error),
        };
        // A late change may have been the one after which the power is cut.
        match self.notices.try_recv() {
            Ok(Notice::PowerCut) => Ok(ProgramEnd::PowerCut),
            Ok(Notice::Broken(error)) => Err(RecordError::at_log(&self.options.log, error)),
            Ok(Notice::Ended) | Err(_) => ended,
        }
    }

    /// Waits until the process that was started has ended, or was ended.
    fn wait(&self, program: &ProcessGroup) -> Result<Option<ProgramEnd>, RecordError> {
        let mut interruption = Ok(None);
        let mut stopped_for = None;
        loop {
            match self.notices.recv_timeout(TICK) {
                Ok(Notice::Ended) => return interruption,
                Ok(Notice::PowerCut) => {
                    program.signal(Signal::KILL);
                    interruption = Ok(Some(ProgramEnd::PowerCut));
                }
                Ok(Notice::Broken(error)) => {
                    program.signal(Signal::KILL);
                    interruption = Err(RecordError::at_log(&self.options.log, error));
                }
                // This recording holds a sender itself.
                Err(_) => {}
            }
            if !self.is_stopped() {
                continue;
            }
            match &mut stopped_for {
                None => {
                    program.signal(Signal::TERM);
                    interruption = interruption.map(|_| Some(ProgramEnd::Stopped));
                    stopped_for = Some(Duration::ZERO);
                }
                Some(time) if *time > GRACE => program.signal(Signal::KILL),
                Some(time) => *time += TICK,
            }
        }
    }

    fn is_stopped(&self) -> bool {
        let stop = self.options.stop;
        stop.is_some_and(|stop| stop.load(Ordering::SeqCst))
    }

    /// Waits until no file of the mount is open. The kernel says so a little after the last close, and a process may outlive
    /// the one that was started.
    fn wait_for_quiet(&self, program: &ProcessGroup) {
        let open = self.open_after(GRACE);
        if open > 0 {
            lock(&self.server).warn(format!(
                "{open} files are still open {} s after the program ended, by processes that it left \
                 running: what they do from then on is not recorded",
                GRACE.as_secs()
            ));
            program.signal(Signal::TERM);
        }
    }

    /// Waits until no file is open, but no longer than this; how many are.
    fn open_after(&self, limit: Duration) -> u64 {
        let (mut waited, mut step) = (Duration::ZERO, Duration::from_micros(100));
        loop {
            let open = lock(&self.server).open();
            if open == 0 || waited >= limit || self.is_stopped() {
                return open;
            }
            thread::sleep(step);
            waited += step;
            step = (step * 2).min(TICK);
        }
    }
}

/// Prints what is said until nobody can say anything any more.
fn print(said: &Receiver<Vec<u8>>, mut output: Box<dyn Write + Send>) {
    for bytes in said {
        // A reader that is gone is not the program's fault: it goes on.
        let _ = output.write_all(&bytes).and_then(|()| output.flush());
    }
}

/// Whether programs can be recorded here.
///
/// # Errors
///
/// They cannot; the error says why.
pub fn check() -> Result<(), RecordError> {
    MountPoint::new(None).map(drop)
}

impl RecordError {
    fn at_log(log: &Path, error: io::Error) -> Self {
        RecordError::Log {
            path: log.to_owned(),
            error,
        }
    }
}
