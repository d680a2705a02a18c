//! Real nodes: processes on loopback, with directories of their own.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::http::{HttpAnswer, HttpClient};

/// How long anything may take that must happen sooner or later.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(20);

/// A node and the process that runs it, which is killed at the latest when it is dropped.
#[derive(Debug)]
pub(crate) struct TestNode {
    pub(crate) address: SocketAddr,
    /// What runs it, with its arguments; empty: it is run by itself.
    pub(crate) launcher: Vec<String>,
    arguments: Vec<String>,
    dir: PathBuf,
    stderr: PathBuf,
    child: Option<Child>,
}

/// Nodes by number, and where their files are.
#[derive(Debug)]
pub(crate) struct TestCluster {
    /// Before their directories, which are removed when the nodes have ended and their messages are shown.
    pub(crate) nodes: BTreeMap<u64, TestNode>,
    root: TempDir,
}

/// The ports that this machine gives to nobody who does not ask for one of them. A port that was drawn from the others may belong to
/// a connection before the node that it was drawn for listens, and again while that node is down.
const PORTS: Range<u16> = 10_000..32_000;

/// An address of this machine with a port that is free and that no other test here has got.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(PORTS.end - PORTS.start);
    let free = (0..count).find_map(|_| {
        // Test processes side by side begin at different ports.
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = std::process::id().wrapping_mul(97).wrapping_add(turn) % count;
        let port = PORTS.start + u16::try_from(port).expect("less than the count");
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
    });
    free.expect("a free port")
        .local_addr()
        .expect("its address")
}

impl TestCluster {
    /// Members 1 to `count`, which were told of each other, not yet running. `more` gives further
    /// arguments to a node: (its number, the addresses of all).
    pub(crate) fn new(
        count: u64,
        more: impl FnMut(u64, &BTreeMap<u64, SocketAddr>) -> Vec<String>,
    ) -> Self {
        let addresses = (1..=count).map(|id| (id, free_address())).collect();
        TestCluster::at(&addresses, more)
    }

    /// As [`new`](TestCluster::new), at these addresses.
    pub(crate) fn at(
        addresses: &BTreeMap<u64, SocketAddr>,
        mut more: impl FnMut(u64, &BTreeMap<u64, SocketAddr>) -> Vec<String>,
    ) -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let members: Vec<String> = addresses
            .iter()
            .map(|(id, address)| format!("{id}={address}"))
            .collect();
        let mut cluster = TestCluster {
            root,
            nodes: BTreeMap::new(),
        };
        for (id, address) in addresses {
            let mut arguments = vec!["--members".to_owned(), members.join(",")];
            arguments.extend(more(*id, addresses));
            cluster.add(*id, *address, arguments);
        }
        cluster
    }

    /// Three members that run and have a leader.
    pub(crate) fn running() -> Self {
        let mut cluster = TestCluster::new(3, |_, _| fast());
        cluster.start_all();
        cluster.leader();
        cluster
    }

    /// A node of this number, not yet running.
    pub(crate) fn add(&mut self, id: u64, address: SocketAddr, more: Vec<String>) {
        let dir = self.root.path().join(id.to_string());
        let mut arguments = vec!["--id".to_owned(), id.to_string(), "--dir".to_owned()];
        arguments.push(dir.display().to_string());
        arguments.extend(["--listen".to_owned(), address.to_string()]);
        arguments.extend(more);
        let stderr = self.root.path().join(format!("stderr-{id}"));
        // Of a node that had this number before.
        std::fs::remove_file(&stderr).ok();
        let node = TestNode {
            address,
            launcher: Vec::new(),
            arguments,
            dir,
            stderr,
            child: None,
        };
        self.nodes.insert(id, node);
    }

    pub(crate) fn start_all(&mut self) {
        for node in self.nodes.values_mut() {
            node.start();
        }
    }

    pub(crate) fn node(&mut self, id: u64) -> &mut TestNode {
        self.nodes.get_mut(&id).expect("a node of this number")
    }

    /// The addresses of all nodes, by number.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.values().map(|node| node.address).collect()
    }

    /// The node that leads, once the nodes agree that there is one that can commit.
    pub(crate) fn leader(&self) -> u64 {
        eventually("a leader", || {
            let all = self.nodes.values().filter(|node| node.child.is_some());
            all.into_iter().find_map(|node| {
                let answer = node.client().get("/v1/members").ok()?;
                (answer.status == 200).then(|| answer.body["leader"].as_u64())?
            })
        })
    }
}

/// Arguments for short elections.
pub(crate) fn fast() -> Vec<String> {
    [
        "--election-ms",
        "300",
        "--request-ms",
        "3000",
        "--snapshot-every",
        "500",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Arguments for requests that may take long: nearly as long as a client waits.
pub(crate) fn patient() -> Vec<String> {
    ["--election-ms", "5000", "--request-ms", "50000"]
        .map(str::to_owned)
        .to_vec()
}

/// Asks until there is an answer.
///
/// # Panics
/// There is none after [`PATIENCE`].
#[expect(
    clippy::disallowed_methods,
    reason = "real nodes take real time, and a question may take seconds itself"
)]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(found) = ask() {
            return found;
        }
        sleep(PAUSE);
    }
    panic!("{what}: not within {PATIENCE:?}");
}

impl TestNode {
    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let stderr = File::options().create(true).append(true).open(&self.stderr);
        let program = env!("CARGO_BIN_EXE_beaverd").to_owned();
        let line = [&self.launcher[..], &[program], &self.arguments].concat();
        // A launcher becomes the program, so that its pid is the program's.
        let child = Command::new(&line[0])
            .args(&line[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr.expect("a file for messages"))
            .spawn();
        self.child = Some(child.expect("a process"));
    }

    /// SIGKILL, by its pid.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child that can be killed");
            child.wait().expect("a child that has ended");
        }
    }

    /// SIGTERM, by its pid, and how it ended.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.expect("the program kill").success());
        self.ending()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ending(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let ended = (0..PATIENCE.as_millis() / PAUSE.as_millis()).find_map(|_| {
            sleep(PAUSE);
            child.try_wait().expect("a child")
        });
        if ended.is_none() {
            child.kill().expect("a child that can be killed");
        }
        let messages = self.messages();
        ended.unwrap_or_else(|| panic!("it did not end: {messages}"))
    }

    /// What it has said on its standard error.
    pub(crate) fn messages(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A client that asks this node.
    pub(crate) fn client(&self) -> HttpClient {
        HttpClient::new(self.address, Duration::from_secs(10))
    }

    /// The body of a successful answer.
    ///
    /// # Panics
    /// There is no answer, or an error.
    pub(crate) fn must(&self, method: &str, path: &str, body: &str) -> Value {
        let answer = self.asked(method, path, body);
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
        answer.body
    }

    /// The answer, whatever it is.
    ///
    /// # Panics
    /// There is none.
    pub(crate) fn asked(&self, method: &str, path: &str, body: &str) -> HttpAnswer {
        let answer = HttpClient::new(self.address, PATIENCE).send(method, path, body);
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error:?}; {}", self.messages()))
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}: {}", self.address, self.messages());
        }
        self.kill();
    }
}
