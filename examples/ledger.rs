//! A second state machine on the log: a small bank whose accounts are never overdrawn.
//!
//! ```text
//! cargo run --example ledger            in a temporary directory
//! cargo run --example ledger DIR        in DIR: run it twice and the balances go on
//! ```
//! The library brings the log, the snapshots and the recovery. What is here is what a state machine
//! has to bring: its events ([`LogEvent`]), its rules ([`StateMachine::apply`]), and its snapshot.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use beaver::storage::DiskStorage;
use beaver::{CommandError, DecodeError, LogEvent, StateMachine, Store, StoreOptions};
use serde::{Deserialize, Serialize};

/// One line of the journal. Unknown types and fields are refused, never skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Entry {
    Open {
        account: String,
    },
    Deposit {
        account: String,
        cents: u64,
    },
    Transfer {
        from: String,
        to: String,
        cents: u64,
    },
}

impl LogEvent for Entry {
    fn encode(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, self).expect("texts and numbers can always be written");
    }

    fn decode(json: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(json).map_err(DecodeError::new)
    }
}

/// Why an entry is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error("account {0:?} exists already")]
    Exists(String),
    #[error("there is no account {0:?}")]
    Unknown(String),
    #[error("{account:?} has {cents} cents, which is not enough")]
    Overdrawn { account: String, cents: u64 },
    #[error("{0:?} cannot hold so much")]
    TooMuch(String),
}

/// The balances in cents, by account. An ordered map: what is written must not depend on chance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ledger {
    cents: BTreeMap<String, u64>,
}

impl Ledger {
    fn balance(&self, account: &str) -> Result<u64, Refused> {
        let cents = self.cents.get(account).copied();
        cents.ok_or_else(|| Refused::Unknown(account.to_owned()))
    }

    fn credit(&mut self, account: &str, cents: u64) -> Result<(), Refused> {
        let sum = self.balance(account)?.checked_add(cents);
        let sum = sum.ok_or_else(|| Refused::TooMuch(account.to_owned()))?;
        self.cents.insert(account.to_owned(), sum);
        Ok(())
    }

    fn debit(&mut self, account: &str, cents: u64) -> Result<(), Refused> {
        let has = self.balance(account)?;
        let rest = has.checked_sub(cents).ok_or_else(|| Refused::Overdrawn {
            account: account.to_owned(),
            cents: has,
        })?;
        self.cents.insert(account.to_owned(), rest);
        Ok(())
    }

    /// Validates entries: all of them are legal one after the other, or none is logged.
    fn check(&self, entries: Vec<Entry>) -> Result<(Vec<Entry>, ()), Refused> {
        let mut trial = self.clone();
        entries.iter().try_for_each(|entry| trial.apply(entry))?;
        Ok((entries, ()))
    }
}

impl StateMachine for Ledger {
    type Event = Entry;
    type Error = Refused;

    fn apply(&mut self, entry: &Entry) -> Result<(), Refused> {
        match entry {
            Entry::Open { account } => {
                if self.cents.contains_key(account) {
                    return Err(Refused::Exists(account.clone()));
                }
                self.cents.insert(account.clone(), 0);
                Ok(())
            }
            Entry::Deposit { account, cents } => self.credit(account, *cents),
            Entry::Transfer { from, to, cents } => {
                // Both sides or neither: on error the state must be as it was.
                let mut after = self.clone();
                after.debit(from, *cents)?;
                after.credit(to, *cents)?;
                *self = after;
                Ok(())
            }
        }
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, self).expect("texts and numbers can always be written");
    }

    fn restore(json: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(json).map_err(DecodeError::new)
    }

    fn initial() -> Self {
        Ledger::default()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let directory = std::env::args_os().nth(1).map(PathBuf::from);
    let directory = directory.unwrap_or_else(|| temporary.path().join("ledger"));

    let (mut store, _) = open(&directory)?;
    if store.state().cents.is_empty() {
        let account = |name: &str| name.to_owned();
        let entries = vec![
            Entry::Open {
                account: account("ada"),
            },
            Entry::Open {
                account: account("bob"),
            },
            Entry::Deposit {
                account: account("ada"),
                cents: 10_000,
            },
        ];
        store.commit(|ledger| ledger.check(entries))?;
    }
    store.checkpoint()?;

    let transfer = |from: &str, to: &str, cents| Entry::Transfer {
        from: from.to_owned(),
        to: to.to_owned(),
        cents,
    };
    let deposit = Entry::Deposit {
        account: "ada".to_owned(),
        cents: 1_000,
    };
    store.commit(|ledger| ledger.check(vec![deposit, transfer("ada", "bob", 1_000)]))?;
    let too_much = vec![
        transfer("ada", "bob", 500),
        transfer("bob", "ada", u64::MAX),
    ];
    match store.commit(|ledger| ledger.check(too_much)) {
        Err(CommandError::Rejected(reason)) => println!("refused as a whole: {reason}"),
        other => return Err(format!("an account was overdrawn: {other:?}").into()),
    }

    // No close: what was acknowledged does not need one.
    let acknowledged = store.state().clone();
    drop(store);
    let (store, replayed) = open(&directory)?;
    assert_eq!(store.state(), &acknowledged);
    println!("recovered from a snapshot and {replayed} events after it:");
    for (account, cents) in &store.state().cents {
        println!("{account:>5} {:6}.{:02}", cents / 100, cents % 100);
    }
    store.close()?;
    Ok(())
}

