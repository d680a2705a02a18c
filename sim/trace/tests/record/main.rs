//! Programs are recorded through a real mount. Where there is no FUSE, each test says so and holds.
#![cfg(target_os = "linux")]
#![expect(
    clippy::print_stderr,
    clippy::disallowed_macros,
    reason = "a test that is skipped says so"
)]

mod calls;
mod ends;
mod faults;
mod place;
mod refused;
mod replayed;
