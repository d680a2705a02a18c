//! The workload: draws the next command. It knows what a client knows of the queue, and nothing
//! about storage.
//!
//! Most commands are ones that a client would sensibly give (acknowledge a job that is in flight);
//! some are late, doubled or wrong on purpose, because refusals must be right too.

use crate::oracle::model::{Model, ModelJob, Standing};
use crate::scenario::{CommandKind, Job, Range, Step, Workload};
use crate::stream::Stream;

/// Draws commands.
#[derive(Debug)]
pub struct Commands<'a> {
    workload: &'a Workload,
    stream: Stream,
    /// How many ids were made up so far.
    ids: u64,
    /// The words for the commands of a store that keeps no jobs: they are drawn by number.
    words: Option<fn(u64) -> String>,
}

impl<'a> Commands<'a> {
    /// The commands of `seed`.
    #[must_use]
    pub fn new(workload: &'a Workload, seed: u64) -> Self {
        Commands {
            workload,
            stream: Stream::new(seed, "workload"),
            ids: 0,
            words: None,
        }
    }

    /// Draws commands by number from now on: each is used once, and `words` says what it is.
    pub fn number(&mut self, words: fn(u64) -> String) {
        self.words = Some(words);
    }

    /// The next command, in view of the queue as the client knows it at `now_ms`.
    pub fn next(&mut self, model: &Model, now_ms: u64) -> Step {
        match self.kind(model) {
            CommandKind::Group => Step::Group {
                steps: self.group(model, now_ms),
            },
            CommandKind::CloseQueued => Step::CloseQueued {
                steps: self.group(model, now_ms),
            },
            CommandKind::Checkpoint => Step::Checkpoint,
            CommandKind::SlowCheckpoint => {
                let mut between = model.clone();
                Step::SlowCheckpoint {
                    before_write: self.several(&mut between, now_ms, Range::new(0, 2)),
                    before_finish: self.several(&mut between, now_ms, Range::new(0, 2)),
                }
            }
            CommandKind::Reopen => Step::Reopen,
            CommandKind::Kill => Step::Kill,
            CommandKind::PowerCut => Step::PowerCut { image: None },
            CommandKind::SecondOpener => Step::SecondOpener,
            CommandKind::Inspect => Step::Inspect,
            CommandKind::Lenient => Step::Lenient { damage: Vec::new() },
            CommandKind::Sync => Step::Sync,
            CommandKind::Rotate => Step::Rotate,
            CommandKind::Preallocate => Step::Preallocate {
                bytes: self.stream.draw(1, 64 << 10),
            },
            simple => self.simple(simple, model),
        }
    }

    /// Draws the sort of the next command. What takes longer the larger the store is gets rarer as it grows.
    fn kind(&mut self, model: &Model) -> CommandKind {
        loop {
            let kind = self.weighted();
            if !kind.grows_with_the_store() || self.stream.still_often(model.len()) {
                return kind;
            }
        }
    }

    fn weighted(&mut self) -> CommandKind {
        let total: u64 = self.workload.weights.values().copied().map(u64::from).sum();
        let mut drawn = self.stream.draw(1, total.max(1));
        for (kind, weight) in &self.workload.weights {
            let weight = u64::from(*weight);
            if drawn <= weight {
                return *kind;
            }
            drawn -= weight;
        }
        CommandKind::Enqueue
    }

    fn group(&mut self, model: &Model, now_ms: u64) -> Vec<Step> {
        let mut inside = model.clone();
        self.several(&mut inside, now_ms, self.workload.group_size)
    }

    /// Several simple commands in a row, each in view of what the ones before it will have done.
    fn several(&mut self, model: &mut Model, now_ms: u64, how_many: Range) -> Vec<Step> {
        let count = self.stream.draw(how_many.least, how_many.most);
        let mut steps = Vec::new();
        for _ in 0..count {
            const SIMPLE: [CommandKind; 8] = [
                CommandKind::Enqueue,
                CommandKind::Enqueue,
                CommandKind::EnqueueBatch,
                CommandKind::Dispatch,
                CommandKind::Dispatch,
                CommandKind::Ack,
                CommandKind::Ack,
                CommandKind::Fail,
            ];
            let kind = *self.stream.pick(&SIMPLE);
            let step = self.simple(kind, model);
            for record in model.expect(&step, now_ms).unwrap_or_default() {
                model.apply(&record);
            }
            steps.push(step);
        }
        steps
    }

