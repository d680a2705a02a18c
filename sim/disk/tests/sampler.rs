//! A hash that is worked out without the image is the hash of the image.

use beaver_disk::notation::FileHistory;
use beaver_disk::{Disk, Fill, ImageSpace, Profile, SimDisk, SimOptions, Tear};

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(99);
        let high = u32::try_from(self.0 >> 33).expect("31 bits fit");
        high % end.max(1)
    }
}

fn check(space: &ImageSpace, what: &str) {
    let mut sampler = space.sampler();
    let decisions = sampler.decisions();
    let mut numbers = Numbers(7);
    for number in 0..200 {
        let options = decisions.iter().map(|d| numbers.below(d.options));
        let options: Vec<u32> = options.collect();
        let mut choice = sampler.resolve(&options);
        assert_eq!(choice, space.settle(&choice), "{what}");
        if number % 2 == 0 {
            let pages = choice.pages.iter();
            let pages = pages.flat_map(|(inode, pages)| pages.keys().map(|page| (*inode, *page)));
            let tears = pages.map(|(inode, page)| Tear {
                inode,
                page,
                newer_sectors: 0b0000_0101,
                older: numbers.below(3),
            });
            choice.tears = tears.collect();
        }
        if number % 4 < 2 {
            choice.fill = Fill::Garbage(u64::from(numbers.below(2)));
        }
        let image = space.image(&choice);
        assert_eq!(sampler.hash(&choice), image.hash128(), "{what}: {choice:?}");
    }
}

#[test]
fn a_hash_without_the_image_is_the_hash_of_the_image() {
    for history in [
        "f=A; write f 0 B; write f 0 C",
        "f=A; write f 0 BBB; write f 1 CC; sync f; write f 2 D",
        "f=AAA; set_len f 1; write f 1 BB; write f 0 C",
        "f=AAA; write f 0 BBB; set_len f 0; set_len f 2; write f 1 C",
        "a=A; f=A; set_len f 0; sync f; write f 0 BBB; write a 0 BB",
        "a=A; f=AB; remove a; write f 1 CDE; create a; write a 0 F; rename a f",
    ] {
        for profile in Profile::ALL {
            let history_read = FileHistory::parse(history).expect("it can be read");
            let disk = history_read.run(profile).expect("it can be carried out");
            check(&disk.images(), &format!("{profile}: {history}"));
        }
    }
}

#[test]
fn ends_inside_pages_and_many_directories_do_not_matter() {
    for profile in Profile::ALL {
        let disk = SimDisk::new(Disk::empty(profile), SimOptions::default());
        let storage = disk.storage();
        for number in 0..9_u8 {
            let file = storage.create(&format!("f{number}")).expect("a new name");
            file.write_at(&[number + 1; 700], 0).expect("there is room");
            file.write_at(&[number + 2; 9_000], 300)
                .expect("there is room");
            if number % 3 == 0 {
                file.sync_data().expect("nothing fails");
                file.write_at(&[number; 90], 20_000).expect("there is room");
            }
            if number % 4 == 1 {
                file.set_len(u64::from(number) * 500).expect("it is open");
            }
        }
        check(&disk.crash().images(), profile.name());
    }
}
