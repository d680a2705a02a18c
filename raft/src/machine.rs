//! The state machine that a Raft log replicates.

use beaver::DecodeError;
use openraft::RaftTypeConfig;
use openraft::alias::{CommittedLeaderIdOf, EntryPayloadOf, LogIdOf};

/// A deterministic state machine, in memory: every node applies the same commands in the same order
/// and comes to the same state. Time and chance come with the command, never from the node.
pub trait ReplicatedMachine<C: RaftTypeConfig>: Send + Sync + Sized + 'static {
    /// The state before the first command.
    fn initial() -> Self;

    /// Carries out the command of the entry at `index`, and answers its client.
    fn apply(&mut self, command: C::D, index: u64) -> C::R;

    /// What openraft is answered where an entry has no command: a blank one, or a change of membership.
    fn no_command(&self) -> C::R;

    /// Appends the whole state to `out` as JSON on one line: equal states give equal bytes.
    fn snapshot(&self, out: &mut Vec<u8>);

    /// The state that [`snapshot`](ReplicatedMachine::snapshot) wrote, here or on another node.
    ///
    /// # Errors
    /// Says why `json` is not a state of this machine.
    fn restore(json: &[u8]) -> Result<Self, DecodeError>;
}

/// An entry that can be taken apart, as openraft's own can: the one of every type configuration that
/// does not bring another.
pub trait EntryParts<C: RaftTypeConfig> {
    /// The entry's id, and what it carries.
    fn into_parts(self) -> (LogIdOf<C>, EntryPayloadOf<C>);
}

impl<C: RaftTypeConfig> EntryParts<C>
    for openraft::Entry<CommittedLeaderIdOf<C>, EntryPayloadOf<C>>
{
    fn into_parts(self) -> (LogIdOf<C>, EntryPayloadOf<C>) {
        (self.log_id, self.payload)
    }
}
