//! What a client of the queue would sensibly do next.
//!
//! Most commands are ones that a client would sensibly give (acknowledge a job that is in flight);
//! some are late, doubled or wrong on purpose, because refusals must be right too.

use std::collections::BTreeSet;

use super::command::{Command, Job};
use super::model::{Model, ModelJob, Standing};
use super::op::QueueOp;
use super::unacceptable::Unacceptable;
use crate::scenario::{Alphabet, CommandKind, Range, Workload};
use crate::stream::Stream;

/// How far a clock jumps: to another time zone and back, to another year and back, to before 1970 and
/// back to this century.
const JUMPS_MS: [i64; 6] = [
    3_600_000,
    -3_600_000,
    31_536_000_000,
    -31_536_000_000,
    i64::MIN,
    1_700_000_000_000,
];

/// Draws commands of the queue and of its log.
pub(super) struct Draw<'a> {
    pub(super) workload: &'a Workload,
    pub(super) stream: &'a mut Stream,
    /// How many ids were made up so far.
    pub(super) ids: &'a mut u64,
}

impl Draw<'_> {
    /// A command of this kind, in view of the queue.
    pub(super) fn command(&mut self, kind: CommandKind, model: &Model) -> Command {
        let full = model.open().count() >= self.workload.jobs as usize;
        match kind {
            CommandKind::Enqueue | CommandKind::EnqueueBatch if full => Command::Dispatch,
            CommandKind::Enqueue => self.enqueue(model, Range::new(1, 1)),
            CommandKind::EnqueueBatch => self.enqueue(model, self.workload.batch_size),
            CommandKind::Ack => {
                let (id, attempt) = (self.job_in_hand(model), None);
                id.map_or(Command::Dispatch, |id| Command::Ack { id, attempt })
            }
            CommandKind::Fail => {
                let (id, attempt) = (self.job_in_hand(model), None);
                id.map_or(Command::Dispatch, |id| Command::Fail { id, attempt })
            }
            CommandKind::Heartbeat => {
                let (id, attempt) = (self.job_in_hand(model), None);
                id.map_or(Command::Dispatch, |id| Command::Heartbeat { id, attempt })
            }
            CommandKind::LateAck => {
                let late = self.late_attempt(model);
                late.map_or(Command::Dispatch, |(id, attempt)| Command::Ack {
                    id,
                    attempt,
                })
            }
            CommandKind::LateFail => {
                let late = self.late_attempt(model);
                late.map_or(Command::Dispatch, |(id, attempt)| Command::Fail {
                    id,
                    attempt,
                })
            }
            CommandKind::Revive => {
                let id = self.dead_job(model);
                id.map_or(Command::Dispatch, |id| Command::Revive { id })
            }
            CommandKind::Drop => {
                let id = self.dead_job(model);
                id.map_or(Command::Dispatch, |id| Command::Drop { id })
            }
            CommandKind::Clock => Command::Clock {
                by_ms: *self.stream.pick(&JUMPS_MS),
            },
            CommandKind::Tick => Command::Tick {
                ms: self.within(self.workload.tick_ms),
            },
            CommandKind::Unacceptable => {
                // The last two cost as much as hundreds of other commands.
                let last = Unacceptable::ALL.len() as u64 - 1;
                let drawn = match self.stream.draw(1, 200) {
                    1 => last,
                    2..=6 => last - 1,
                    _ => self.stream.draw(0, last - 2),
                };
                let request = Unacceptable::ALL[usize::try_from(drawn).unwrap_or(0)];
                Command::Unacceptable { request }
            }
            CommandKind::Requeue => Command::Requeue,
            CommandKind::Sync => Command::Sync,
            CommandKind::Rotate => Command::Rotate,
            CommandKind::Preallocate => Command::Preallocate {
                bytes: self.stream.draw(1, 64 << 10),
            },
            _ => Command::Dispatch,
        }
    }

    fn within(&mut self, range: Range) -> u64 {
        self.stream.draw(range.least, range.most)
    }

    /// A job that a worker holds; one time in twelve any job, so that late and doubled reports
    /// happen.
    fn job_in_hand(&mut self, model: &Model) -> Option<String> {
        if self.stream.draw(1, 12) == 1 {
            return self.any_job(model);
        }
        let in_flight = |job: &&ModelJob| matches!(job.standing, Standing::InFlight { .. });
        let ids: Vec<&String> = model.open().filter(in_flight).map(|job| &job.id).collect();
        if ids.is_empty() {
            return None;
        }
        Some((*self.stream.pick(&ids)).clone())
    }

    /// A job in flight and an attempt before the one that is; a late heartbeat differs in nothing from
    /// other late reports.
    fn late_attempt(&mut self, model: &Model) -> Option<(String, Option<u32>)> {
        let again =
            |job: &&ModelJob| matches!(job.standing, Standing::InFlight { .. }) && job.attempts > 1;
        let jobs: Vec<&ModelJob> = model.open().filter(again).collect();
        if jobs.is_empty() {
            return None;
        }
        let job = *self.stream.pick(&jobs);
        let attempt = self.stream.draw(1, u64::from(job.attempts - 1));
        Some((job.id.clone(), u32::try_from(attempt).ok()))
    }

    /// A dead job; one time in twelve any job.
    fn dead_job(&mut self, model: &Model) -> Option<String> {
        if self.stream.draw(1, 12) == 1 {
            return self.any_job(model);
        }
        let dead: Vec<&String> = model.dead().collect();
        if dead.is_empty() {
            return None;
        }
        Some((*self.stream.pick(&dead)).clone())
    }

    /// One of all the jobs that were ever there.
    fn any_job(&mut self, model: &Model) -> Option<String> {
        if model.is_empty() {
            return None;
        }
        let drawn = self.stream.index(model.len());
        model.nth(drawn).map(|job| job.id.clone())
    }

    fn enqueue(&mut self, model: &Model, how_many: Range) -> Command {
        let count = self.within(how_many);
        let jobs = (0..count).map(|_| self.job(model)).collect();
        Command::Enqueue { jobs }
    }

    fn job(&mut self, model: &Model) -> Job {
        let used_again = !model.is_empty() && self.stream.draw(1, 16) == 1;
        let id = match used_again {
            true => self.any_job(model),
            false => None,
        };
        let id = id.unwrap_or_else(|| self.new_id());
        let max_attempts = self.within(self.workload.max_attempts);
        Job {
            id,
            payload: self.payload(),
            max_attempts: u32::try_from(max_attempts).unwrap_or(u32::MAX).max(1),
            timeout_ms: self.within(self.workload.timeout_ms),
            backoff_ms: self.backoff_ms(),
        }
    }

    /// A first delay, and four times as much as the longest.
    fn backoff_ms(&mut self) -> [u64; 2] {
        if self.workload.backoff_ms.most == 0 {
            return [0, 0];
        }
        let first = self.within(self.workload.backoff_ms);
        [first, first.saturating_mul(4)]
    }

    /// What the next job is made of.
    fn alphabet(&mut self) -> Alphabet {
        match &self.workload.alphabets[..] {
            [] => Alphabet::OneLetter,
            [only] => *only,
            several => *self.stream.pick(several),
        }
    }

    /// A fresh id; now and then one that an encoder could get wrong.
    fn new_id(&mut self) -> String {
        *self.ids += 1;
        let number = *self.ids;
        if self.workload.alphabets.contains(&Alphabet::LineSeparators)
            && self.stream.draw(1, 8) == 1
        {
            return format!("job\u{2028}{number}\u{85}");
        }
        match self.stream.draw(1, 20) {
            1 => format!("job \"{number}\" \\ {{\""),
            2 => format!("j\u{f6}b-\u{1f9ab}-{number}\u{7f}"),
            3 => format!("job\n{number}\t\u{0}"),
            _ => format!("job-{number}"),
        }
    }

    /// A JSON text of about the drawn length; now and then one that a codec could change.
    fn payload(&mut self) -> String {
        let bytes = usize::try_from(self.within(self.workload.payload_bytes)).unwrap_or(0);
        match self.stream.draw(1, 10) {
            1 => "9007199254740993".to_owned(),
            2 => "{\"a\": 1.50e+3,\"a\":\"\\u00e9\\/\"}".to_owned(),
            3 => "[null,-0.0, 1E400 ,\"{\\\"seq\\\":1}\"]".to_owned(),
            _ => {
                let alphabet = self.alphabet();
                self.text(alphabet, bytes)
            }
        }
    }

    /// A JSON text of about `bytes` bytes, made of these.
    fn text(&mut self, alphabet: Alphabet, bytes: usize) -> String {
        let pieces: &[&str] = match alphabet {
            Alphabet::OneLetter => {
                let letter = char::from(b'a' + u8::try_from(self.stream.draw(0, 25)).unwrap_or(0));
                let text: String = std::iter::repeat_n(letter, bytes).collect();
                return format!("{{\"data\":\"{text}\"}}");
            }
            Alphabet::Digits => {
                let digits = (1..bytes).map(|_| *self.stream.pick(b"0123456789"));
                return std::iter::once(b'7')
                    .chain(digits)
                    .map(char::from)
                    .collect();
            }
            Alphabet::LogLines => {
                let line = "{\"seq\":1,\"event\":{\"type\":\"ACK\",\"job_id\":\"j\",\"timestamp\":1},\"crc\":\"00000000\"}";
                let marker = "{\"synced\":2,\"crc\":\"9dc04cf6\"}";
                let lines = (0..=bytes / line.len()).map(|at| [line, marker][at % 2]);
                return format!("[{}]", lines.collect::<Vec<_>>().join(","));
            }
            Alphabet::Letters => &["a", "e", "i", "r", "z", " ", "{", "}", "Q", "7"],
            Alphabet::LineSeparators => {
                &["a", "\u{2028}", "\u{2029}", "\u{85}", "\\f", "\\u000b", "z"]
            }
            Alphabet::Escapes => &[
                "\\n", "\\r", "\\u0000", "\\\"", "\\\\", "\\/", "\\ud83d", "\\u0085", "\\b",
            ],
            Alphabet::NonAscii => &[
                "\u{f6}",
                "\u{5b57}",
                "\u{1f9ab}",
                "\u{7f}",
                "\u{9b}",
                "\u{feff}",
                "a",
            ],
        };
        let mut text = "{\"data\":\"".to_owned();
        while text.len() < bytes {
            let piece: &str = pieces[self.stream.index(pieces.len())];
            text.push_str(piece);
        }
        text + "\"}"
    }
}

