//! Where in the library a storage call is made, read off the call stack.
//!
//! The library says nothing about itself for this. The innermost of its functions on the stack that
//! is not a mere carrier (a file written whole, a name removed) is the place. Only the names of
//! functions leave this file: no address and no line number, so two builds say the same.
//!
//! Walking the stack takes about as long as a simulated storage call; so it is done only where a
//! crash or a fault hits. What an instruction address means is looked up once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

/// The crate whose calls are looked at.
const CRATE: &str = "beaver::";

/// Modules whose functions carry a call out for somebody else.
const CARRIERS: [&str; 4] = ["directory::", "storage::", "temporary::", "window::"];

/// How many frames are looked at. The library is never so deep.
const DEEPEST: usize = 64;

/// What the stack says where nothing of the library is on it.
const ELSEWHERE: &str = "elsewhere";

/// What an instruction address stands for: a place of the library, or nothing that counts.
type Meaning = Option<&'static str>;

thread_local! {
    static KNOWN: RefCell<BTreeMap<usize, Meaning>> = const { RefCell::new(BTreeMap::new()) };
}

/// What any thread has looked up: some threads live no longer than one step of a store.
static LOOKED_UP: Mutex<BTreeMap<usize, Meaning>> = Mutex::new(BTreeMap::new());

/// The names that were met, each kept once for ever: there are as many as the library has
/// functions.
static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// The place in the library that makes the storage call under way on this thread.
pub(crate) fn here() -> &'static str {
    let mut place = None;
    let mut frames = 0;
    backtrace::trace(|frame| {
        frames += 1;
        place = meaning(frame.ip());
        place.is_none() && frames < DEEPEST
    });
    place.unwrap_or(ELSEWHERE)
}

fn meaning(address: *mut c_void) -> Meaning {
    KNOWN.with_borrow_mut(|known| {
        let meaning = known.entry(address.addr());
        *meaning.or_insert_with(|| {
            let mut all = LOOKED_UP.lock().unwrap_or_else(PoisonError::into_inner);
            *all.entry(address.addr())
                .or_insert_with(|| look_up(address))
        })
    })
}

/// The innermost function there that is a place. Several stand at one address where they are
/// inlined.
fn look_up(address: *mut c_void) -> Meaning {
    let mut found = None;
    backtrace::resolve(address, |symbol| {
        if found.is_none() {
            let name = symbol.name().map(|name| name.to_string());
            found = name.as_deref().and_then(plain).map(kept);
        }
    });
    found
}

fn kept(name: String) -> &'static str {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    match names.get(name.as_str()) {
        Some(kept) => kept,
        None => {
            let kept: &'static str = name.leak();
            names.insert(kept);
            kept
        }
    }
}

/// The name of a function of the library without crate, type parameters, closures and hash; nothing
/// if it is another crate's, or a carrier.
fn plain(name: &str) -> Option<String> {
    let start = name.trim_start_matches('<');
    let is_method_of_trait = start.len() < name.len();
    let path = start.strip_prefix(CRATE)?;
    // `<a::Type as b::Trait>::method`
    let path = match (is_method_of_trait, path.split_once(" as ")) {
        (true, Some((of, rest))) => {
            format!("{of}::{}", rest.rsplit(">::").next().unwrap_or_default())
        }
        _ => path.to_owned(),
    };
    let mut depth = 0;
    let mut plain = String::new();
    for letter in path.chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth -= 1,
            letter if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    let parts = plain.split("::").filter(|part| {
        let is_hash = part.len() == 17 && part.starts_with('h');
        !part.is_empty() && !part.starts_with('{') && !is_hash
    });
    let plain: Vec<&str> = parts.collect();
    let plain = plain.join("::");
    let carries = CARRIERS.iter().any(|carrier| plain.starts_with(carrier));
    (!carries).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_plain(name: &str, expected: Option<&str>) {
        assert_eq!(plain(name).as_deref(), expected, "{name}");
    }

    #[test]
    fn a_place_is_a_function_without_its_parameters() {
        let open = Some("store::Store::open");
        check_plain("beaver::store::Store<M>::open", open);
        check_plain(
            "beaver::store::Store<a::B<c::D>>::open::h0123456789abcdef",
            open,
        );
        check_plain(
            "beaver::store::Store<M>::open::{{closure}}::{{closure}}",
            open,
        );
        let rotate = Some("wal::rotate::rotate");
        check_plain(
            "beaver::wal::rotate::<impl beaver::wal::Wal<E>>::rotate",
            rotate,
        );
        let apply = Some("store::front::StoreFront::queue");
        check_plain(
            "<beaver::store::front::StoreFront<M> as beaver::wal::Front>::queue",
            apply,
        );
    }

    #[test]
    fn carriers_and_other_crates_are_no_places() {
        check_plain("beaver::directory::remove", None);
        check_plain("beaver::storage::whole::write_all", None);
        check_plain("beaver_sim::world::World::run", None);
        check_plain("core::result::Result<T,E>::and_then", None);
    }

    #[test]
    fn outside_the_library_there_is_no_place() {
        assert_eq!(here(), ELSEWHERE);
    }
}
