//! Stores and state machines that are not ours are explored, sampled and judged like the library.

#[path = "../examples/address_book.rs"]
mod address_book;

use std::collections::BTreeMap;
use std::convert::Infallible;

use beaver::{DecodeError, LogEvent, StateMachine};
use beaver_sim::check::{Check, Checked, find};
use beaver_sim::own::{OnBeaver, OwnMachine, OwnStore};
use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_seed_of};
use beaver_sim::scenario::Seeds;
use beaver_sim::subject::Subject;

use address_book::AddressBook;

#[track_caller]
fn check_sound<S: OwnStore>(check: &Check) -> Checked {
    match find(&Subject::own::<S>(), check) {
        Ok(checked) => checked,
        Err(failing) => panic!("{failing}"),
    }
}

#[test]
fn the_sound_address_book_is_explored_and_sampled_without_a_finding() {
    let checked = check_sound::<AddressBook<true>>(&Check::default());
    assert_eq!(checked.runs, 400);
    assert!(checked.counts.crashes > 1_000, "{checked:?}");
    assert!(checked.explored.is_exhaustive(), "{checked:?}");
    assert!(checked.explored.recoveries > 1_000, "{checked:?}");
}

#[test]
#[should_panic(expected = "To see it again: BEAVER_REPLAY=")]
fn the_example_finds_the_missing_directory_sync() {
    address_book::main();
}

#[test]
fn the_sampler_and_the_explorer_find_the_missing_directory_sync_each_alone() {
    let subject = Subject::own::<AddressBook<false>>();
    let sampled = Check::default().explore(0);
    let explored = Check::default().seeds(Seeds { start: 0, end: 0 });
    for check in [sampled, explored] {
        let failing = find(&subject, &check).unwrap_err();
        let violation = failing.run.outcome.failure().unwrap();
        assert!([1, 3].contains(&violation.invariant), "{failing}");
    }
}

#[test]
fn a_saved_failure_fails_alike_from_data_alone() {
    let subject = Subject::own::<AddressBook<false>>();
    let failing = find(&subject, &Check::default()).unwrap_err();
    let json = serde_json::to_string(&failing.scenario).unwrap();
    let scenario = serde_json::from_str(&json).unwrap();
    let again = run_seed_of(&subject, &scenario, 0, Keep::default());
    assert_eq!(again.outcome, failing.run.outcome);
    let sound = Subject::own::<AddressBook<true>>();
    let sound = run_seed_of(&sound, &scenario, 0, Keep::default());
    assert_eq!(sound.outcome, Outcome::Held);
}

/// A counter for each of three names.
#[derive(Clone, Debug, Default, PartialEq)]
struct Counters(BTreeMap<u64, u64>);

/// One more for a name.
#[derive(Clone, Debug)]
struct OneMore(u64);

impl LogEvent for OneMore {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.to_string().as_bytes());
    }

    fn decode(json: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(json)
            .map(OneMore)
            .map_err(DecodeError::new)
    }
}

impl StateMachine for Counters {
    type Event = OneMore;
    type Error = Infallible;

    fn apply(&mut self, event: &OneMore) -> Result<(), Infallible> {
        *self.0.entry(event.0).or_insert(0) += 1;
        Ok(())
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, &self.0).expect("numbers can always be written");
    }

    fn restore(json: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(json)
            .map(Counters)
            .map_err(DecodeError::new)
    }

    fn initial() -> Self {
        Counters::default()
    }
}

impl OwnMachine for Counters {
    type Command = u64;

    fn command(number: u64) -> u64 {
        number
    }

    fn plan(&self, command: &u64) -> Vec<OneMore> {
        // Every fifth command is one that the state does not allow.
        match command % 5 {
            0 => Vec::new(),
            _ => vec![OneMore(command % 3), OneMore(command % 2)],
        }
    }
}

#[test]
fn a_state_machine_on_the_library_survives_everything() {
    let checked = check_sound::<OnBeaver<Counters>>(&Check::default().explore(2));
    assert!(checked.explored.is_exhaustive(), "{checked:?}");
}
