//! A log that syncs on request: what a crash leaves is what was durable, and a beginning of what
//! was appended since, append by append.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod hooked;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use beaver::wal::{Group, SyncPolicy};
use beaver::{
    Error, Event, EventKind, JobId, ManualClock, Payload, Position, Storage, Wal, WalOptions,
};
use beaver_disk::{Choice, Crash, Disk, ImageSpace, Op, Profile, SimDisk, SimOptions};
use proptest::collection::vec;
use proptest::prelude::*;

use hooked::hooked;

#[derive(Clone, Debug)]
enum Step {
    /// Appends this many events of this many bytes as one.
    Append(usize, usize),
    /// Makes an append durable, with everything before it.
    Commit,
    Sync,
    Rotate,
    Close,
}

fn options() -> WalOptions {
    WalOptions {
        sync: SyncPolicy::OnRequest,
        clock: Arc::new(ManualClock::new(1)),
        ..WalOptions::default()
    }
}

fn open(storage: Arc<dyn Storage>) -> Wal {
    Wal::open(storage, options()).unwrap().0
}

fn event(number: usize, size: usize) -> Event {
    let payload = Payload::new(format!("\"{}\"", "x".repeat(size))).unwrap();
    let kind = EventKind::Enqueue {
        payload,
        max_attempts: beaver::event::DEFAULT_MAX_ATTEMPTS,
        timeout_ms: 1,
        backoff: beaver::Backoff::NONE,
    };
    Event::new(JobId::new(number.to_string()).unwrap(), 1, kind)
}

/// The log, and what its owner knows: how many events are in after each append, and how many are
/// durable.
struct Run {
    disk: SimDisk,
    wal: Option<Wal>,
    appends: Vec<usize>,
    durable: usize,
}

/// What may be left of a crash: at least `durable` events, and each append whole or not at all.
struct Left {
    durable: usize,
    appends: Vec<usize>,
}

impl Run {
    fn new(profile: Profile) -> Self {
        let disk = SimDisk::new(Disk::empty(profile), SimOptions::default());
        let wal = Some(open(disk.storage()));
        Run {
            disk,
            wal,
            appends: vec![0],
            durable: 0,
        }
    }

    fn appended(&self) -> usize {
        self.appends.last().copied().unwrap_or(0)
    }

    fn step(&mut self, step: &Step) {
        let first = self.appended();
        let wal = self.wal.as_mut().unwrap();
        match *step {
            Step::Append(count, size) => {
                let events: Vec<Event> = (first..first + count).map(|n| event(n, size)).collect();
                wal.append(&events).unwrap();
                self.appends.push(first + count);
            }
            Step::Commit => {
                wal.commit(&[Group::encode(&[event(first, 10)]).unwrap()])
                    .unwrap();
                self.appends.push(first + 1);
                self.durable = first + 1;
            }
            Step::Sync => {
                assert_eq!(wal.sync().unwrap(), wal.last_position());
                self.durable = first;
            }
            Step::Rotate => {
                assert_eq!(
                    wal.rotate().unwrap().position.epoch.next(),
                    wal.last_position().epoch
                );
                self.durable = first;
            }
            Step::Close => {
                self.wal.take().unwrap().close().unwrap();
                self.durable = first;
                self.wal = Some(open(self.disk.storage()));
            }
        }
        assert_eq!(read(self.wal.as_ref().unwrap()), self.durable);
    }

    /// Every moment of `step` at which the power may go, and what may be left then.
    fn moments(&mut self, step: &Step) -> (Vec<Crash>, Left) {
        let durable = self.durable;
        self.disk.record_crash_points(true);
        self.step(step);
        let crashes = self.disk.take_crash_points();
        self.disk.record_crash_points(false);
        let appends = self.appends.clone();
        (crashes, Left { durable, appends })
    }
}

/// How many events a reader sees, which are those of the beginning.
fn read(wal: &Wal) -> usize {
    let mut next = 0;
    wal.replay(Position::default(), |_, event| {
        assert_eq!(event.job_id.as_str(), next.to_string());
        next += 1;
        Ok::<(), ()>(())
    })
    .unwrap();
    next
}

impl Left {
    /// Recovers, and again after a second crash that loses whatever it can.
    fn check(&self, disk: Disk) {
        let machine = SimDisk::new(disk, SimOptions::default());
        let found = read(&open(machine.storage()));
        assert!(
            found >= self.durable && self.appends.contains(&found),
            "{found} of {:?}, {} durable",
            self.appends,
            self.durable
        );
        machine.power_cut(&Choice::default());
        let mut wal = open(machine.storage());
        assert_eq!(read(&wal), found, "what one recovery showed stays");
        wal.append(&[event(found, 10)]).unwrap();
        wal.sync().unwrap();
        assert_eq!(read(&wal), found + 1);
    }
}

#[test]
fn every_power_cut_leaves_a_beginning() {
    let steps = [
        Step::Append(1, 3_000),
        Step::Append(2, 1_500),
        Step::Append(1, 10),
        Step::Sync,
        Step::Append(1, 5_000),
        Step::Commit,
        Step::Append(3, 900),
        Step::Rotate,
        Step::Append(1, 4_000),
        Step::Close,
        Step::Append(1, 10),
        Step::Sync,
    ];
    let mut images = 0;
    for profile in [Profile::Posix, Profile::LinuxOrdered] {
        let mut run = Run::new(profile);
        for step in &steps {
            let (crashes, left) = run.moments(step);
            for crash in crashes {
                let space = crash.images();
                for candidate in space.enumerate(10_000).unwrap() {
                    left.check(candidate.image.disk(profile));
                    images += 1;
                }
            }
        }
        assert_eq!(run.durable, run.appended());
    }
    assert!(images > 100, "{images}");
}

