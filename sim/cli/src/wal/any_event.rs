//! An event of a state machine that this program does not know.

use beaver::{DecodeError, LogEvent};

/// Takes any event, and knows nothing about it: the frame of its line is checked, its content is not.
pub(super) struct AnyEvent(Box<[u8]>);

impl LogEvent for AnyEvent {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn decode(json: &[u8]) -> Result<Self, DecodeError> {
        Ok(AnyEvent(json.into()))
    }
}
