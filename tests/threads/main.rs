//! What the fronts for many threads promise, on real threads: every caller is answered, in order, once.
//!
//! Nothing here waits for time to pass. Where one thing must happen before another, a gate in the
//! storage holds the other back.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod appends;
mod endings;
mod failures;
#[path = "../hooked/mod.rs"]
mod hooked;
#[path = "../note/mod.rs"]
mod note;
mod preallocation;
mod store;
mod support;
mod without_thread;
