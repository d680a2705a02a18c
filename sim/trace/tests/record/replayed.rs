//! A recording that is carried out again gives the disk that was recorded, whatever the program did.

use crate::faults::check_replay;
use crate::place::{Place, can_record};

/// Draws operations on a small tree. What the system refuses is passed over.
const RANDOM: &str = "
import mmap, random
r = random.Random(SEED)
names = ['a', 'b', 'c', 'dir', 'dir/a', 'dir/b', 'dir/sub', 'dir/sub/a']
files = []
def path():
    return d + '/' + r.choice(names)
def step():
    kind = r.randrange(16)
    if kind < 3:
        files.append(os.open(path(), os.O_RDWR | os.O_CREAT | r.choice([0, 0, os.O_TRUNC, os.O_APPEND, os.O_DSYNC]), r.choice([0o644, 0o600])))
    elif kind == 3:
        os.mkdir(path())
    elif kind == 4:
        os.rename(path(), path())
    elif kind == 5:
        os.link(path(), path())
    elif kind == 6:
        r.choice([os.unlink, os.rmdir])(path())
    elif kind == 7:
        os.symlink(r.choice(names), path())
    elif kind == 8:
        os.close(files.pop(r.randrange(len(files))))
    elif kind == 9:
        r.choice([os.fsync, os.fdatasync])(r.choice(files))
    elif kind == 10:
        f = os.open(r.choice([d, d + '/dir', d + '/dir/sub']), os.O_RDONLY)
        os.fsync(f)
        os.close(f)
    elif kind == 11:
        os.ftruncate(r.choice(files), r.randrange(20000))
    elif kind == 12:
        os.posix_fallocate(r.choice(files), r.randrange(9000), r.randrange(1, 9000))
    elif kind == 13:
        f = r.choice(files)
        with mmap.mmap(f, 4096) as m:
            m[r.randrange(4096)] = r.randrange(256)
    else:
        os.pwrite(r.choice(files), bytes([r.randrange(256)]) * r.randrange(1, 9000), r.randrange(9000))
for i in range(150):
    try:
        step()
        print(i, flush=r.random() < 0.5)
    except (OSError, IndexError, ValueError):
        pass
";

fn check(seed: u64, faults: &[&str]) {
    let place = Place::with_faults(faults);
    let made = place.python(&RANDOM.replace("SEED", &seed.to_string()));
    assert!(made.log.events.len() > 10, "seed {seed}");
    check_replay(&made);
}

#[test]
fn random_histories_come_out_the_same() {
    if !can_record() {
        return;
    }
    for seed in 0..12 {
        check(seed, &[]);
    }
}

#[test]
fn random_histories_with_faults_come_out_the_same() {
    if !can_record() {
        return;
    }
    for seed in 100..106 {
        check(seed, &["eio-at-fsync:2", "eio-at-write:5", "full-disk:40k"]);
        check(seed, &["eio-at-fsync:1", "power-cut-at:60"]);
    }
}
