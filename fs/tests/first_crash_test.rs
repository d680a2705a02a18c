//! What `beaver init` writes as a first crash test holds. `.ci/outside` runs it in a crate of its own, and without its syncs.
//! It takes what time it has, so it is left out where nothing is optimised, as other long tests.
#![cfg(not(debug_assertions))]

#[path = "../../sim/cli/templates/init/crash.rs"]
mod crash;
