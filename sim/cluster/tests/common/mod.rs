//! An engine without consensus: node 1 does everything on its own disk and shows the others its state
//! from time to time. It forgets nothing and does not fail over; with a fault planted it is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use beaver_cluster::entry::NodeId;
use beaver_cluster::host::{BoxFuture, Host, Message};
use beaver_cluster::observation::{Observation, RecoveredState};
use beaver_cluster::operation::{ClientRequest, ClientResponse};
use beaver_cluster::replica::{AdminRequest, RaftEngine, Replica};
use beaver_cluster::scenario::{ChaosSort, ClusterScenario, RequestSort};
use beaver_storage::{Access, Storage, StorageFile, read_all, write_all};

/// What is wrong with the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planted {
    Nothing,
    /// A write is answered before it is durable.
    NoSync,
    /// Every node says that it leads.
    AllLead,
    /// A node does not start on a disk that holds something.
    StartsOnce,
    /// A task wakes itself for ever.
    Spins,
    /// A message makes a node panic.
    Panics,
    /// The log is written a hundred times.
    Grows,
    /// A node gives up though nothing is wrong.
    GivesUp,
}

#[derive(Debug)]
pub(crate) struct OneWriter(pub(crate) Planted);

/// A scenario that the engine has answers for.
pub(crate) fn registers() -> ClusterScenario {
    let workload = [
        (RequestSort::Read, 3),
        (RequestSort::Write, 4),
        (RequestSort::CompareAndSet, 1),
    ];
    let mut scenario = ClusterScenario {
        workload: workload.into(),
        chaos_ms: 1_500,
        ..ClusterScenario::default()
    };
    // It never says that it leads.
    scenario.chaos.remove(&ChaosSort::LoseLeader);
    scenario
}

const RECORD: usize = 24;

#[derive(Clone, Debug, Default)]
struct Registers {
    values: BTreeMap<u64, u64>,
    index: u64,
}

impl Registers {
    fn apply(&mut self, key: u64, value: u64) {
        self.values.insert(key, value);
        self.index += 1;
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.values.hash(&mut hasher);
        hasher.finish()
    }
}

#[derive(Debug)]
struct Writer {
    host: Arc<dyn Host>,
    planted: Planted,
    registers: Mutex<Registers>,
    file: Box<dyn StorageFile>,
}

impl RaftEngine for OneWriter {
    fn start(
        &self,
        host: Arc<dyn Host>,
        founders: BTreeSet<NodeId>,
    ) -> BoxFuture<Result<Arc<dyn Replica>, String>> {
        let planted = self.0;
        Box::pin(async move {
            let opened = open(host.log_disk().as_ref());
            let (file, registers) = opened.map_err(|error| error.to_string())?;
            if planted == Planted::StartsOnce && registers.index > 0 {
                return Err("there is something here".to_owned());
            }
            host.observe(Observation::Started(RecoveredState::default()));
            // Of the words of Raft it uses no other: what it does is none of Raft's business.
            if planted == Planted::AllLead {
                host.observe(Observation::Leads { term: 1 });
            }
            let writer = Arc::new(Writer {
                host: host.clone(),
                planted,
                registers: registers.into(),
                file,
            });
            if host.node() == 1 {
                host.spawn(Box::pin(show(writer.clone(), founders)));
            }
            if planted == Planted::Spins {
                host.spawn(Box::pin(std::future::poll_fn(|context| {
                    context.waker().wake_by_ref();
                    std::task::Poll::Pending
                })));
            }
            Ok(Arc::new(Handle(writer)) as Arc<dyn Replica>)
        })
    }
}

