//! A storage that asks before each call: what it is told to do may block, fail, panic or count.

use std::fmt;
use std::io;
use std::sync::Arc;

use beaver::Storage;
use beaver_storage::{Interposer, Op, interpose};

/// `inner`, with `hook` before each call. It is asked with the kind of call and the name that the
/// file has now (`.` for the directory, the new name of a rename). An error is what the call returns;
/// it is then not made.
pub(crate) fn hooked(
    inner: Arc<dyn Storage>,
    hook: impl Fn(Op, &str) -> io::Result<()> + Send + Sync + 'static,
) -> Arc<dyn Storage> {
    interpose(inner, Arc::new(Hook(hook)))
}

struct Hook<F>(F);

impl<F: Fn(Op, &str) -> io::Result<()> + Send + Sync> Interposer for Hook<F> {
    fn before(&self, op: Op, file: &str) -> io::Result<()> {
        (self.0)(op, file)
    }
}

impl<F> fmt::Debug for Hook<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}
