//! The torn images of a space, and those with garbage, against every choice with one prefix tear, one by one.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at its first surprise, in the functions that it calls too"
)]

use std::collections::{BTreeMap, BTreeSet};

use beaver_disk::notation::FileHistory;
use beaver_disk::{
    Change, Choice, Disk, Fill, Image, ImageSpace, InodeId, PAGE_SIZE, Profile, SECTOR_SIZE, Tear,
    TornImages,
};
use proptest::prelude::*;
use proptest::sample::select;

const GARBAGE: Fill = Fill::Garbage(TornImages::GARBAGE_SEED);

/// More choices than this are not tried one by one.
const MOST_CHOICES: u64 = 1_500;

/// Every choice of names, lengths and versions, `None` if there are too many.
fn choices(space: &ImageSpace) -> Option<Vec<Choice>> {
    let options: Vec<u32> = space.decisions().iter().map(|d| d.options).collect();
    let product = options.iter().map(|options| u64::from(*options));
    let product = product.fold(1, u64::saturating_mul);
    (product <= MOST_CHOICES).then(|| {
        let vectors = (0..product).map(|mut number| {
            let digits = options.iter().map(|options| {
                let digit = number % u64::from(*options);
                number /= u64::from(*options);
                u32::try_from(digit).unwrap()
            });
            space.resolve(&digits.collect::<Vec<_>>())
        });
        vectors.collect()
    })
}

/// The choice with each prefix tear of each page that survives of it and may be torn.
fn torn<'c>(space: &'c ImageSpace, choice: &'c Choice) -> impl Iterator<Item = Choice> + 'c {
    let points = space.tear_points().into_iter();
    points.flat_map(move |point| {
        let newer = choice.version(point.inode, point.page);
        let tears = (0..newer).flat_map(move |older| (1..8).map(move |k| (older, (1 << k) - 1)));
        tears.map(move |(older, newer_sectors)| Choice {
            tears: vec![Tear {
                inode: point.inode,
                page: point.page,
                newer_sectors,
                older,
            }],
            ..choice.clone()
        })
    })
}

/// Whether the older version of a torn page was lost: where garbage is the fill it shows garbage.
fn lost_in_tear(space: &ImageSpace, choice: &Choice) -> bool {
    let tear = &choice.tears[0];
    let mut older = choice.clone();
    older.tears.clear();
    let pages = older.pages.get_mut(&tear.inode).unwrap();
    pages.insert(tear.page, tear.older);
    let page = |fill| {
        let image = space.image(&Choice {
            fill,
            ..older.clone()
        });
        let names: Vec<String> = image.names().map(str::to_owned).collect();
        let name = names.iter().find(|n| image.inode(n) == Some(tear.inode))?;
        let bytes = image.read(name).unwrap();
        let from = usize::try_from(tear.page * PAGE_SIZE)
            .unwrap()
            .min(bytes.len());
        let to = bytes.len().min(from + usize::try_from(PAGE_SIZE).unwrap());
        Some(bytes[from..to].to_vec())
    };
    page(Fill::Zeros) != page(GARBAGE)
}

/// Every image that is torn, or shows garbage, or both, one by one.
fn expected(space: &ImageSpace) -> Option<BTreeSet<u128>> {
    let choices = choices(space)?;
    let mut images = BTreeSet::new();
    for choice in &choices {
        images.extend(torn(space, choice).map(|choice| space.image(&choice).hash128()));
        if space.profile() != Profile::Alice {
            continue;
        }
        let with_garbage = |choice: &Choice| Choice {
            fill: GARBAGE,
            ..choice.clone()
        };
        images.insert(space.image(&with_garbage(choice)).hash128());
        let torn = torn(space, choice).filter(|torn| lost_in_tear(space, torn));
        images.extend(torn.map(|torn| space.image(&with_garbage(&torn)).hash128()));
    }
    let plain = choices.iter().map(|choice| space.image(choice).hash128());
    let plain: BTreeSet<u128> = plain.collect();
    Some(images.difference(&plain).copied().collect())
}

/// Holds the enumeration against the naive one. Answers with how many torn images there are.
fn check(space: &ImageSpace) -> usize {
    let Some(expected) = expected(space) else {
        return 0;
    };
    let plain = space.enumerate(u64::MAX).unwrap();
    let mut torn = plain.torn(u64::MAX);
    let mut found = BTreeMap::new();
    while let Some(candidate) = torn.next() {
        let choice = torn.choice(&candidate);
        assert_eq!(space.image(&choice), candidate.image, "{choice:?}");
        let survivors = space.survivors(&choice);
        let again = space.choose(&survivors);
        assert_eq!(space.image(&again), candidate.image, "{survivors:?}");
        assert!(choice.tears.len() <= 1, "{choice:?}");
        assert_ne!((choice.tears.len(), choice.fill), (0, Fill::Zeros));
        assert_eq!(found.insert(candidate.image.hash128(), choice), None);
    }
    assert!(!torn.is_capped());
    assert_eq!(found.len() as u64 + torn.dropped(), torn.combinations());
    assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), expected);
    check_sampled(space, &expected);
    expected.len()
}

/// Under a cap there are as many combinations as that, all of them of the whole, the same ones each time.
fn check_sampled(space: &ImageSpace, all: &BTreeSet<u128>) {
    let sample = |cap| {
        let mut torn = space.enumerate(u64::MAX).unwrap().torn(cap);
        let images: Vec<Image> = torn.by_ref().map(|found| found.image).collect();
        assert_eq!(torn.is_capped(), cap < torn.combinations());
        let looked_at = images.len() as u64 + torn.dropped();
        assert_eq!(looked_at, cap.min(torn.combinations()));
        images
    };
    for cap in [0, 3] {
        let images = sample(cap);
        assert_eq!(images, sample(cap));
        assert!(images.iter().all(|image| all.contains(&image.hash128())));
    }
}