fn open(storage: &dyn Storage) -> io::Result<(Box<dyn StorageFile>, Registers)> {
    let file = match storage.open("log", Access::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => storage.create("log")?,
        opened => opened?,
    };
    storage.sync_dir()?;
    let mut registers = Registers::default();
    let bytes = read_all(storage, "log")?.unwrap_or_default();
    for record in bytes.as_chunks::<RECORD>().0 {
        let (key, rest) = record.split_at(8);
        let (value, check) = rest.split_at(8);
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        let (key, value, check) = (number(key), number(value), number(check));
        if check != key ^ value ^ 0x5eed {
            break;
        }
        registers.apply(key, value);
    }
    file.set_len(registers.index * RECORD as u64)?;
    file.sync_data()?;
    Ok((file, registers))
}

async fn show(writer: Arc<Writer>, nodes: BTreeSet<NodeId>) {
    loop {
        writer.host.sleep(Duration::from_millis(20)).await;
        let state = writer.registers.lock().unwrap().clone();
        for node in &nodes {
            let message = Message {
                kind: "state",
                summary: format!("up to {}", state.index),
                body: Arc::new(state.clone()),
            };
            writer.host.send(*node, message);
        }
        let surrenders = writer.planted == Planted::GivesUp && state.index > 20;
        if surrenders {
            let error = "that was enough".to_owned();
            writer.host.observe(Observation::Stopped { error });
        }
    }
}

impl Writer {
    fn write(&self, key: u64, value: u64) -> io::Result<()> {
        let mut registers = self.registers.lock().unwrap();
        let mut record = Vec::new();
        for number in [key, value, key ^ value ^ 0x5eed] {
            record.extend(number.to_le_bytes());
        }
        let offset = registers.index * RECORD as u64;
        write_all(&*self.file, &record, offset)?;
        if self.planted == Planted::Grows {
            write_all(&*self.file, &[0; 4_096], offset + (200 << 10))?;
        }
        if self.planted != Planted::NoSync {
            self.file.sync_data()?;
        }
        registers.apply(key, value);
        Ok(())
    }
}

async fn answer(writer: Arc<Writer>, request: ClientRequest) -> ClientResponse {
    if writer.host.node() != 1 {
        return ClientResponse::NotLeader(Some(1));
    }
    let delay = writer.host.sync_delay();
    writer.host.sleep(delay).await;
    let value = |key| writer.registers.lock().unwrap().values.get(&key).copied();
    let (written, response) = match request {
        ClientRequest::Read { key } => return ClientResponse::Value(value(key)),
        ClientRequest::Write { key, value } => (writer.write(key, value), ClientResponse::Written),
        ClientRequest::CompareAndSet {
            key,
            expected,
            value: new,
        } => match value(key) == expected {
            true => (writer.write(key, new), ClientResponse::Compared(true)),
            false => return ClientResponse::Compared(false),
        },
        _ => return ClientResponse::Refused("there are registers alone".to_owned()),
    };
    match written {
        Ok(()) => response,
        Err(error) => {
            let error = error.to_string();
            writer.host.observe(Observation::Stopped { error });
            ClientResponse::Unknown("the disk failed".to_owned())
        }
    }
}

/// The replica; calls under way hold the writer too.
#[derive(Debug)]
struct Handle(Arc<Writer>);

impl Replica for Handle {
    fn deliver(&self, _: NodeId, message: Message) {
        let writer = &self.0;
        let state: &Registers = message.body.downcast_ref().unwrap();
        assert!(
            writer.planted != Planted::Panics || state.index < 10,
            "ten is too much"
        );
        let mut registers = writer.registers.lock().unwrap();
        if writer.host.node() != 1 && state.index > registers.index {
            *registers = state.clone();
        }
    }

    fn call(&self, request: ClientRequest) -> BoxFuture<ClientResponse> {
        Box::pin(answer(self.0.clone(), request))
    }

    fn admin(&self, _: AdminRequest) -> BoxFuture<Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn leader(&self) -> Option<NodeId> {
        Some(1)
    }

    fn applied(&self) -> (u64, u64) {
        let registers = self.0.registers.lock().unwrap();
        (registers.hash(), registers.index)
    }
}
