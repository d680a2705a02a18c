//! What the one who waits for the program must know at once.

use std::io;

#[derive(Debug)]
pub(super) enum Notice {
    /// The process that was started has ended; nobody has asked yet how.
    Ended,
    /// A planned power cut: no change counts any more.
    PowerCut,
    /// The recording cannot be written down.
    Broken(io::Error),
}
