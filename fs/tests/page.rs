//! What `docs/your-own-store.md` says of a store on `std::fs` is so.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

#[path = "../examples/settings.rs"]
#[expect(dead_code, reason = "its `main` is run by another test")]
mod settings;

use std::fs;
use std::io;

use beaver_sim::check::{Check, find};
use beaver_sim::subject::{Answer, AnySubject, Failure, Machine, Promises, Subject};
use beaver_storage::{InterposedFile, Interposer, Storage};
use settings::SettingsOnDisk;

const PAGE: &str = "../docs/your-own-store.md";

fn page() -> String {
    fs::read_to_string(PAGE).unwrap()
}

/// `text` from `start` on and before `end`, with as much less indentation as its first line has.
fn part(text: &str, start: &str, end: &str) -> String {
    let at = text.find(start).unwrap();
    let part = text[at..].split(end).next().unwrap().trim_end();
    let indentation = text[..at].len() - text[..at].trim_end_matches(' ').len();
    let lines = part.lines().enumerate();
    let lines = lines.map(|(nth, line)| match nth {
        0 => line,
        _ => line.get(indentation..).unwrap_or_default(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check_shown(code: &str) {
    let block = format!("\n{code}\n```\n");
    assert!(page().contains(&block), "the page does not show:\n{code}");
}

#[test]
fn the_page_shows_the_example_as_it_is() {
    let example = fs::read_to_string("examples/settings.rs").unwrap();
    let set = part(&example, "pub(crate) fn set(", "pub(crate) fn values(");
    check_shown(&set);
    let imports = "use std::collections::BTreeMap;\n\nuse beaver_fs::Mounted;";
    check_shown(&part(&example, imports, "pub(crate) fn main"));
}

#[test]
fn the_page_shows_the_manifest_of_the_crate_that_ci_builds() {
    let manifest = fs::read_to_string("tests/outside/Cargo.toml").unwrap();
    let manifest = manifest.replace("BEAVER", "../beaver");
    check_shown(&part(&manifest, "[dev-dependencies]", "\n[workspace]"));
    let lints = fs::read_to_string("tests/outside/clippy.toml").unwrap();
    check_shown(lints.trim_end());
}

#[test]
fn the_page_shows_what_the_example_finds() {
    let (page, start) = (page(), "```text\nSettingsOnDisk, ");
    let at = page.find(start).unwrap() + "```text\n".len();
    let shown = page[at..].split("```").next().unwrap();
    let syncs_directory = false;
    let subject = AnySubject::new(SettingsOnDisk { syncs_directory });
    let failing = find(&subject, &Check::default().explore(1).depth(1)).unwrap_err();
    // The command that shows it again depends on where the project lies.
    let failing = failing.to_string();
    let (actual, _) = failing.split_once("\nreplay: ").unwrap();
    if std::env::var_os("BEAVER_BLESS").is_some() {
        fs::write(PAGE, page.replacen(shown, actual, 1)).unwrap();
        return;
    }
    assert_eq!(shown, actual, "BEAVER_BLESS=1 writes it anew");
}

const KILLS_ALONE: &str = r#"{
    "claim": "What was set survives the end of its process.",
    "seeds": "0..400",
    "workload": {"commands": 24, "weights": {"op": 8, "reopen": 1, "kill": 1}},
    "crashes": {"kill_in_command_per_mille": 60}
}"#;

/// Leaves out every sync.
#[derive(Debug)]
struct WithoutSyncs;

impl Interposer for WithoutSyncs {
    fn sync_data(&self, _file: &InterposedFile) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self, _file: &InterposedFile) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _next: &dyn Storage) -> io::Result<()> {
        Ok(())
    }
}

const SETTINGS: SettingsOnDisk = SettingsOnDisk {
    syncs_directory: true,
};

/// Settings that a power cut may take even after they were shown.
#[derive(Debug)]
struct Undecided;

impl Subject for Undecided {
    type Op = <SettingsOnDisk as Subject>::Op;
    type State = <SettingsOnDisk as Subject>::State;
    type Store = <SettingsOnDisk as Subject>::Store;

    const PROMISES: Promises = Promises {
        decided: false,
        ..Promises::ALL
    };

    fn apply(state: &mut Self::State, op: &Self::Op) {
        SettingsOnDisk::apply(state, op);
    }
    fn ops(&self, state: &Self::State) -> Vec<Self::Op> {
        SETTINGS.ops(state)
    }
    fn open(&self, machine: &Machine) -> Result<Self::Store, Failure> {
        SETTINGS.open(machine)
    }
    fn run(&self, store: &mut Self::Store, op: &Self::Op) -> Result<Answer, Failure> {
        SETTINGS.run(store, op)
    }
    fn state(&self, store: &mut Self::Store) -> Result<Self::State, Failure> {
        SETTINGS.state(store)
    }
}

#[test]
fn a_store_that_syncs_nothing_survives_kills_alone() {
    assert!(page().contains(KILLS_ALONE));
    let subject = AnySubject::new(Undecided).interposed(|| WithoutSyncs);
    let check = Check::scenario(KILLS_ALONE).explore(2);
    let checked = find(&subject, &check).unwrap_or_else(|failing| panic!("{failing}"));
    assert!(checked.counts.crashes > 400, "{:?}", checked.counts);
    assert!(checked.explored.killed > 400, "{:?}", checked.explored);
    find(&subject, &Check::default().explore(1)).unwrap_err();
}
