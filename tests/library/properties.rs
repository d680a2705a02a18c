//! What holds for every history, every event and every damage.

use std::collections::BTreeMap;

use beaver::inspect;
use beaver::{
    Controller, ControllerOptions, JobId, JobSpec, Payload, Position, Store, StoreOptions,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::*;

/// What a user of a store does.
#[derive(Clone, Debug)]
enum Step {
    /// Commits this many events as one append.
    Commit(u8),
    /// Queues this many appends of one event and flushes them together.
    Share(u8),
    Checkpoint,
    Close,
    Kill,
    PowerCut,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..4_u8).prop_map(Step::Commit),
        3 => (1..4_u8).prop_map(Step::Share),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
        1 => Just(Step::PowerCut),
    ]
}

/// A store, its disk, and all that was acknowledged.
struct Run {
    disk: Memory,
    options: StoreOptions,
    store: Option<Store<Tape>>,
    history: Vec<String>,
}

impl Run {
    fn new(options: StoreOptions) -> Self {
        let disk = Memory::new();
        let mut run = Run {
            disk,
            options,
            store: None,
            history: Vec::new(),
        };
        run.reopen(run.disk.clone());
        run
    }

    /// A run of all `steps`.
    fn of(steps: &[Step], options: StoreOptions) -> Self {
        let mut run = Run::new(options);
        steps.iter().for_each(|step| run.step(step));
        run
    }

    fn store(&mut self) -> &mut Store<Tape> {
        self.store.as_mut().unwrap()
    }

    fn reopen(&mut self, disk: Memory) {
        self.store = None;
        self.disk = disk;
        let opened = Store::open(self.disk.storage(), self.options.clone());
        self.store = Some(opened.unwrap().0);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Commit(count) => {
                let events = self.events(*count);
                let plan = |_: &Tape| Ok::<_, beaver::Error>((events, ()));
                self.store().commit(plan).unwrap();
            }
            Step::Share(count) => {
                for event in self.events(*count) {
                    let plan = |_: &Tape| Ok::<_, beaver::Error>((vec![event], ()));
                    self.store().submit(plan).unwrap();
                }
                self.store().flush().unwrap();
            }
            Step::Checkpoint => drop(self.store().checkpoint().unwrap()),
            Step::Close => {
                self.store.take().unwrap().close().unwrap();
                self.reopen(self.disk.clone());
            }
            Step::Kill => self.reopen(self.disk.copy()),
            Step::PowerCut => self.reopen(self.disk.power_cut()),
        }
        let shown = self.store().state().0.clone();
        assert_eq!(shown, self.history);
    }

    /// The next events, already in the history.
    fn events(&mut self, count: u8) -> Vec<Line> {
        let first = self.history.len();
        let events: Vec<Line> = (first..first + usize::from(count)).map(line).collect();
        self.history
            .extend(events.iter().map(|event| event.0.clone()));
        events
    }
}

