//! openraft as the engine of a simulated cluster.
//!
//! ```text
//! runtime   its tasks, timers and chance, on the executor of the simulation
//! ```

mod runtime;

pub use runtime::{DrawnRng, VirtualInstant, VirtualRuntime};