fn of_history(profile: Profile, history: &str) -> usize {
    let history = FileHistory::parse(history).unwrap();
    check(&history.run(profile).unwrap().images())
}

#[test]
fn whole_pages_are_torn_at_each_boundary() {
    let posix = |history| of_history(Profile::Posix, history);
    assert_eq!(posix("f=A; write f 0 B"), 7);
    assert_eq!(posix("f=A; write f 0 B; write f 0 C"), 3 * 7);
    // C over A again: B may lie before A and after it.
    assert_eq!(posix("f=A; write f 0 B; write f 0 A"), 2 * 7);
    assert_eq!(posix("f=A; write f 0 B; sync f"), 0);
    // The new page over zeros, and each of two pages while the other is old or new.
    assert_eq!(posix("f=A; write f 1 B"), 7);
    assert_eq!(posix("f=AA; write f 0 BB"), 4 * 7);
}

#[test]
fn only_what_may_be_torn_is() {
    assert_eq!(of_history(Profile::BtrfsLike, "f=A; write f 0 B"), 0);
    assert_eq!(of_history(Profile::BtrfsLike, "f=A; write f 1 B"), 7);
    assert_eq!(of_history(Profile::Strict, "f=A; write f 0 B"), 0);
    // A sector is atomic.
    let mut disk = FileHistory::parse("f=A")
        .unwrap()
        .run(Profile::Posix)
        .unwrap();
    let inode = disk.live().inode("f").unwrap();
    let mut torn_after = |len, byte| {
        let write = Change::Write {
            inode,
            offset: 2 * SECTOR_SIZE,
            bytes: vec![byte; len],
        };
        disk.apply(&write).unwrap();
        check(&disk.images())
    };
    assert_eq!(torn_after(512, b'B'), 0);
    assert_eq!(
        torn_after(513, b'B'),
        0,
        "its first sector is the version before"
    );
    assert_eq!(
        torn_after(513, b'C'),
        2,
        "over each of the two versions of the sector after it"
    );
}

#[test]
fn lost_pages_show_garbage_once_where_the_profile_has_it() {
    let alice = |history| of_history(Profile::Alice, history);
    assert_eq!(alice("f=A; write f 0 B"), 7);
    // `?`, and each tear over zeros and over garbage.
    assert_eq!(alice("f=A; write f 1 B"), 1 + 2 * 7);
    assert_eq!(alice("f=A; set_len f 3"), 0);
}

/// A step on one of two files, in sectors.
#[derive(Clone, Debug)]
enum Step {
    Create(&'static str),
    Write(&'static str, u64, usize, u8),
    SetLen(&'static str, u64),
    Rename(&'static str, &'static str),
    Remove(&'static str),
    Sync(&'static str),
    SyncDir,
}

/// Half a sector: so that two writes can meet inside one.
const CELL: u64 = SECTOR_SIZE / 2;

impl Step {
    /// What it changes, if the file that it needs is there.
    fn change(&self, disk: &Disk) -> Option<Change> {
        let file = |name: &str| -> Option<InodeId> { disk.live().inode(name) };
        Some(match *self {
            Step::Create(name) => Change::Create {
                dir: InodeId::ROOT,
                name: name.to_owned(),
            },
            Step::Write(name, at, cells, byte) => Change::Write {
                inode: file(name)?,
                offset: at * CELL,
                bytes: vec![byte; cells * usize::try_from(CELL).unwrap()],
            },
            Step::SetLen(name, len) => Change::SetLen {
                inode: file(name)?,
                len: len * CELL,
            },
            Step::Rename(from, to) => Change::Rename {
                from_dir: InodeId::ROOT,
                to_dir: InodeId::ROOT,
                from: from.to_owned(),
                to: to.to_owned(),
            },
            Step::Remove(name) => Change::Remove {
                dir: InodeId::ROOT,
                name: name.to_owned(),
            },
            Step::Sync(name) => Change::SyncData { inode: file(name)? },
            Step::SyncDir => Change::SyncDir { dir: InodeId::ROOT },
        })
    }
}

fn step() -> impl Strategy<Value = Step> {
    let name = || select(&["f", "g"][..]);
    let bytes = select(&[0, b'A', b'B'][..]);
    prop_oneof![
        1 => name().prop_map(Step::Create),
        6 => (name(), 0..30_u64, 1..20_usize, bytes).prop_map(|(n, at, len, b)| Step::Write(n, at, len, b)),
        2 => (name(), 0..40_u64).prop_map(|(name, len)| Step::SetLen(name, len)),
        1 => select(&[("f", "g"), ("g", "f")][..]).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => name().prop_map(Step::Remove),
        1 => name().prop_map(Step::Sync),
        1 => Just(Step::SyncDir),
    ]
}

proptest! {
    #[test]
    fn every_history_has_the_torn_images_of_the_naive_account(
        profile in select(&Profile::ALL[..]),
        steps in prop::collection::vec(step(), 1..7),
    ) {
        let mut disk = FileHistory::parse("f=AB").unwrap().run(profile).unwrap();
        for step in &steps {
            if let Some(change) = step.change(&disk) {
                // What cannot be done changes nothing.
                let _ = disk.apply(&change);
            }
        }
        check(&disk.images());
    }
}
