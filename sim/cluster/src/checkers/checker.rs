//! What a checker is.

use std::fmt::Debug;

use super::cluster_view::ClusterView;
use crate::observation::ObservedEvent;

/// Watches over one promise.
pub(super) trait ClusterChecker: Debug + Send {
    /// The promise in two or three words.
    fn name(&self) -> &'static str;

    /// Looks at the next event. `before` is what all earlier ones said.
    ///
    /// # Errors
    /// The event breaks the promise; the text says how. The checker is not asked again.
    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String>;

    /// The run is over; `view` is what all events said.
    ///
    /// # Errors
    /// The promise is broken by what did not happen.
    fn finish(&mut self, view: &ClusterView) -> Result<(), String> {
        let _ = view;
        Ok(())
    }
}
