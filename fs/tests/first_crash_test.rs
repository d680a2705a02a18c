//! What `beaver init` writes as a first crash test holds. `.ci/outside` runs it in a crate of its own, and without its syncs.

#[path = "../../sim/cli/templates/init/crash.rs"]
mod crash;
