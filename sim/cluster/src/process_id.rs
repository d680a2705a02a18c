//! The names of processes.

use crate::entry::NodeId;

/// One process of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ProcessId {
    /// The node; 0 for the world around the nodes.
    pub(crate) node: NodeId,
    /// 1 for the first process of the node, one more after each crash.
    pub(crate) number: u64,
}

impl ProcessId {
    /// The world around the nodes: clients and operators. It is never killed, and its clock is right.
    pub(crate) const WORLD: ProcessId = ProcessId { node: 0, number: 0 };
}
