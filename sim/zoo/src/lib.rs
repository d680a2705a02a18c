//! The zoo: known bugs, planted on purpose, so that the judge is judged.
//!
//! A judge that never says no proves nothing. Each bug here is one that somebody shipped, or a step
//! of the protocol that a model showed to be needed, left out. It is planted outside the library:
//! where it is a storage call that is missing or wrong, by an [interposer](beaver_storage::Interposer) that stands between
//! the real library and its disk.

pub mod careless;
pub mod catalogue;
pub mod habitats;
pub mod hunt;
pub mod left_out;
pub mod patrol;
pub mod plain;
pub mod recovering;

use beaver_sim::subject::AnySubject;
use recovering::library;

/// The stores without bugs, by name: what is found in them is a false alarm.
#[must_use]
pub fn controls() -> [(&'static str, AnySubject); 2] {
    [
        ("library", library()),
        ("plain store", plain::PlainStore::sound()),
    ]
}