/// One image of `space`: each decision goes the way that the next of `ways` says.
fn image(space: &ImageSpace, ways: &[u8], profile: Profile) -> Disk {
    let decisions = space.decisions();
    let ways = ways.iter().cycle().map(|way| u32::from(*way));
    let options: Vec<u32> = decisions
        .iter()
        .zip(ways)
        .map(|(decision, way)| way % decision.options)
        .collect();
    space.image(&space.resolve(&options)).disk(profile)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..4_usize, 0..60_000_usize).prop_map(|(count, size)| Step::Append(count, size)),
        1 => Just(Step::Commit),
        2 => Just(Step::Sync),
        1 => Just(Step::Rotate),
        1 => Just(Step::Close),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    #[cfg_attr(debug_assertions, ignore = "long where nothing is optimised: with --release")]
    fn a_crash_between_writes_of_one_batch_leaves_a_beginning(
        steps in vec(step(), 1..12),
        ways in vec(any::<u8>(), 1..100),
    ) {
        let mut run = Run::new(Profile::Posix);
        for step in &steps {
            let (crashes, left) = run.moments(step);
            for crash in crashes {
                left.check(image(&crash.images(), &ways, Profile::Posix));
                left.check(image(&crash.images(), &[0], Profile::Posix));
            }
        }
    }
}

/// A log whose calls of one kind fail from the moment on that the flag is up.
fn failing(op: Op) -> (SimDisk, Wal, Arc<AtomicBool>) {
    let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
    let fails = Arc::new(AtomicBool::new(false));
    let storage = hooked(disk.storage(), {
        let fails = Arc::clone(&fails);
        move |called, _| match called == op && fails.load(Ordering::SeqCst) {
            true => Err(io::Error::other("planned")),
            false => Ok(()),
        }
    });
    (disk, open(storage), fails)
}

fn check_poisoned(disk: &SimDisk, mut wal: Wal, error: &Error, durable: usize) {
    assert!(error.is_indeterminate(), "{error}");
    assert_eq!(wal.last_position(), Position::new(1, durable as u64));
    let refused = wal.append(&[event(9, 10)]);
    assert!(matches!(refused, Err(Error::Poisoned { .. })));
    assert!(matches!(wal.sync(), Err(Error::Poisoned { .. })));
    assert!(matches!(wal.rotate(), Err(Error::Poisoned { .. })));
    assert!(wal.close().is_err());
    disk.power_cut(&Choice::default());
    assert_eq!(read(&open(disk.storage())), durable);
}

#[test]
fn a_failed_sync_leaves_what_was_answered_in_doubt() {
    let (disk, mut wal, fails) = failing(Op::SyncData);
    wal.append(&[event(0, 10)]).unwrap();
    wal.sync().unwrap();
    wal.append(&[event(1, 10)]).unwrap();
    fails.store(true, Ordering::SeqCst);
    let error = wal.sync().unwrap_err();
    check_poisoned(&disk, wal, &error, 1);
}

#[test]
fn a_failed_write_of_what_was_answered_poisons() {
    let (disk, mut wal, fails) = failing(Op::WriteAt);
    wal.append(&[event(0, 10)]).unwrap();
    fails.store(true, Ordering::SeqCst);
    let error = wal.append(&[event(1, 70_000)]).unwrap_err();
    check_poisoned(&disk, wal, &error, 0);
}

#[test]
fn a_failed_write_of_what_nobody_was_told_of_is_undone() {
    let (_, mut wal, fails) = failing(Op::WriteAt);
    // Nothing is answered by an answer to nothing.
    wal.append(&[]).unwrap();
    fails.store(true, Ordering::SeqCst);
    let error = wal.append(&[event(0, 70_000)]).unwrap_err();
    assert!(matches!(error, Error::Storage { .. }), "{error}");
    fails.store(false, Ordering::SeqCst);
    assert_eq!(wal.append(&[event(0, 10)]).unwrap(), Position::new(1, 1));
    wal.sync().unwrap();
    assert_eq!(read(&wal), 1);
}

#[test]
fn an_append_that_is_refused_leaves_the_others_as_they_were() {
    struct Raw(&'static [u8]);
    impl beaver::LogEvent for Raw {
        fn encode(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(self.0);
        }
        fn decode(json: &[u8]) -> Result<Self, beaver::DecodeError> {
            assert_eq!(json, b"1");
            Ok(Raw(b"1"))
        }
    }
    let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
    let (mut wal, _) = Wal::<Raw>::open(disk.storage(), options()).unwrap();
    wal.append(&[Raw(b"1")]).unwrap();
    let refused = wal.append(&[Raw(b"1"), Raw(b"2\n3")]);
    assert!(matches!(refused, Err(Error::InvalidEvent { .. })));
    assert_eq!(wal.append(&[Raw(b"1")]).unwrap(), Position::new(1, 2));
    assert_eq!(wal.sync().unwrap(), Position::new(1, 2));
    let report = wal.replay(Position::default(), |_, _| Ok::<(), ()>(()));
    assert_eq!(report.unwrap().applied, 2);
}

#[test]
fn a_batch_is_synced_when_it_is_full() {
    let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
    let mut wal = open(disk.storage());
    for number in 0..20 {
        let position = wal.append(&[event(number, 1 << 20)]).unwrap();
        assert_eq!(position, Position::new(1, number as u64 + 1));
    }
    let durable = wal.last_position().seq.0;
    assert!((14..20).contains(&durable), "{durable}");
    // Larger than what is left of the batch, so that is synced first.
    wal.append(&vec![event(20, 3 << 20); 5]).unwrap();
    assert_eq!(wal.last_position().seq.0, 20);
}
