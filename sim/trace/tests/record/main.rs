//! Programs are recorded through a real mount. Where there is no FUSE, each test says so and holds.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

mod calls;
mod ends;
mod faults;
mod place;
mod refused;
mod replayed;