    fn simple(&mut self, kind: CommandKind, model: &Model) -> Step {
        if let Some(words) = self.words {
            self.ids += 1;
            let jobs = vec![Job::numbered(self.ids, &words(self.ids))];
            return Step::Enqueue { jobs };
        }
        let full = model.open().count() >= self.workload.jobs as usize;
        match kind {
            CommandKind::Enqueue | CommandKind::EnqueueBatch if full => Step::Dispatch,
            CommandKind::Enqueue => self.enqueue(model, Range::new(1, 1)),
            CommandKind::EnqueueBatch => self.enqueue(model, self.workload.batch_size),
            CommandKind::Ack => {
                let id = self.job_in_hand(model);
                id.map_or(Step::Dispatch, |id| Step::Ack { id })
            }
            CommandKind::Fail => {
                let id = self.job_in_hand(model);
                id.map_or(Step::Dispatch, |id| Step::Fail { id })
            }
            CommandKind::Tick => Step::Tick {
                ms: self.within(self.workload.tick_ms),
            },
            CommandKind::Requeue => Step::Requeue,
            _ => Step::Dispatch,
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

    /// One of all the jobs that were ever there.
    fn any_job(&mut self, model: &Model) -> Option<String> {
        if model.is_empty() {
            return None;
        }
        let drawn = self.stream.index(model.len());
        model.nth(drawn).map(|job| job.id.clone())
    }

    fn enqueue(&mut self, model: &Model, how_many: Range) -> Step {
        let count = self.within(how_many);
        let jobs = (0..count).map(|_| self.job(model)).collect();
        Step::Enqueue { jobs }
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
        }
    }

    /// A fresh id; now and then one that an encoder could get wrong.
    fn new_id(&mut self) -> String {
        self.ids += 1;
        let number = self.ids;
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
                let letter = char::from(b'a' + u8::try_from(self.stream.draw(0, 25)).unwrap_or(0));
                let text: String = std::iter::repeat_n(letter, bytes).collect();
                format!("{{\"data\":\"{text}\"}}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(workload: &Workload, seed: u64, count: usize) -> Vec<Step> {
        let mut commands = Commands::new(workload, seed);
        let mut model = Model::default();
        let mut steps = Vec::new();
        for now_ms in 0..count as u64 {
            let step = commands.next(&model, now_ms);
            if matches!(
                step,
                Step::Enqueue { .. } | Step::Dispatch | Step::Ack { .. } | Step::Fail { .. }
            ) {
                for record in model.expect(&step, now_ms).unwrap_or_default() {
                    model.apply(&record);
                }
            }
            steps.push(step);
        }
        steps
    }

    #[test]
    fn equal_seeds_draw_equal_commands() {
        let workload = Workload::default();
        assert_eq!(steps(&workload, 3, 200), steps(&workload, 3, 200));
        assert_ne!(steps(&workload, 3, 200), steps(&workload, 4, 200));
    }

    #[test]
    fn every_command_that_has_a_weight_is_drawn() {
        let workload = Workload::default();
        let drawn = steps(&workload, 1, 2000);
        assert!(drawn.contains(&Step::Checkpoint));
        assert!(drawn.contains(&Step::Reopen));
        assert!(drawn.iter().any(|s| matches!(s, Step::Group { .. })));
        assert!(drawn.iter().any(|s| matches!(s, Step::Tick { .. })));
        assert!(!drawn.contains(&Step::Kill));
    }

    #[test]
    fn what_takes_long_in_a_large_store_gets_rarer_as_it_grows() {
        let workload = Workload::default();
        let long = |jobs: usize| {
            let mut model = Model::default();
            for id in 0..jobs {
                let enqueue = Step::Enqueue {
                    jobs: vec![Job::numbered(id as u64, "1")],
                };
                let records = model.expect(&enqueue, 0).unwrap();
                records.iter().for_each(|record| model.apply(record));
            }
            let mut commands = Commands::new(&workload, 1);
            let drawn = (0..4000).map(|_| commands.kind(&model));
            drawn.filter(|kind| kind.grows_with_the_store()).count()
        };
        assert_eq!(long(0), long(250), "as the weights say");
        let (small, large) = (long(250), long(2500));
        assert!(small > 200 && large > 0, "{small}, {large}");
        assert!(large < small / 5, "{small}, {large}");
    }

    #[test]
    fn payloads_are_json() {
        let workload = Workload::default();
        let mut commands = Commands::new(&workload, 1);
        for _ in 0..200 {
            let payload = commands.payload();
            let parsed = serde_json::from_str::<&serde_json::value::RawValue>(&payload);
            assert!(parsed.is_ok(), "{payload}");
        }
    }
}
