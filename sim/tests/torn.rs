//! Stores that only a torn page breaks, or only garbage where data was lost: the explorer finds them with torn images and is
//! silent without.

use std::io;
use std::sync::Arc;

use beaver::storage::{Access, Storage, StorageFile, read_all, write_all};
use beaver_disk::{Fill, SECTOR_SIZE};
use beaver_sim::check::{Check, Failing, find};
use beaver_sim::invariant::Invariant;
use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_seed};
use beaver_sim::scenario::{Scenario, Seeds, Step, Survivors};
use beaver_sim::subject::{Answer, AnySubject, Durability, Failure, Machine, Subject};

/// A file that is there whole or not at all.
fn published(
    storage: &Arc<dyn Storage>,
    name: &str,
    bytes: &[u8],
) -> io::Result<Box<dyn StorageFile>> {
    if read_all(&**storage, name)?.is_none() {
        let _ = storage.remove("new");
        let file = storage.create("new")?;
        write_all(&*file, bytes, 0)?;
        file.sync_data()?;
        storage.rename("new", name)?;
    }
    storage.sync_dir()?;
    let file = storage.open(name, Access::Write)?;
    // What a killed process left in the cache is shown only once it is durable.
    file.sync_data()?;
    Ok(file)
}

/// One number in a page of two sectors: the first says which of two places in the second holds it. Both are written in
/// place, and synced together.
#[derive(Debug)]
struct Cell;

struct CellFile {
    file: Box<dyn StorageFile>,
    written: u8,
    value: u64,
}

fn place(written: u8) -> u64 {
    SECTOR_SIZE + u64::from(written % 2) * 8
}

impl Subject for Cell {
    type Op = u64;
    type State = u64;
    type Store = CellFile;

    fn apply(state: &mut u64, op: &u64) {
        *state = *op;
    }

    fn ops(&self, state: &u64) -> Vec<u64> {
        vec![state + 1]
    }

    fn open(&self, machine: &Machine) -> Result<CellFile, Failure> {
        let file = published(&machine.storage, "cell", &[0; 1024])?;
        let bytes = read_all(&*machine.storage, "cell")?.unwrap_or_default();
        let (written, mut value) = (bytes[0], [0; 8]);
        let start = usize::try_from(place(written)).expect("a page fits");
        value.copy_from_slice(&bytes[start..start + 8]);
        Ok(CellFile {
            file,
            written,
            value: u64::from_le_bytes(value),
        })
    }

    fn run(&self, cell: &mut CellFile, op: &u64) -> Result<Answer, Failure> {
        let written = cell.written + 1;
        write_all(&*cell.file, &op.to_le_bytes(), place(written))?;
        write_all(&*cell.file, &[written], 0)?;
        cell.file.sync_data()?;
        (cell.written, cell.value) = (written, *op);
        Ok(Durability::Durable.into())
    }

    fn state(&self, cell: &mut CellFile) -> Result<u64, Failure> {
        Ok(cell.value)
    }
}

/// A list with a page for each entry: one that is not zero is taken for written.
#[derive(Debug)]
struct Pages;

struct PagesFile {
    file: Box<dyn StorageFile>,
    entries: Vec<u8>,
}

impl Subject for Pages {
    type Op = u8;
    type State = Vec<u8>;
    type Store = PagesFile;

    fn apply(state: &mut Vec<u8>, op: &u8) {
        state.push(*op);
    }

    fn ops(&self, state: &Vec<u8>) -> Vec<u8> {
        vec![u8::try_from(state.len()).expect("lists are short") + 1]
    }

    fn open(&self, machine: &Machine) -> Result<PagesFile, Failure> {
        let file = published(&machine.storage, "pages", &[])?;
        let bytes = read_all(&*machine.storage, "pages")?.unwrap_or_default();
        let firsts = bytes.chunks(4096).map(|page| page[0]);
        Ok(PagesFile {
            file,
            entries: firsts.take_while(|entry| *entry != 0).collect(),
        })
    }

