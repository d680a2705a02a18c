//! A number in one file, which a new file takes the place of, with ways to be wrong.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use beaver::storage::{Storage, read_all, write_all};
use beaver_disk::is_crash;
use beaver_sim::subject::{Answer, Durability, Failure, Machine, Subject};

/// How the register is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It is not.
    Sound,
    /// It is not, and reads its file whenever it is asked what it shows.
    SoundAndReads,
    /// Dropping it panics.
    PanicsInDrop,
    /// It panics wherever a call fails because its process has died.
    PanicsWhenDead,
    /// A file is called by a number that is another one each time.
    DependsOnChance,
    /// The new file is not synced, and the number 2 is a panic.
    TwoBugs,
    /// It takes a failed sync for one that worked.
    IgnoresFailedSync,
    /// The number 2 is never written.
    Hangs,
}

#[derive(Debug)]
pub(crate) struct Registers(pub(crate) Wrong);

pub(crate) struct Register {
    storage: Arc<dyn Storage>,
    number: u64,
    wrong: Wrong,
}

/// What no machine knows of.
static CHANCE: AtomicU64 = AtomicU64::new(0);

impl Register {
    fn open(storage: &Arc<dyn Storage>, wrong: Wrong) -> io::Result<Self> {
        // What an earlier process has renamed may not be durable yet.
        storage.sync_dir()?;
        let bytes = read_all(&**storage, "number")?.unwrap_or_default();
        let bytes = bytes.try_into().unwrap_or_default();
        Ok(Register {
            storage: Arc::clone(storage),
            number: u64::from_le_bytes(bytes),
            wrong,
        })
    }

    fn set(&mut self, number: u64) -> io::Result<()> {
        let new = match self.wrong {
            Wrong::DependsOnChance => format!("new-{}", CHANCE.fetch_add(1, Ordering::Relaxed)),
            _ => "new".to_owned(),
        };
        if number == 2 {
            assert_ne!(self.wrong, Wrong::TwoBugs, "two is too much");
            if self.wrong == Wrong::Hangs {
                loop {
                    std::thread::yield_now();
                }
            }
        }
        let _ = self.storage.remove(&new);
        let file = self.storage.create(&new)?;
        write_all(&*file, &number.to_le_bytes(), 0)?;
        match self.wrong {
            Wrong::TwoBugs => {}
            Wrong::IgnoresFailedSync => drop(file.sync_data()),
            _ => file.sync_data()?,
        }
        self.storage.rename(&new, "number")?;
        self.storage.sync_dir()?;
        self.number = number;
        Ok(())
    }

    fn checked(&self, done: io::Result<()>) -> io::Result<()> {
        if let Err(error) = &done
            && is_crash(error)
            && self.wrong == Wrong::PanicsWhenDead
        {
            panic!("no process is there to see this");
        }
        done
    }
}

impl Drop for Register {
    fn drop(&mut self) {
        assert_ne!(self.wrong, Wrong::PanicsInDrop, "there is no good farewell");
        let _ = self.checked(self.storage.list().map(drop));
    }
}

impl Subject for Registers {
    type Op = u64;
    type State = u64;
    type Store = Register;

    fn apply(state: &mut u64, op: &u64) {
        *state = *op;
    }

    fn ops(&self, state: &u64) -> Vec<u64> {
        vec![state + 1]
    }

    fn open(&self, machine: &Machine) -> Result<Register, Failure> {
        Ok(Register::open(&machine.storage, self.0)?)
    }

    fn run(&self, store: &mut Register, op: &u64) -> Result<Answer, Failure> {
        let done = store.set(*op);
        store.checked(done)?;
        Ok(Durability::Durable.into())
    }

    fn state(&self, store: &mut Register) -> Result<u64, Failure> {
        match store.wrong {
            Wrong::SoundAndReads => Ok(Register::open(&store.storage, Wrong::Sound)?.number),
            _ => Ok(store.number),
        }
    }
}
