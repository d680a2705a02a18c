use beaver_disk::Profile;

use super::*;
use crate::made::CrashImage;
use crate::testing::{made, recorded};

/// The most lines with which each image may come about, looking only where `is_point` says.
fn images(
    log: &Log,
    profile: Profile,
    is_point: &dyn Fn(&TraceEvent) -> bool,
) -> BTreeMap<u128, usize> {
    let options = ImageOptions {
        cap: 1 << 16,
        torn_cap: 1 << 16,
        ..ImageOptions::new(profile)
    };
    let found = collect(log, &log.events, &options, &|| true, is_point).unwrap();
    assert!(found.is_exhaustive());
    let images = found.images.iter();
    images.map(|found| (found.hash, found.acks)).collect()
}

fn check_against_every_event(steps: &str) {
    let (_folder, log) = recorded(steps);
    for profile in [Profile::LinuxOrdered, Profile::BtrfsLike, Profile::Posix] {
        let everywhere = images(&log, profile, &|_| true);
        let here = images(&log, profile, &may_commit);
        assert!(everywhere == here, "{profile}: {steps}");
        assert!(here.len() > 1, "{profile}: {steps}");
    }
}

#[test]
fn no_image_is_missed_between_two_commits() {
    check_against_every_event(
        "create a; write a 0 hello; ack 1; sync a; create b; write b 0 x; rename b a; ack 2; sync_dir .; remove a",
    );
    check_against_every_event(
        "begin; mkdir d; create d/a; ack 1; write d/a 0 hello; datasync d/a; write d/a 3 you; set_len d/a 2; \
         rename d/a d/b; ack 2; sync d/b; ack 3; write d/b 0 more; link d/b c; sync_dir d; symlink x s; ack 4",
    );
    check_against_every_event(
        "create a; write a 0 one; sync a; write a 0 two; fail_sync a; write a 1 wo; ack 1; drop_cache a; ack 2; \
         remove a; create a; write a 0 three; ack 3; sync_all; ack 4; write a 0 four",
    );
}

#[test]
fn the_setup_is_not_crashed() {
    let (_folder, log) = recorded("create a; write a 0 x; begin; create b");
    let found = crash_images(
        &log,
        &log.events,
        &ImageOptions::new(Profile::Posix),
        &|| true,
    );
    let found = found.unwrap();
    assert!(
        made(&log, &found)
            .iter()
            .all(|made| made.image.len_of("a") == Some(1))
    );
    assert_eq!(found.images.len(), 2);
}

#[test]
fn an_image_is_tried_with_the_most_lines_or_with_each_number() {
    let (_folder, log) = recorded("create a; ack 1; sync_dir .; ack 2; sync_dir .; ack 3");
    let mut options = ImageOptions::new(Profile::Posix);
    let acks = |options: &ImageOptions| {
        let found = crash_images(&log, &log.events, options, &|| true).unwrap();
        let images = made(&log, &found).into_iter();
        let mut acks: Vec<_> = images
            .map(|made| (made.image.len_of("a").is_some(), made.acks))
            .collect();
        acks.sort_unstable();
        acks
    };
    assert_eq!(acks(&options), [(false, 1), (true, 3)]);
    options.all_acks = true;
    assert_eq!(
        acks(&options),
        [(false, 1), (true, 1), (true, 2), (true, 3)]
    );
}

#[test]
fn samples_are_the_same_every_time_and_have_the_corners() {
    let writes: Vec<String> = (0..20)
        .map(|file| format!("create f{file}; write f{file} 0 x"))
        .collect();
    let (_folder, log) = recorded(&writes.join("; "));
    let options = ImageOptions::new(Profile::Posix);
    let found = || crash_images(&log, &log.events, &options, &|| true).unwrap();
    let hashes = |found: &CrashImages| {
        let images = found.images.iter();
        images.map(|found| found.hash).collect::<Vec<_>>()
    };
    let (one, two) = (found(), found());
    assert_eq!(hashes(&one), hashes(&two));
    assert!(!one.is_exhaustive());
    let made = made(&log, &one);
    let files = |made: &CrashImage| made.image.to_files().len();
    assert!(made.iter().any(|made| files(made) == 0));
    assert!(made.iter().any(|made| files(made) == 20));
}

/// What is kept of an image leads to that image, and to what survived with the most lines said.
#[test]
fn an_image_is_made_again_and_so_is_what_survived() {
    let few = "create a; write a 0 hello; ack 1; sync a; create b; write b 0 x; rename b a; ack 2; sync_dir .; remove a";
    let many: Vec<String> = (0..12)
        .map(|file| format!("create f{file}; write f{file} 5000 x; write f{file} 0 y; write f{file} 900 z; ack {file}; datasync f{file}"))
        .collect();
    for steps in [few, &many.join("; ")] {
        let (_folder, log) = recorded(steps);
        for profile in [Profile::LinuxOrdered, Profile::BtrfsLike, Profile::Posix] {
            let options = ImageOptions {
                cap: 20,
                torn_cap: 20,
                ..ImageOptions::new(profile)
            };
            let found = crash_images(&log, &log.events, &options, &|| true).unwrap();
            assert!(found.images.len() > 3, "{profile}");
            for (place, made) in made(&log, &found).into_iter().enumerate() {
                let image = &found.images[place];
                assert_eq!(made.image.hash128(), image.hash, "{profile}: {steps}");
                assert_eq!(made.acks, image.acks);
                let cut = found.power_cut(&log, &log.events, place).unwrap();
                assert_eq!((cut.event, cut.acks), (image.event, image.acks));
                let mut replay = LogReplay::new(&log, profile);
                while replay.position() < cut.event {
                    replay.step().unwrap();
                }
                let space = replay.disk().crash_between_calls().images();
                assert_eq!(space.image(&cut.choice).hash128(), image.hash);
                assert_eq!(order(&cut.choice), image.order);
            }
        }
    }
}

#[test]
fn an_image_has_the_permissions_of_its_last_line() {
    let (_folder, mut log) = recorded("create a; ack 1; sync a; ack 2; ack 3");
    let mode = |mode| TraceEvent::Mode {
        inode: beaver_disk::InodeId(1),
        mode,
    };
    log.events.insert(4, mode(0o600));
    log.events.push(mode(0o400));
    log.events.push(TraceEvent::Ack("4".to_owned()));
    let options = ImageOptions::new(Profile::Posix);
    let found = crash_images(&log, &log.events, &options, &|| true).unwrap();
    let made = made(&log, &found);
    let modes: Vec<_> = made
        .iter()
        .map(|made| (made.acks, made.modes.values().copied().collect()))
        .collect();
    assert_eq!(modes, [(4, vec![0o400]), (4, vec![0o400])]);
}

#[test]
fn work_that_is_stopped_within_a_power_cut_says_so() {
    let (_folder, log) = recorded("create a; write a 0 x; sync a; create b; write b 0 x");
    let options = ImageOptions::new(Profile::Posix);
    let left = std::cell::Cell::new(5);
    let go_on = || left.replace(left.get() - 1) > 0;
    let found = crash_images(&log, &log.events, &options, &go_on).unwrap();
    assert_eq!(
        (found.points.len(), found.looked_at, found.all_points),
        (0, 1, 2)
    );
    assert!(!found.images.is_empty() && !found.is_exhaustive());
}
