//! A place between the program under test and its disk, where a test may put a storage of its own: a planted bug, say.

use std::fmt;
use std::sync::Arc;

use beaver::Storage;

type Wrap = dyn Fn(Arc<dyn Storage>) -> Arc<dyn Storage> + Send + Sync;

/// What stands between the program under test and the disk. By default nothing does.
#[derive(Clone, Default)]
pub struct Between(Option<Arc<Wrap>>);

impl Between {
    /// Puts what `wrap` makes around the storage of every process.
    pub fn new(
        wrap: impl Fn(Arc<dyn Storage>) -> Arc<dyn Storage> + Send + Sync + 'static,
    ) -> Self {
        Between(Some(Arc::new(wrap)))
    }

    /// The storage that a process gets.
    #[must_use]
    pub fn wrap(&self, storage: Arc<dyn Storage>) -> Arc<dyn Storage> {
        match &self.0 {
            Some(wrap) => wrap(storage),
            None => storage,
        }
    }
}

impl fmt::Debug for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Between(something)"
        } else {
            "Between(nothing)"
        })
    }
}
