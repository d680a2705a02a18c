//! The promises that a run is judged by, each in one sentence.

/// A promise: the name by which a broken one is called, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterPromise {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub text: &'static str,
}

/// What a run ends with whose history was not judged to the end.
pub const UNDECIDED: &str = "linearizability undecided";

/// All promises, those of the Raft paper's figure 3 first.
pub const PROMISES: &[ClusterPromise] = &[
    promise(
        "election safety",
        "At most one node is elected in a term (Raft paper, figure 3).",
    ),
    promise(
        "elected by a quorum",
        "Who leads has durable votes of its term from a majority of the voters (Raft paper, section 5.2).",
    ),
    promise(
        "leader append-only",
        "A leader never removes an entry of its log (Raft paper, figure 3).",
    ),
    promise(
        "log matching",
        "Two logs that hold an entry with the same term and index are equal up to it (Raft paper, figure 3).",
    ),
    promise(
        "leader completeness",
        "An entry that was committed is in the logs of all later leaders (Raft paper, figure 3).",
    ),
    promise(
        "state machine safety",
        "No two nodes apply different entries at one index (Raft paper, figure 3).",
    ),
    promise(
        "committed on a quorum",
        "An entry that a node calls committed is on the disks of a majority of the voters (Raft paper, section 5.3).",
    ),
    promise(
        "commit in the own term",
        "A leader commits by counting only entries of its own term (Raft paper, section 5.4.2).",
    ),
    promise(
        "change in the own term",
        "A leader changes the voters in one step only after an entry of its own term is committed (Ongaro, raft-dev, 2015).",
    ),
    promise(
        "never back",
        "The term, the vote in it and what is committed never go back on a node, through crashes too (Raft paper, figure 2).",
    ),
    promise(
        "durable after restart",
        "What a disk acknowledged is there after a restart (Raft paper, figure 2).",
    ),
    promise(
        "purge after snapshot",
        "What is purged from a log is in a durable snapshot (Raft paper, section 7).",
    ),
    promise(
        "applied in order",
        "Entries are applied in order, each once, and only when they are committed (Raft paper, figure 2).",
    ),
    promise(
        "snapshot is the fold of the log",
        "A snapshot is the state after the entries that it covers (Raft paper, section 7).",
    ),
    promise(
        "committed survives",
        "What was committed is still there at the end, whatever crashed (Raft paper, section 5.4).",
    ),
    promise(
        "every restart starts",
        "A process starts on whatever a crash has left on its disks.",
    ),
    promise(
        "a dead process is silent",
        "Nothing is sent or said by a process that is dead.",
    ),
    promise(
        "linearizability",
        "One order of all operations explains every answer, and no operation is before one that had ended when it began (Herlihy and Wing, 1990).",
    ),
    promise(
        UNDECIDED,
        "Whether one order explains every answer is decided within the budget of the search; this breaks no promise, and is no pass.",
    ),
    promise(
        "liveness",
        "Once everything is healed, the cluster agrees, and answers its clients.",
    ),
    promise(
        "bounded disks",
        "The disk of a log that is purged does not grow without end.",
    ),
    promise(
        "no progress",
        "Time passes: no process runs for ever at one moment.",
    ),
    promise("no panic", "No process panics."),
    promise(
        "no process gives up",
        "A process goes on until it is ended, unless its disk has failed it.",
    ),
    promise("determinism", "The same seed gives the same run."),
];

const fn promise(name: &'static str, text: &'static str) -> ClusterPromise {
    ClusterPromise { name, text }
}

/// What the promise called `name` says.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn promise_of(name: &str) -> &'static str {
    let known = PROMISES.iter().find(|promise| promise.name == name);
    known
        .expect("every promise that is judged has its sentence")
        .text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Checkers;

    #[test]
    fn every_checker_has_its_promise_and_no_promise_is_there_twice() {
        for name in Checkers::names() {
            assert!(!promise_of(name).is_empty(), "{name}");
        }
        let mut names: Vec<&str> = PROMISES.iter().map(|promise| promise.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PROMISES.len());
    }
}
