//! Settings of openraft under which a log that survives crashes is not enough.

use openraft::Config;

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsoundConfig {
    /// `enable_leader_restore` is not switched off.
    #[error(
        "`enable_leader_restore` must be `Some(false)`: a restarted leader that goes on in its term \
         gives the ids of entries that a power cut took from it, and that others have, to new commands"
    )]
    LeaderRestore,
    /// `allow_log_reversion` is switched on.
    #[error(
        "`allow_log_reversion` must not be set: a node whose log is gone would count for a quorum \
         that it has forgotten"
    )]
    LogReversion,
    /// openraft itself refuses it.
    #[error("{0}")]
    Invalid(String),
}

/// Refuses a configuration under which a crash can break what Raft promises, though the log store keeps
/// its own promises.
///
/// * **`enable_leader_restore`** must be `Some(false)`; openraft takes `None` for yes. A leader
///   replicates an entry while it is still writing it to its own disk. When the power goes in between,
///   the followers may have the entry and the leader has not. A restarted leader that must win an
///   election first does so in a new term, so whatever it appends has another id. One that takes its
///   lead back goes on in the old term: it gives the same index and term to another command, and the
///   two logs differ under one id.
/// * **`allow_log_reversion`** must not be set: it hides that a node has lost what it acknowledged.
///
/// # Errors
/// The first thing that is wrong; if nothing is, what [`Config::validate`] finds.
pub fn check_config(config: &Config) -> Result<(), UnsoundConfig> {
    if config.enable_leader_restore != Some(false) {
        return Err(UnsoundConfig::LeaderRestore);
    }
    if config.allow_log_reversion == Some(true) {
        return Err(UnsoundConfig::LogReversion);
    }
    let valid = config.clone().validate();
    valid.map_err(|error| UnsoundConfig::Invalid(error.to_string()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_of_openraft_is_refused_and_so_is_what_hides_a_lost_log() {
        let sound = Config {
            enable_leader_restore: Some(false),
            ..Config::default()
        };
        assert_eq!(check_config(&sound), Ok(()));
        let default = check_config(&Config::default());
        assert_eq!(default, Err(UnsoundConfig::LeaderRestore));
        let restoring = Config {
            enable_leader_restore: Some(true),
            ..sound.clone()
        };
        assert_eq!(check_config(&restoring), Err(UnsoundConfig::LeaderRestore));
        let reverting = Config {
            allow_log_reversion: Some(true),
            ..sound.clone()
        };
        assert_eq!(check_config(&reverting), Err(UnsoundConfig::LogReversion));
        let invalid = Config {
            election_timeout_min: 9,
            election_timeout_max: 8,
            ..sound
        };
        assert!(matches!(
            check_config(&invalid),
            Err(UnsoundConfig::Invalid(_))
        ));
    }
}
