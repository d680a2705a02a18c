//! Bugs that public Raft implementations had, each planted at the place where they had it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is to be said about a planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AboutBug {
    /// Where a real engine had it.
    pub source: &'static str,
    /// What the engine does with it.
    pub what: &'static str,
    /// The scenario in which it is looked for: the stem of a file in `scenarios/cluster`.
    pub scenario: &'static str,
    /// The promises that show it: the one that names its reason first, then those that it can break as
    /// well.
    pub promises: &'static [&'static str],
}

/// Declares the bugs once: each with its source, its scenario, the promises that show it, and what the
/// engine does.
macro_rules! planted_bugs {
    ($($bug:ident $source:literal $scenario:literal [$($promise:literal),*] $what:literal;)*) => {
        /// A bug that can be planted into [`SmallRaft`](super::SmallRaft), one at a time.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "kebab-case")]
        pub enum PlantedBug {
            $(#[doc = $what] $bug,)*
        }

        impl PlantedBug {
            /// All of them.
            pub const ALL: [PlantedBug; [$(PlantedBug::$bug),*].len()] = [$(PlantedBug::$bug),*];

            /// What is to be said about it.
            #[must_use]
            pub fn about(self) -> AboutBug {
                match self {
                    $(PlantedBug::$bug => AboutBug {
                        source: $source,
                        what: $what,
                        scenario: $scenario,
                        promises: &[$($promise),*],
                    },)*
                }
            }
        }
    };
}

planted_bugs! {
    VoteAnsweredBeforeDurable "NodeDB#161" "elections" ["elected by a quorum", "election safety"]
        "a vote is answered before it is durable";
    TermAndVoteInTwoWrites "hashicorp/raft#661" "three-nodes" ["never back", "election safety"]
        "term and vote are saved by two writes with a sync each, so a crash can pair an old term with a new vote";
    AppendAcknowledgedBeforeFlush "etcd-io/etcd#14143" "three-nodes" ["committed on a quorum"]
        "a follower acknowledges entries before they are durable";
    CommittedBeforeOwnEntryIsDurable "etcd-io/etcd#14370" "three-nodes" ["committed on a quorum"]
        "a leader counts its own entries before they are durable";
    CommitIndexDurableBeforeEntries "curvine#1368" "three-nodes" ["durable after restart", "never back"]
        "a follower saves the leader's commit index before the entries, and believes it after a restart";
    TruncationNotLogged "baidu/braft#119" "three-nodes" ["log matching", "durable after restart"]
        "entries are overwritten in the log without removing those after them, so a restart brings these back";
    EarlierTermCommittedByCounting "logcabin/logcabin#44" "three-nodes" ["commit in the own term"]
        "a leader commits an entry of an earlier term because a majority has it";
    CommitWithoutQuorum "databendlabs/openraft#1802" "three-nodes" ["committed on a quorum", "liveness"]
        "what the voters have is not sorted before the middle is taken as what a majority has";
    StaleMembershipAfterSnapshot "databendlabs/openraft#1808" "members-come-and-go" ["elected by a quorum", "committed on a quorum", "leader completeness"]
        "an installed snapshot does not replace a membership whose entry it removes, if the index of that is higher";
    EntriesUnderSnapshotKept "databendlabs/openraft#753" "snapshots" ["log matching"]
        "an installed snapshot leaves the entries after it, although they follow another entry than its last";
    MembershipChangeBeforeOwnTerm "Ongaro, raft-dev, 2015" "members-come-and-go" ["change in the own term"]
        "a leader changes the membership before an entry of its own term is committed";
    PurgeBeforeSnapshotIsDurable "canonical/raft#199" "three-nodes" ["purge after snapshot"]
        "the log is purged when a snapshot is begun, not when it is durable";
    OlderSnapshotWithCompactedLog "camunda/camunda#3573" "three-nodes" ["durable after restart"]
        "older snapshots are kept and one is started from, although the log begins after it";
    WipedFollowerRejoins "curvine#1551" "wiped-machines" ["never back", "durable after restart"]
        "a node whose disks were wiped comes back under its old number, as the voter that it was";
    StaleSnapshotTruncatesLog "etcd-io/etcd#1763" "snapshots" ["never back", "committed on a quorum", "liveness"]
        "a late snapshot that is older than what is committed is installed";
    ReadWithoutQuorum "deventlab/d-engine#383" "stale-readers" ["linearizability"]
        "a leader answers reads without asking whether it still leads";
    ReadWithoutOwnTerm "RedisLabs/redisraft#22" "stale-readers" ["linearizability"]
        "a new leader answers reads before an entry of its own term is committed";
    ReadByPausedLeadersLease "etcd-io/etcd#20418" "stale-readers" ["linearizability"]
        "a leader answers reads by a lease that it compares with the time of its last tick";
    RestartedLeaderWithStaleState "databendlabs/openraft#1511" "stale-readers" ["linearizability"]
        "a restarted leader goes on leading and answers reads before it has applied what was committed";
    RestartedLeaderReusesIndex "databendlabs/openraft, enable_leader_restore" "three-nodes" ["log matching"]
        "a restarted leader goes on in its term, and gives the places of entries that it lost to others";
    FlushCallbacksOutOfOrder "databendlabs/openraft#1960" "three-nodes" ["committed on a quorum"]
        "a late callback of an earlier flush counts for entries that have taken the place of the flushed ones";
    AppliedIndexApartFromData "etcd-io/etcd#13967" "three-nodes" ["state machine safety", "snapshot is the fold of the log", "linearizability", "liveness"]
        "the applied index is saved apart from the data, so after a crash it can be ahead of them";
    OldTermsAcknowledgementCounted "planted: no public report known" "old-messages" ["committed on a quorum", "linearizability"]
        "an acknowledgement that was given to an earlier term's leader is counted";
    OldTermsVoteCounted "planted: no public report known" "elections" ["elected by a quorum", "election safety"]
        "a vote that was given in an earlier term is counted";
}

impl fmt::Display for PlantedBug {
    /// Its name: `vote-answered-before-durable`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl FromStr for PlantedBug {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = PlantedBug::ALL.into_iter();
        let mut named = known.filter(|bug| bug.to_string() == name);
        named.next().ok_or_else(|| {
            let all = PlantedBug::ALL.map(|bug| bug.to_string());
            format!(
                "there is no bug `{name}`; there are:\n  {}",
                all.join("\n  ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promises::PROMISES;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_bug_has_promises_and_a_scenario_that_there_are() {
        let scenarios = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/cluster");
        for bug in PlantedBug::ALL {
            assert!(!bug.about().promises.is_empty(), "{bug}");
            for name in bug.about().promises {
                assert!(
                    PROMISES.iter().any(|promise| promise.name == *name),
                    "{name}"
                );
            }
            let file = Path::new(scenarios).join(format!("{}.json", bug.about().scenario));
            assert!(file.exists(), "{bug}: {}", file.display());
        }
    }

    #[test]
    fn every_bug_has_a_name_that_reads_back() {
        let names = PlantedBug::ALL.map(|bug| bug.to_string());
        assert_eq!(BTreeSet::from(names.clone()).len(), PlantedBug::ALL.len());
        assert_eq!(names[0], "vote-answered-before-durable");
        for (bug, name) in PlantedBug::ALL.into_iter().zip(names) {
            assert_eq!(name.parse(), Ok(bug));
        }
    }
}