/// Options with and without free space, and with few or many snapshots kept.
fn options() -> impl Strategy<Value = StoreOptions> {
    (prop_oneof![Just(0), Just(50), Just(4096)], 0..3_usize).prop_map(|(bytes, keep)| {
        StoreOptions {
            wal: preallocating(bytes),
            ..keeping(keep)
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_store_shows_what_was_acknowledged_whatever_comes_between(
        steps in vec(step(), 0..40),
        options in options(),
    ) {
        let run = Run::of(&steps, options);
        prop_assert_eq!(tape(&run.disk), run.history.clone());
        prop_assert_eq!(tape(&run.disk.power_cut()), run.history);
        prop_assert_eq!(inspect::validate::<Line>(&run.disk.storage()).unwrap(), []);
    }

    #[test]
    fn recovering_again_changes_neither_state_nor_bytes(steps in vec(step(), 0..30)) {
        let run = Run::of(&steps, store_options());
        let disk = run.disk.copy();
        let once = recover(&disk).0.state().clone();
        let files = disk.files();
        let again = recover(&disk).0.state().clone();
        prop_assert_eq!(again, once);
        prop_assert_eq!(disk.files(), files);
    }

    #[test]
    fn replaying_from_any_position_goes_on_from_there(steps in vec(step(), 0..30)) {
        let run = Run::of(&steps, keeping(99));
        let (all, _) = try_read(&run.disk, Position::default()).unwrap();
        prop_assert_eq!(all.len(), run.history.len());
        for (index, (position, _)) in all.iter().enumerate() {
            let (after, _) = try_read(&run.disk, *position).unwrap();
            prop_assert_eq!(&after[..], &all[index + 1..]);
        }
    }

    #[test]
    fn any_split_into_snapshot_and_tail_is_the_whole_history(steps in vec(step(), 0..40)) {
        let run = Run::of(&steps, keeping(99));
        let snapshots = run.disk.names().into_iter().filter(|name| name.starts_with("snapshot"));
        let snapshots: Vec<String> = snapshots.collect();
        for kept in 0..=snapshots.len() {
            let disk = run.disk.copy();
            snapshots[kept..].iter().for_each(|name| disk.lose(name));
            prop_assert_eq!(tape(&disk), run.history.clone());
        }
    }

    #[test]
    fn a_copy_truncated_at_any_whole_append_is_that_prefix(steps in vec(step(), 0..20)) {
        let run = Run::of(&steps, keeping(99));
        let (all, _) = try_read(&run.disk, Position::default()).unwrap();
        for (index, (position, _)) in all.iter().enumerate() {
            let out = Memory::new();
            if inspect::truncate(&run.disk.storage(), *position, &out.storage(), COPY).is_ok() {
                prop_assert_eq!(tape(&out), &run.history[..=index]);
            } else {
                prop_assert_eq!(out.names(), [""; 0]);
            }
        }
    }

    #[test]
    fn a_repaired_whole_store_is_the_same_store(steps in vec(step(), 0..20)) {
        let run = Run::of(&steps, store_options());
        let out = Memory::new();
        let report = inspect::repair(&run.disk.storage(), &out.storage(), COPY).unwrap();
        prop_assert!(report.problems.is_empty() && report.lost.is_empty());
        prop_assert_eq!(tape(&out), run.history);
    }

    #[test]
    fn any_job_survives_bit_for_bit(id in "\\PC{1,64}|[\\x00-\\x7f]{1,200}", json in json(), attempts in 1_u32.., timeout_ms in 0_u64..) {
        let Ok(id) = JobId::new(id) else { return Ok(()) };
        let payload = Payload::new(json.to_string()).unwrap();
        let disk = Memory::new();
        let (mut queue, _) = Controller::open(disk.storage(), ControllerOptions::default()).unwrap();
        let spec = JobSpec::new(id.clone(), payload.clone());
        let spec = spec.with_max_attempts(attempts.try_into().unwrap()).with_timeout_ms(timeout_ms);
        queue.enqueue(spec).unwrap();
        for checkpoint in [false, true] {
            if checkpoint {
                queue.checkpoint().unwrap();
            }
            let copy = disk.copy();
            let (queue, _) = Controller::open(copy.storage(), ControllerOptions::default()).unwrap();
            let job = queue.state().job(&id).unwrap();
            prop_assert_eq!(job.payload().as_str(), payload.as_str());
            prop_assert_eq!((job.max_attempts().get(), job.timeout_ms()), (attempts, timeout_ms));
        }
    }

    #[test]
    fn any_event_on_one_line_is_read_back(texts in vec("[^\\n]{1,80}", 1..9)) {
        let texts: Vec<String> = texts.iter().map(|text| text.replace("unknown", "")).filter(|text| !text.is_empty()).collect();
        let disk = Memory::new();
        let mut wal = open(&disk);
        let events: Vec<Line> = texts.iter().map(line).collect();
        wal.append(&events).unwrap();
        for event in &events {
            wal.append(std::slice::from_ref(event)).unwrap();
        }
        drop(wal);
        prop_assert_eq!(open(&disk).last_seq().0 as usize, 2 * events.len());
        let (seen, _) = try_read(&disk, Position::default()).unwrap();
        let seen: Vec<&String> = seen.iter().map(|(_, text)| text).collect();
        prop_assert_eq!(seen, texts.iter().chain(&texts).collect::<Vec<_>>());
    }

    #[test]
    fn overwritten_bytes_are_noticed_or_change_nothing(
        steps in vec(step(), 1..20),
        file in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        bytes in vec(any::<u8>(), 1..60),
    ) {
        let run = Run::of(&steps, store_options());
        let names = run.disk.names();
        let name = &names[file.index(names.len())];
        let disk = run.disk.copy();
        disk.edit(name, |content| {
            let at = place.index(content.len());
            let end = content.len().min(at + bytes.len());
            content[at..end].copy_from_slice(&bytes[..end - at]);
        });
        check_noticed(&disk, &run.history)?;
    }

    #[test]
    fn readers_agree_about_logs_of_any_lines(log in any_log(Lines::first())) {
        check_readers_agree(&log.disk())?;
    }

    #[test]
    fn readers_agree_about_several_segments_of_any_lines(
        first in any_log(Lines::first()),
        second in (0..8_u64).prop_flat_map(|last_seq| any_log(Lines::after(2, last_seq))),
    ) {
        let disk = first.disk();
        second.on(&disk);
        check_readers_agree(&disk)?;
    }

    #[test]
    fn any_bytes_are_refused_or_read_and_never_a_panic(
        wal in vec(any::<u8>(), 0..300),
        document in vec(any::<u8>(), 0..100),
        with_header: bool,
    ) {
        let disk = match with_header {
            true => Lines::first().raw(wal).disk(),
            false => Lines::headless(1).raw(wal).disk(),
        };
        disk.put(&snapshot(1), document);
        try_open(&disk.copy()).ok();
        try_recover(&disk.copy()).ok();
        check_readers_agree(&disk)?;
    }
}

/// Any JSON.
fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Lines that are valid by themselves, mostly in order, and junk.
fn any_log(start: Lines) -> impl Strategy<Value = Lines> {
    let line = (0..12_u8, 0..3_u64, 0..4_u64);
    vec(line, 0..14).prop_map(move |lines| {
        let (mut log, mut seq, mut batch) = (start.clone(), 0, 0);
        for (kind, skew, back) in lines {
            // Mostly the next line that may stand there.
            seq += u64::from(skew != 1) + u64::from(skew == 2 && back == 3);
            let batch_now = if back == 0 { seq } else { batch };
            log = match kind {
                0..=4 => log.event(seq, batch_now),
                5 | 6 => log.more(seq, batch_now),
                7 => log.marker(seq.saturating_sub(1)),
                8 => log.lost(seq, seq + skew),
                9 => log.damaged(seq, batch_now),
                10 => log.raw("\n\0"),
                _ => log.raw("{\"seq\":"),
            };
            if kind == 8 {
                seq += skew;
            }
            if matches!(kind, 7 | 10 | 11) {
                seq = seq.saturating_sub(1);
            }
            batch = batch_now;
        }
        log
    })
}

/// Strict readers, open, recovery, statistics and repair tell the same story about a log.
fn check_readers_agree(disk: &Memory) -> Result<(), TestCaseError> {
    let strict = try_read(disk, Position::default());
    let (lenient, _) = try_salvage(disk, Position::default()).unwrap();
    let problems = inspect::validate::<Line>(&disk.storage()).unwrap();
    let has_snapshot = disk.names().iter().any(|name| name.starts_with("snapshot"));
    match &strict {
        Ok((seen, report)) => {
            let opened = try_open(&disk.copy()).unwrap().1;
            prop_assert_eq!(&opened.torn_tail, &report.torn_tail);
            prop_assert!(problems.is_empty() || has_snapshot, "{:?}", problems);
            let kept = lenient.iter().filter(|event| seen.contains(event));
            prop_assert!(
                kept.eq(seen),
                "lenient replay shows what strict replay shows"
            );
        }
        Err(error) => {
            prop_assert!(!problems.is_empty(), "{}", error);
            let copy = disk.copy();
            prop_assert!(try_recover(&copy).is_err());
            prop_assert_eq!(copy.files(), disk.files());
        }
    }
    let out = Memory::new();
    if inspect::repair(&disk.storage(), &out.storage(), COPY).is_ok() {
        let (saved, _) = try_read(&out, Position::default()).unwrap();
        prop_assert_eq!(
            saved,
            lenient,
            "what repair saves is what lenient replay shows"
        );
        prop_assert_eq!(inspect::validate::<Line>(&out.storage()).unwrap(), []);
    }
    Ok(())
}

/// Recovery refuses and changes nothing, or shows the history, or at most misses events after the
/// damage at the end and says so.
fn check_noticed(disk: &Memory, history: &[String]) -> Result<(), TestCaseError> {
    let before = disk.files();
    match try_recover(disk) {
        Err(_) => prop_assert_eq!(disk.files(), before),
        Ok((store, report)) => {
            let seen = &store.state().0;
            prop_assert!(
                history.starts_with(seen),
                "{:?} is no prefix of {:?}",
                seen,
                history
            );
            prop_assert!(seen.len() == history.len() || report.torn_tail.is_some());
        }
    }
    Ok(())
}

/// A store of several segments and snapshots, with batches of several appends, and its history.
fn small_store(close: bool) -> (BTreeMap<String, Vec<u8>>, Vec<String>) {
    use Step::{Checkpoint, Close, Commit, Share};
    let mut steps = vec![
        Commit(2),
        Checkpoint,
        Share(2),
        Commit(1),
        Checkpoint,
        Commit(2),
        Share(3),
    ];
    steps.extend(close.then_some(Close));
    let run = Run::of(&steps, store_options());
    (run.disk.files(), run.history.clone())
}

#[test]
fn every_flipped_bit_of_a_store_is_noticed_or_changes_nothing() {
    for close in [false, true] {
        let (files, history) = small_store(close);
        for (name, bytes) in &files {
            for bit in 0..bytes.len() * 8 {
                let disk = Memory::of(&files);
                flip(&disk, name, bit);
                check_noticed(&disk, &history).unwrap();
            }
        }
    }
}

#[test]
fn a_flipped_bit_before_the_last_batch_never_loses_an_event() {
    let (files, history) = small_store(true);
    for (name, bytes) in &files {
        for bit in 0..bytes.len() * 8 {
            let disk = Memory::of(&files);
            flip(&disk, name, bit);
            // The marker vouches for everything before it.
            if let Ok((store, _)) = try_recover(&disk) {
                assert_eq!(store.state().0, history, "{name} bit {bit}");
            }
        }
    }
}

#[test]
fn every_length_that_a_file_is_cut_to_gives_a_prefix_or_a_refusal() {
    let (files, history) = small_store(false);
    for (name, bytes) in &files {
        for len in 0..bytes.len() {
            let disk = Memory::of(&files);
            cut(&disk, name, len);
            let before = disk.files();
            match try_recover(&disk) {
                Err(_) => assert_eq!(disk.files(), before),
                Ok((store, _)) => {
                    let seen = &store.state().0;
                    let is_active = *name == wal(3);
                    assert!(
                        history.starts_with(seen) && (is_active || *seen == history),
                        "{name} {len}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_sector_of_zeros_gives_a_prefix_or_a_refusal() {
    for sector in [64, 128, 512] {
        let (files, history) = small_store(false);
        for (name, bytes) in &files {
            for start in (0..bytes.len()).step_by(sector) {
                let disk = Memory::of(&files);
                disk.edit(name, |bytes| {
                    let end = bytes.len().min(start + sector);
                    bytes[start..end].fill(0);
                });
                if let Ok((store, _)) = try_recover(&disk) {
                    let seen = &store.state().0;
                    let is_active = *name == wal(3);
                    assert!(
                        history.starts_with(seen) && (is_active || *seen == history),
                        "{name} {start}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_swap_of_two_lines_is_noticed_or_a_prefix() {
    let (files, history) = small_store(false);
    let text = String::from_utf8(files[&wal(3)].clone()).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for first in 0..lines.len() {
        for second in first + 1..lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(first, second);
            let disk = Memory::of(&files);
            disk.put(&wal(3), swapped.concat());
            check_noticed(&disk, &history).unwrap();
            let mut doubled = lines.clone();
            doubled.insert(second, lines[first]);
            disk.put(&wal(3), doubled.concat());
            check_noticed(&disk, &history).unwrap();
        }
    }
}

#[test]
fn looking_leniently_at_any_flipped_bit_never_fails_and_shows_events_in_order() {
    let (files, history) = small_store(true);
    for (name, bytes) in &files {
        for bit in 0..bytes.len() * 8 {
            let disk = Memory::of(&files);
            flip(&disk, name, bit);
            let (machine, ..) = inspect::salvage_state::<Tape>(&disk.storage()).unwrap();
            let mut all = history.iter();
            assert!(
                machine.0.iter().all(|seen| all.any(|event| event == seen)),
                "{name} bit {bit}"
            );
        }
    }
}
