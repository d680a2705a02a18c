//! Stores and state machines that are not ours are explored, sampled and judged like the library.

#[path = "../examples/address_book.rs"]
mod address_book;
#[path = "own/list.rs"]
mod list;

use std::collections::BTreeMap;
use std::convert::Infallible;

use beaver::{DecodeError, LogEvent, StateMachine};
use beaver_sim::beaver::{OnBeaver, TestedMachine};
use beaver_sim::check::{Check, Checked, find};
use beaver_sim::invariant::Invariant;
use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_seed};
use beaver_sim::scenario::Seeds;
use beaver_sim::subject::{
    Answer, AnySubject, Durability, ErrorClass, Expected, Failure, Machine, Subject,
};

use address_book::Books;
use list::{Lists, Wrong};

const SOUND: Books = Books {
    syncs_directory: true,
};
const UNSYNCED: Books = Books {
    syncs_directory: false,
};

#[track_caller]
fn check_sound(subject: impl Subject, check: &Check) -> Checked {
    match find(&AnySubject::new(subject), check) {
        Ok(checked) => checked,
        Err(failing) => panic!("{failing}"),
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn the_sound_address_book_is_explored_and_sampled_without_a_finding() {
    let checked = check_sound(SOUND, &Check::default().explore(3));
    assert_eq!(checked.runs, 400);
    assert!(checked.counts.crashes > 1_000, "{checked:?}");
    assert!(checked.explored.is_exhaustive(), "{checked:?}");
    assert!(checked.explored.recoveries > 1_000, "{checked:?}");
}

#[test]
#[should_panic(expected = "replay: BEAVER_REPLAY=")]
fn the_example_finds_the_missing_directory_sync() {
    address_book::main();
}

#[test]
fn the_sampler_and_the_explorer_find_the_missing_directory_sync_each_alone() {
    let subject = AnySubject::new(UNSYNCED);
    let sampled = Check::default().explore(0);
    let explored = Check::default().seeds(Seeds { start: 0, end: 0 });
    for check in [sampled, explored] {
        let failing = find(&subject, &check).unwrap_err();
        let violation = failing.run.outcome.failure().unwrap();
        assert!([1, 3].contains(&violation.invariant.number()), "{failing}");
    }
}

#[test]
fn a_saved_failure_fails_alike_from_data_alone() {
    let subject = AnySubject::new(UNSYNCED);
    let failing = find(&subject, &Check::default().explore(1).depth(1)).unwrap_err();
    let json = serde_json::to_string(&failing.scenario).unwrap();
    let scenario = serde_json::from_str(&json).unwrap();
    let again = run_seed(&subject, &scenario, 0, Keep::default());
    assert_eq!(again.outcome, failing.run.outcome);
    let sound = AnySubject::new(SOUND);
    let sound = run_seed(&sound, &scenario, 0, Keep::default());
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

impl TestedMachine for Counters {
    type Op = u64;

    fn ops(&self) -> Vec<u64> {
        let next = self.0.values().sum::<u64>() + 1;
        vec![next, next + 1]
    }

    fn plan(&self, op: &u64) -> Vec<OneMore> {
        // Every fifth op is one that the state does not allow.
        match op % 5 {
            0 => Vec::new(),
            _ => vec![OneMore(op % 3), OneMore(op % 2)],
        }
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_state_machine_on_the_library_survives_everything() {
    let checked = check_sound(OnBeaver::<Counters>::new(), &Check::default().explore(2));
    assert!(checked.explored.is_exhaustive(), "{checked:?}");
}

/// A few commands, and storage calls that fail.
const WITH_ERRORS: &str = r#"{
    "claim": "errors are not the end", "seeds": "0..200",
    "workload": {"commands": 12, "weights": {"op": 10, "reopen": 2, "power-cut": 2}},
    "faults": [{"kind": "read-error", "per_mille": 50}, {"kind": "sync-mark-clean", "per_mille": 50}]
}"#;

#[track_caller]
fn check_wrong(wrong: Wrong, check: &Check, invariant: Invariant, found: &str) {
    let found_out = find(&AnySubject::new(Lists::<0>(wrong)), check);
    let failing = found_out.expect_err("the list is wrong");
    let violation = failing.run.outcome.failure();
    let violation = violation.expect("what is found out did not hold");
    assert_eq!(violation.invariant, invariant, "{failing}");
    assert!(violation.found.contains(found), "{failing}");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_list_without_a_bug_is_clean() {
    check_sound(Lists::<0>(Wrong::Sound), &Check::default().explore(2));
    check_sound(
        Lists::<0>(Wrong::Sound),
        &Check::scenario(WITH_ERRORS).explore(0),
    );
}

#[test]
fn what_is_not_synced_is_a_lost_op() {
    let check = Check::default().seeds(Seeds { start: 0, end: 0 });
    check_wrong(
        Wrong::NoSync,
        &check,
        Invariant::Decided,
        "after a power cut",
    );
}

#[test]
fn an_op_that_is_left_out_is_named() {
    let check = Check::default().seeds(Seeds { start: 0, end: 0 });
    check_wrong(
        Wrong::LeavesOut,
        &check,
        Invariant::Durability,
        "all the other ops",
    );
}

#[test]
fn a_state_that_no_history_leads_to_is_shown_beside_what_should_be() {
    let check = Check::default().seeds(Seeds { start: 0, end: 0 });
    check_wrong(Wrong::Invents, &check, Invariant::State, "[1, 1]");
}

#[test]
fn a_state_that_is_wrong_without_any_crash_breaks_the_rules() {
    let check = Check::default().seeds(Seeds { start: 0, end: 0 });
    check_wrong(Wrong::Forgets, &check, Invariant::State, "[1, 2]");
}

#[test]
fn a_panic_is_a_finding() {
    let check = Check::scenario(WITH_ERRORS).explore(0);
    check_wrong(Wrong::Panics, &check, Invariant::Progress, "panicked at");
}

#[test]
fn a_store_that_does_not_open_after_a_crash_is_not_available() {
    let check = Check::default().seeds(Seeds { start: 0, end: 0 });
    check_wrong(
        Wrong::StaysShut,
        &check,
        Invariant::Availability,
        "list.new is in the way",
    );
}

#[test]
fn an_error_that_is_taken_for_success_loses_the_op() {
    let check = Check::scenario(WITH_ERRORS).explore(0);
    check_wrong(
        Wrong::IgnoresErrors,
        &check,
        Invariant::Durability,
        "missing",
    );
}

#[test]
#[should_panic(expected = "workload.weights.dispatch: the store has no such step")]
fn a_step_that_such_a_store_does_not_have_is_refused() {
    let check = Check::scenario(r#"{"claim": "c", "workload": {"weights": {"dispatch": 1}}}"#);
    let _ = find(&AnySubject::new(SOUND), &check);
}

#[test]
#[should_panic(expected = "faults[0].kind: bit-flip damages or adds files")]
fn damage_that_only_documented_files_could_prove_is_refused() {
    let check = Check::scenario(
        r#"{"claim": "c", "workload": {"weights": {"op": 1}},
            "faults": [{"kind": "bit-flip", "per_mille": 1}]}"#,
    );
    let _ = find(&AnySubject::new(SOUND), &check);
}

#[test]
#[should_panic(expected = "script.steps[1]: the store has no such step")]
fn a_script_with_steps_of_the_queue_is_refused() {
    let check = Check::scenario(
        r#"{"claim": "c", "script": {"steps": ["checkpoint", {"group": {"steps": [{"tick": {"ms": 1}}]}}]}}"#,
    );
    let _ = find(&AnySubject::new(SOUND), &check);
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_promise_that_is_not_given_is_not_held_against_the_store() {
    let explored = Check::default().seeds(Seeds { start: 0, end: 0 });
    let shut = Lists::<{ list::UNPROMISED_OPENING }>(Wrong::StaysShut);
    check_sound(shut, &explored);
    let forgetful = Lists::<{ list::UNPROMISED_DURABILITY }>(Wrong::IgnoresErrors);
    check_sound(forgetful, &Check::scenario(WITH_ERRORS).explore(0));
}

#[test]
fn a_promise_that_is_not_given_hides_no_other() {
    let undecided = Lists::<{ list::UNPROMISED_DECIDED }>(Wrong::Invents);
    let explored = Check::default().seeds(Seeds { start: 0, end: 0 });
    let failing = find(&AnySubject::new(undecided), &explored).unwrap_err();
    let violation = failing.run.outcome.failure().unwrap();
    assert_eq!(violation.invariant, Invariant::State, "{failing}");
}

#[test]
#[should_panic(expected = "the script holds 7, which is no op of Books: ")]
fn an_op_that_was_written_by_hand_and_is_none_is_shown() {
    let json = r#"{"claim": "c", "script": {"steps": [7]}}"#;
    let scenario = serde_json::from_str(json).unwrap();
    let _ = run_seed(&AnySubject::new(SOUND), &scenario, 0, Keep::default());
}

/// A store that does not say what it can be told.
#[derive(Debug)]
struct Mute;

impl Subject for Mute {
    type Op = u64;
    type State = u64;
    type Store = ();

    fn apply(_: &mut u64, _: &u64) {}
    fn ops(&self, _: &u64) -> Vec<u64> {
        Vec::new()
    }
    fn open(&self, _: &Machine) -> Result<(), Failure> {
        Ok(())
    }
    fn run(&self, (): &mut (), _: &u64) -> Result<Answer, Failure> {
        Ok(Durability::Durable.into())
    }
    fn state(&self, (): &mut ()) -> Result<u64, Failure> {
        Ok(0)
    }
}

#[test]
#[should_panic(expected = "`Subject::ops` of Mute gives no op in the state 0")]
fn a_store_without_ops_is_told_so() {
    let check = Check::scenario(WITH_ERRORS).explore(0);
    let _ = find(&AnySubject::new(Mute), &check);
}

/// An address book in which an entry stays as it is: what has its key is refused.
#[derive(Debug)]
struct Once {
    /// Whether a refusal is an error, and not an answer.
    fails: bool,
}

impl Subject for Once {
    type Op = <Books as Subject>::Op;
    type State = <Books as Subject>::State;
    type Store = <Books as Subject>::Store;

    fn apply(state: &mut Self::State, op: &Self::Op) {
        Books::apply(state, op);
    }
    fn ops(&self, _: &Self::State) -> Vec<Self::Op> {
        vec![(1, 1), (2, 2)]
    }
    fn resolve(&self, op: &Self::Op, state: &Self::State, _now_ms: u64) -> (Self::Op, Expected) {
        let refused = state.contains_key(&op.0);
        let text = if refused { "taken" } else { "" }.to_owned();
        let expected = Expected {
            text,
            changes: !refused,
            durable: false,
        };
        (*op, expected)
    }
    fn open(&self, machine: &Machine) -> Result<Self::Store, Failure> {
        SOUND.open(machine)
    }
    fn run(&self, book: &mut Self::Store, op: &Self::Op) -> Result<Answer, Failure> {
        if !SOUND.state(book)?.contains_key(&op.0) {
            return SOUND.run(book, op);
        }
        if self.fails {
            return Err(Failure::new(ErrorClass::NotDone, "taken"));
        }
        let refusal = Answer {
            text: "taken".to_owned(),
            ..Durability::NotYet.into()
        };
        Ok(refusal)
    }
    fn state(&self, book: &mut Self::Store) -> Result<Self::State, Failure> {
        SOUND.state(book)
    }
}

#[test]
fn a_refusal_that_the_model_knows_is_an_answer_and_no_error() {
    let check = Check::default().explore(2).depth(1);
    check_sound(Once { fails: false }, &check);
    let failing = find(&AnySubject::new(Once { fails: true }), &check).unwrap_err();
    let violation = failing.run.outcome.failure().unwrap();
    assert_eq!(violation.invariant, Invariant::Availability, "{failing}");
    let expected = &violation.expected;
    assert!(expected.contains("no fault was injected"), "{failing}");
    // The page shows how the first of them does it.
    let page = std::fs::read_to_string(PAGE).unwrap();
    let source = include_str!("own_stores.rs");
    for (start, end) in [("fn resolve(", "\n    }\n"), ("let refusal = ", "};\n")] {
        let (above, from) = source.split_once(start).unwrap();
        let indentation = above.rsplit('\n').next().unwrap();
        let code = from.split_once(end).unwrap().0;
        let code = code.replace(&format!("\n{indentation}"), "\n");
        assert!(page.contains(&format!("{start}{code}")), "{start}{code}");
    }
}

const PAGE: &str = "../docs/your-own-store.md";

/// The block of the page after `start`, as it stands there.
fn block<'p>(page: &'p str, start: &str) -> &'p str {
    let (_, rest) = page.split_once(start).expect("the page has such a block");
    rest.split_once("```").expect("blocks end").0
}

#[test]
fn the_page_shows_the_example_as_it_is() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let example = std::fs::read_to_string("examples/address_book.rs").unwrap();
    assert!(example.lines().count() < 80);
    assert_eq!(block(&page, "```rust,should_panic\n"), example);
}

#[test]
fn the_page_shows_what_the_example_finds() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let subject = AnySubject::new(UNSYNCED);
    let failing = find(&subject, &Check::default().explore(1).depth(1)).unwrap_err();
    let at = page.find("```text\nBooks").expect("the page shows it") + "```text\n".len();
    let shown = page[at..].split("```").next().expect("blocks end");
    // The command that shows it again depends on where the project lies.
    let failing = failing.to_string();
    let (actual, _) = failing.split_once("\nreplay: ").unwrap();
    if std::env::var_os("BEAVER_BLESS").is_some() {
        std::fs::write(PAGE, page.replacen(shown, actual, 1)).unwrap();
        return;
    }
    assert_eq!(shown, actual, "BEAVER_BLESS=1 writes it anew");
}