fn open(directory: &Path) -> Result<(Store<Ledger>, u64), Box<dyn Error>> {
    let storage = Arc::new(DiskStorage::open(directory)?);
    let (store, report) = Store::open(storage, StoreOptions::default())?;
    Ok((store, report.replayed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_account(name: &str) -> Entry {
        Entry::Open {
            account: name.to_owned(),
        }
    }

    fn deposit(name: &str, cents: u64) -> Entry {
        Entry::Deposit {
            account: name.to_owned(),
            cents,
        }
    }

    fn transfer(from: &str, to: &str, cents: u64) -> Entry {
        Entry::Transfer {
            from: from.to_owned(),
            to: to.to_owned(),
            cents,
        }
    }

    fn with_two_accounts(cents: u64) -> Ledger {
        let mut ledger = Ledger::initial();
        for entry in [
            open_account("ada"),
            open_account("bob"),
            deposit("ada", cents),
        ] {
            ledger.apply(&entry).unwrap();
        }
        ledger
    }

    #[test]
    fn a_refused_entry_changes_nothing() {
        let before = with_two_accounts(u64::MAX);
        for (entry, reason) in [
            (open_account("ada"), Refused::Exists("ada".to_owned())),
            (deposit("eve", 1), Refused::Unknown("eve".to_owned())),
            (deposit("ada", 1), Refused::TooMuch("ada".to_owned())),
            (
                transfer("ada", "eve", 1),
                Refused::Unknown("eve".to_owned()),
            ),
            (
                transfer("bob", "ada", 1),
                Refused::Overdrawn {
                    account: "bob".to_owned(),
                    cents: 0,
                },
            ),
        ] {
            let mut ledger = before.clone();
            assert_eq!(ledger.apply(&entry), Err(reason));
            assert_eq!(ledger, before);
        }
    }

    #[test]
    fn entries_and_states_read_back_as_they_were_written() {
        let mut bytes = Vec::new();
        transfer("ada", "bob", 7).encode(&mut bytes);
        assert_eq!(Entry::decode(&bytes), Ok(transfer("ada", "bob", 7)));
        assert!(Entry::decode(b"{\"type\":\"close\",\"account\":\"ada\"}").is_err());
        let ledger = with_two_accounts(7);
        let mut bytes = Vec::new();
        ledger.snapshot(&mut bytes);
        assert_eq!(Ledger::restore(&bytes), Ok(ledger));
    }

    #[test]
    fn entries_that_belong_together_are_stored_together_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, _) = open(directory.path()).unwrap();
        let all = |entries: Vec<Entry>| move |ledger: &Ledger| ledger.check(entries);
        store
            .commit(all(vec![open_account("ada"), deposit("ada", 5)]))
            .unwrap();
        let refused = store.commit(all(vec![deposit("ada", 1), transfer("ada", "bob", 1)]));
        assert!(matches!(refused, Err(CommandError::Rejected(_))));
        store.checkpoint().unwrap();
        store.commit(all(vec![deposit("ada", 2)])).unwrap();
        drop(store);
        let (store, replayed) = open(directory.path()).unwrap();
        assert_eq!(store.state().balance("ada"), Ok(7));
        assert_eq!(replayed, 1);
    }
}