/// Ops that are plainer than this one: fewer jobs, shorter payloads, smaller numbers.
pub(super) fn simpler(op: &QueueOp) -> Vec<QueueOp> {
    let commands = simpler_commands(&op.command).into_iter();
    commands.map(QueueOp::from).collect()
}

fn simpler_commands(command: &Command) -> Vec<Command> {
    match command {
        Command::Enqueue { jobs } => {
            let fewer = (0..jobs.len()).filter(|_| jobs.len() > 1).map(|gone| {
                let mut jobs = jobs.clone();
                jobs.remove(gone);
                jobs
            });
            let plainer = PLAINER.iter().map(|change| {
                let mut jobs = jobs.clone();
                jobs.iter_mut().for_each(*change);
                jobs
            });
            let simpler = fewer.chain(plainer).filter(|simpler| simpler != jobs);
            simpler.map(|jobs| Command::Enqueue { jobs }).collect()
        }
        Command::Tick { ms } if *ms > 0 => vec![Command::Tick { ms: ms / 2 }],
        Command::Heartbeat { .. } | Command::Ack { .. } | Command::Fail { .. } => {
            let mut plainer = command.clone();
            let named = plainer
                .attempt_mut()
                .and_then(|(_, attempt)| attempt.take());
            named.map(|_| plainer).into_iter().collect()
        }
        Command::Clock { by_ms } if *by_ms != 0 => vec![Command::Clock { by_ms: by_ms / 2 }],
        _ => Vec::new(),
    }
}

