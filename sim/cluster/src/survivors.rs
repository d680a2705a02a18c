//! What a power cut leaves, worked out from the data of an action and from what is pending.

use beaver_disk::{Choice, Fill, ImageSpace, Tear};

use crate::chaos::{CutSurvivors, DiskRole};
use crate::fold::Fold;

/// The choice of `survivors` for one disk.
pub(crate) fn choice_of(survivors: &CutSurvivors, disk: DiskRole, space: &ImageSpace) -> Choice {
    match survivors {
        CutSurvivors::Nothing => Choice::default(),
        CutSurvivors::Everything => {
            let decisions = space.decisions();
            let options = decisions.iter().map(|decision| decision.options - 1);
            space.resolve(&options.collect::<Vec<_>>())
        }
        CutSurvivors::Some {
            per_mille,
            salt,
            torn,
        } => some(*per_mille, *salt ^ disk.place() as u64, *torn, space),
        CutSurvivors::Exact(choices) => choices[disk.place()].clone(),
    }
}

fn some(per_mille: u32, salt: u64, torn: bool, space: &ImageSpace) -> Choice {
    let decisions = space.decisions();
    let options = (0..).zip(&decisions).map(|(place, decision)| {
        let (chance, other) = numbers(salt, place);
        let last = decision.options - 1;
        match chance % 1_000 < u64::from(per_mille) {
            true => last,
            // Of two lost ones one got somewhere.
            false if last > 0 && other & 1 == 1 => below(other >> 1, last),
            false => 0,
        }
    });
    let options: Vec<u32> = options.collect();
    let mut choice = space.resolve(&options);
    if torn {
        choice.tears = tear(salt, space).into_iter().collect();
    }
    if space.profile().fills_with_garbage() {
        choice.fill = Fill::Garbage(salt);
    }
    choice
}

/// One torn page, if there is one that can be torn.
fn tear(salt: u64, space: &ImageSpace) -> Option<Tear> {
    let points = space.tear_points();
    let (which, how) = numbers(salt, u64::MAX);
    let count = u32::try_from(points.len())
        .ok()
        .filter(|count| *count > 0)?;
    let point = &points[below(which, count) as usize];
    let sectors = 1 + below(how, 7);
    Some(Tear {
        inode: point.inode,
        page: point.page,
        newer_sectors: u8::try_from((1u32 << sectors) - 1).ok()?,
        older: below(how >> 8, point.versions.max(1)),
    })
}

/// Two numbers of one place, fixed for all time.
fn numbers(salt: u64, place: u64) -> (u64, u64) {
    let mut fold = Fold::default();
    fold.number(salt);
    fold.number(place);
    let first = fold.hash();
    fold.number(1);
    (first, fold.hash())
}

fn below(number: u64, limit: u32) -> u32 {
    u32::try_from(number % u64::from(limit)).expect("it is below a u32")
}

#[cfg(test)]
mod tests {
    use super::*;
    use beaver_disk::{Disk, Profile, SimDisk, SimOptions};

    fn space() -> ImageSpace {
        let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let storage = disk.storage();
        for name in ["a", "b", "c", "d", "e", "f"] {
            let file = storage.create(name).unwrap();
            file.write_at(&[7; 9_000], 0).unwrap();
        }
        disk.crash().images()
    }

    fn lengths(survivors: &CutSurvivors, space: &ImageSpace) -> Vec<Option<u64>> {
        let image = space.image(&choice_of(survivors, DiskRole::Log, space));
        ["a", "b", "c", "d", "e", "f"]
            .map(|name| image.len_of(name))
            .to_vec()
    }

    #[test]
    fn everything_survives_nothing_does_or_some_of_it_by_the_salt() {
        let space = space();
        assert_eq!(lengths(&CutSurvivors::Nothing, &space), [None; 6]);
        assert_eq!(lengths(&CutSurvivors::Everything, &space), [Some(9_000); 6]);
        let some = |salt| {
            let survivors = CutSurvivors::Some {
                per_mille: 500,
                salt,
                torn: true,
            };
            lengths(&survivors, &space)
        };
        assert_eq!(some(1), some(1));
        assert!((2..9).any(|salt| some(salt) != some(1)));
    }
}