    fn run(&self, pages: &mut PagesFile, op: &u8) -> Result<Answer, Failure> {
        let offset = pages.entries.len() as u64 * 4096;
        write_all(&*pages.file, &[*op], offset)?;
        pages.file.sync_data()?;
        pages.entries.push(*op);
        Ok(Durability::Durable.into())
    }

    fn state(&self, pages: &mut PagesFile) -> Result<Vec<u8>, Failure> {
        Ok(pages.entries.clone())
    }
}

/// The explorer alone.
fn explored(profile: &str) -> Check {
    let scenario = format!(
        r#"{{"claim": "c", "profile": "{profile}", "workload": {{"weights": {{"op": 1}}}}}}"#
    );
    Check::scenario(&scenario).seeds(Seeds { start: 0, end: 0 })
}

#[track_caller]
fn check_silent(subject: impl Subject, check: &Check) {
    let checked = find(&AnySubject::new(subject), check);
    let checked = checked.unwrap_or_else(|failing| panic!("{failing}"));
    assert!(checked.explored.is_exhaustive(), "{checked:?}");
}

/// The store breaks the promise, in a history that replays from what is saved of it.
#[track_caller]
fn found(subject: impl Subject, check: &Check, invariant: Invariant) -> Box<Failing> {
    let subject = AnySubject::new(subject);
    let failing = find(&subject, check).expect_err("the store is wrong");
    let violation = failing.run.outcome.failure().expect("it did not hold");
    assert_eq!(violation.invariant, invariant, "{failing}");
    let saved = serde_json::to_string(&failing.scenario).expect("a scenario can be written");
    let saved: Scenario = serde_json::from_str(&saved).expect("and read");
    let again = run_seed(&subject, &saved, 0, Keep::default());
    assert_eq!(again.outcome, failing.run.outcome, "{failing}");
    assert_ne!(again.outcome, Outcome::Held);
    failing
}

/// How many pages are torn, and what fills lost ones, in the power cuts of a failure.
fn damage(failing: &Failing) -> (usize, Vec<Fill>) {
    let script = failing.scenario.script.as_ref().expect("it is written out");
    let between = script.steps.iter().filter_map(|step| match step {
        Step::PowerCut { image } => image.as_ref(),
        _ => None,
    });
    let inside = script
        .crashes
        .iter()
        .filter_map(|crash| crash.image.as_ref());
    let sets = between.chain(inside).map(|survivors| match survivors {
        Survivors::Named(set) => set,
        Survivors::Numbered(choice) => panic!("{choice:?}"),
    });
    let sets: Vec<_> = sets.collect();
    let fills = sets.iter().map(|set| set.fill);
    let fills = fills.filter(|fill| *fill != Fill::Zeros);
    (
        sets.iter().map(|set| set.tears.len()).sum(),
        fills.collect(),
    )
}

#[test]
fn a_store_that_only_a_torn_page_breaks_is_found_by_tearing() {
    check_silent(Cell, &explored("posix").torn_cap(0));
    let failing = found(Cell, &explored("posix"), Invariant::Decided);
    assert_eq!(damage(&failing), (1, vec![]));
    assert!(failing.to_string().contains("TORN"), "{failing}");
    let script = failing.scenario.script.as_ref();
    assert_eq!(
        script.map(|script| script.steps.len()),
        Some(2),
        "{failing}"
    );
}

#[test]
fn a_store_that_only_garbage_breaks_is_found_where_the_profile_has_it() {
    check_silent(Pages, &explored("posix"));
    check_silent(Pages, &explored("alice").torn_cap(0));
    let failing = found(Pages, &explored("alice"), Invariant::State);
    let (tears, fills) = damage(&failing);
    assert_eq!((tears, fills.len()), (0, 1), "{failing}");
    let script = failing.scenario.script.as_ref();
    assert_eq!(
        script.map(|script| script.steps.len()),
        Some(1),
        "{failing}"
    );
}

#[test]
fn where_no_page_may_be_torn_nothing_is_found() {
    check_silent(Cell, &explored("btrfs-like"));
}