const PLAINER: [fn(&mut Job); 5] = [
    |job| "1".clone_into(&mut job.payload),
    |job| {
        if job.payload.len() > 8 {
            job.payload = format!("\"{}\"", "x".repeat(job.payload.len() / 2 - 2));
        }
    },
    |job| job.max_attempts = 1,
    |job| job.timeout_ms = 1,
    |job| job.backoff_ms = [0, 0],
];

/// The commands of a whole history, plainer at once: every payload of one digit, every attempt the
/// only one, every time of one millisecond; and with ids `a`, `b` and so on, in the same order of the
/// alphabet.
pub(super) fn simpler_together(ops: &[QueueOp]) -> Vec<Vec<QueueOp>> {
    let mut histories = vec![changed(ops, |command| {
        if let Command::Enqueue { jobs } = command {
            for change in [PLAINER[0], PLAINER[2], PLAINER[3]] {
                jobs.iter_mut().for_each(change);
            }
        }
    })];
    for change in [PLAINER[0], PLAINER[2], PLAINER[3]] {
        histories.push(changed(ops, |command| {
            if let Command::Enqueue { jobs } = command {
                jobs.iter_mut().for_each(change);
            }
        }));
    }
    histories.push(changed(ops, |command| {
        if let Command::Tick { ms } = command {
            *ms /= 2;
        }
    }));
    let mut ids = BTreeSet::new();
    changed(ops, |command| {
        ids.extend(ids_in(command).into_iter().map(|id| id.clone()))
    });
    if ids.len() <= 26 {
        let ids: Vec<String> = ids.into_iter().collect();
        histories.push(changed(ops, |command| {
            for id in ids_in(command) {
                let place = ids.iter().position(|known| known == id).unwrap_or(0);
                let letter = u8::try_from(place).map_or('z', |place| char::from(b'a' + place));
                *id = letter.to_string();
            }
        }));
    }
    histories.retain(|history| history != ops);
    histories
}

