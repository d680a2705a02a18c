//! Processes of beaverd and of etcd on loopback.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::http::HttpClient;

const PATIENCE: Duration = Duration::from_secs(60);

/// The nodes of one cluster, ended when it is dropped.
pub(crate) struct Server {
    /// Where the leader answers clients.
    pub(crate) leader: SocketAddr,
    nodes: Vec<(Child, Command)>,
    _root: tempfile::TempDir,
}

impl Server {
    /// Resident memory of its first node.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.nodes[0].0.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes * 1024
    }

    /// Kills its first node and starts it again. How long it takes to answer a read.
    pub(crate) fn restart(&mut self) -> Duration {
        let (child, command) = &mut self.nodes[0];
        child.kill().unwrap();
        child.wait().unwrap();
        let begun = Instant::now();
        *child = command.spawn().unwrap();
        until(|| ok(self.leader, "GET", "/v1/stats", ""));
        begun.elapsed()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for (child, _) in &mut self.nodes {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// A cluster of beaverd.
pub(crate) fn beaverd(count: usize, more: &[&str]) -> Server {
    let root = tempfile::tempdir().unwrap();
    let addresses = free_addresses(count);
    let numbered = (1..)
        .zip(&addresses)
        .map(|(id, address)| format!("{id}={address}"));
    let members = numbered.collect::<Vec<String>>().join(",");
    let nodes = (1..).zip(&addresses).map(|(id, address): (u64, _)| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_beaverd"));
        command.args(["--id", &id.to_string(), "--listen", &address.to_string()]);
        command
            .args(["--members", &members, "--dir"])
            .arg(root.path().join(id.to_string()));
        start(command, more)
    });
    let nodes = nodes.collect();
    let leader = until(|| {
        let body = body(addresses[0], "GET", "/v1/members", "")?;
        let leader = usize::try_from(body["leader"].as_u64()?).ok()?;
        addresses.get(leader - 1).copied()
    });
    Server {
        leader,
        nodes,
        _root: root,
    }
}

/// A cluster of etcd. `None`: it is not installed.
pub(crate) fn etcd(count: usize) -> Option<Server> {
    let installed = Command::new("etcd")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    installed.ok()?;
    let root = tempfile::tempdir().unwrap();
    let (clients, peers) = (free_addresses(count), free_addresses(count));
    let cluster = peers
        .iter()
        .enumerate()
        .map(|(n, peer)| format!("n{n}=http://{peer}"));
    let cluster = cluster.collect::<Vec<String>>().join(",");
    let nodes = (0..count).map(|n| {
        let (client, peer) = (
            format!("http://{}", clients[n]),
            format!("http://{}", peers[n]),
        );
        let name = format!("n{n}");
        let mut command = Command::new("etcd");
        command.args(["--name", &name, "--initial-cluster", &cluster]);
        command.args([
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
        ]);
        command.args([
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
        ]);
        command.arg("--data-dir").arg(root.path().join(&name));
        start(command, &[])
    });
    let nodes = nodes.collect();
    let leader = until(|| {
        clients.iter().copied().find(|client| {
            let status = body(*client, "POST", "/v3/maintenance/status", "{}");
            status.is_some_and(|status| {
                let leader = &status["leader"];
                leader.is_string() && *leader == status["header"]["member_id"]
            })
        })
    });
    Some(Server {
        leader,
        nodes,
        _root: root,
    })
}

fn start(mut command: Command, more: &[&str]) -> (Child, Command) {
    command.args(more);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = command.spawn();
    let program = Path::new(command.get_program()).display().to_string();
    (
        child.unwrap_or_else(|error| panic!("{program}: {error}")),
        command,
    )
}

fn free_addresses(count: usize) -> Vec<SocketAddr> {
    // All at once, so that they differ.
    let listeners = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let listeners: Vec<_> = listeners.collect();
    listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap())
        .collect()
}

fn body(address: SocketAddr, method: &str, path: &str, body: &str) -> Option<serde_json::Value> {
    let answer = HttpClient::new(address, Duration::from_secs(10))
        .send(method, path, body)
        .ok()?;
    (answer.status == 200).then_some(answer.body)
}

fn ok(address: SocketAddr, method: &str, path: &str, text: &str) -> Option<()> {
    body(address, method, path, text).map(drop)
}

fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(found) = ask() {
            return found;
        }
        sleep(Duration::from_millis(5));
    }
    panic!("not within {PATIENCE:?}");
}