fn changed(ops: &[QueueOp], mut change: impl FnMut(&mut Command)) -> Vec<QueueOp> {
    let ops = ops.iter().map(|op| {
        let mut command = op.command.clone();
        change(&mut command);
        QueueOp::from(command)
    });
    ops.collect()
}

fn ids_in(command: &mut Command) -> Vec<&mut String> {
    match command {
        Command::Enqueue { jobs } => jobs.iter_mut().map(|job| &mut job.id).collect(),
        Command::Heartbeat { id, .. } | Command::Ack { id, .. } | Command::Fail { id, .. } => {
            vec![id]
        }
        Command::Revive { id } | Command::Drop { id } => vec![id],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_drawn(workload: &Workload, mut check: impl FnMut(&mut Draw<'_>)) {
        let mut stream = Stream::new(1, "workload");
        let mut ids = 0;
        check(&mut Draw {
            workload,
            stream: &mut stream,
            ids: &mut ids,
        });
    }

    #[test]
    fn payloads_are_json() {
        check_drawn(&Workload::default(), |draw| {
            for _ in 0..200 {
                let payload = draw.payload();
                let parsed = serde_json::from_str::<&serde_json::value::RawValue>(&payload);
                assert!(parsed.is_ok(), "{payload}");
            }
            for alphabet in [
                Alphabet::OneLetter,
                Alphabet::Letters,
                Alphabet::LineSeparators,
                Alphabet::Escapes,
                Alphabet::NonAscii,
                Alphabet::Digits,
                Alphabet::LogLines,
            ] {
                for bytes in [0, 1, 40, 3000] {
                    let text = draw.text(alphabet, bytes);
                    let payload = beaver::Payload::new(&text);
                    assert!(payload.is_ok(), "{alphabet:?}: {payload:?}: {text}");
                    assert!(text.len() < bytes + 200, "{alphabet:?}: {}", text.len());
                }
            }
        });
    }

    #[test]
    fn reports_are_about_jobs_in_hand_and_now_and_then_about_others() {
        let mut model = Model::default();
        check_drawn(&Workload::default(), |draw| {
            let (mut accepted, mut refused) = (0, 0);
            for now_ms in 0..2000 {
                let kinds = [
                    CommandKind::Enqueue,
                    CommandKind::Dispatch,
                    CommandKind::Ack,
                ];
                let kind = *draw.stream.pick(&kinds);
                let command = draw.command(kind, &model);
                match model.plan(&command, now_ms) {
                    Ok(records) => {
                        records.iter().for_each(|record| model.apply(record));
                        accepted += u32::from(matches!(command, Command::Ack { .. }));
                    }
                    Err(_) => refused += 1,
                }
            }
            assert!(accepted > 200, "{accepted}, {refused}");
            assert!(refused > 20, "{accepted}, {refused}");
        });
    }

    #[test]
    fn a_store_with_all_its_jobs_gets_no_further_one() {
        let workload = Workload {
            jobs: 2,
            ..Workload::default()
        };
        let mut model = Model::default();
        check_drawn(&workload, |draw| {
            for now_ms in 0..100 {
                let command = draw.command(CommandKind::Enqueue, &model);
                for record in model.plan(&command, now_ms).unwrap_or_default() {
                    model.apply(&record);
                }
                assert!(model.open().count() <= 2, "{model:?}");
            }
        });
        assert_eq!(model.len(), 2);
    }

    /// Two jobs are enqueued, one is handed out and reported, and time passes.
    fn some_history() -> Vec<QueueOp> {
        let job = |id: &str| Job {
            id: id.to_owned(),
            payload: "{\"data\":\"xxxxxxxx\"}".to_owned(),
            max_attempts: 3,
            timeout_ms: 70,
            backoff_ms: [5, 20],
        };
        let (id, attempt) = ("late".to_owned(), None);
        let commands = [
            Command::Enqueue {
                jobs: vec![job("late"), job("early")],
            },
            Command::Dispatch,
            Command::Tick { ms: 80 },
            Command::Ack { id, attempt },
        ];
        commands.map(QueueOp::from).into()
    }

    #[test]
    fn simpler_commands_come_to_an_end_and_hold_no_more_than_before() {
        for op in some_history() {
            let mut command = op.command;
            for _ in 0..40 {
                let size = format!("{command:?}").len();
                let Some(next) = simpler_commands(&command).into_iter().next() else {
                    break;
                };
                assert_ne!(next, command);
                assert!(format!("{next:?}").len() <= size, "{command:?} to {next:?}");
                command = next;
            }
            assert_eq!(simpler_commands(&command), []);
        }
    }

    #[test]
    fn histories_are_made_simpler_as_a_whole_and_ids_keep_their_order() {
        let history = some_history();
        let histories = simpler_together(&history);
        assert!(
            histories
                .iter()
                .all(|simpler| simpler.len() == history.len())
        );
        assert!(histories.iter().all(|simpler| *simpler != history));
        let mut renamed = histories.last().expect("ids are changed last").clone();
        let ids: Vec<Vec<String>> = renamed
            .iter_mut()
            .map(|op| {
                ids_in(&mut op.command)
                    .into_iter()
                    .map(|id| id.clone())
                    .collect()
            })
            .collect();
        assert_eq!(ids[0], ["b", "a"], "`early` comes before `late`");
        assert_eq!(ids[3], ["b"]);
    }
}
