//! The network between the nodes is cut by the kernel: each node has a network namespace of its own,
//! and a cable to each other node and to the clients, whose ends are set down and up.
//!
//! ```text
//! node 1 10.77.0.1 ──── 10.77.0.2 node 2
//!      │      └── 10.77.0.3 ──┘      │      each line is a pair of `veth` interfaces
//!      └────── 10.77.0.100 ──────────┘      the clients: the namespace of the test
//! ```
//!
//! What is sent over a cable that is cut waits and is sent again, unlike with a proxy: connections
//! survive a cut, and old messages come late.
//!
//! It needs root and the programs `ip` (package iproute2), `unshare` and `nsenter` (util-linux). The
//! test runs itself again in namespaces of its own, of the network and of processes: all that it makes,
//! interfaces, namespaces and nodes, is gone with that process, however it ends.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::load::Draws;
use crate::nodes::{TestCluster, eventually, fast};
use crate::{check_under_load, seed};

/// Set where the test runs in namespaces of its own.
const INSIDE: &str = "BEAVERD_NAMESPACES_INSIDE";

/// The name of this test.
const TEST: &str =
    "namespaces::what_clients_saw_is_linearizable_though_cables_are_cut_and_nodes_killed";

/// The number of the clients at the end of a cable; nodes have 1 to 3.
const CLIENT_END: u64 = 100;

/// A program in new namespaces.
fn unshare(program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.arg(program).stdin(Stdio::null());
    command
}

/// What a command says, if it fails.
fn failure(command: &mut Command) -> Option<String> {
    match command.output() {
        Err(error) => Some(format!("{command:?}: {error}")),
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!(
            "{command:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// A namespace: that of a process which ends when the test does, because its input ends.
struct Namespace(Child);

impl Namespace {
    fn new() -> Self {
        let mut holder = Command::new("unshare");
        holder.args(["--net", "sh", "-c", "echo && exec cat"]);
        holder.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = holder.spawn().unwrap();
        // It speaks when it is where it is to be.
        let said = std::io::Read::read(holder.stdout.as_mut().unwrap(), &mut [0]);
        assert_eq!(said.unwrap(), 1);
        Namespace(holder)
    }

    /// What runs a program in it.
    fn launcher(&self) -> Vec<String> {
        let place = format!("--net=/proc/{}/ns/net", self.0.id());
        vec!["nsenter".to_owned(), place]
    }

    /// Runs `ip` in it.
    fn ip(&self, arguments: &str) {
        let launcher = self.launcher();
        let mut command = Command::new(&launcher[0]);
        command.arg(&launcher[1]).arg("ip");
        run(&mut command, arguments);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn run(command: &mut Command, arguments: &str) {
    let failed = failure(command.args(arguments.split(' ')));
    assert_eq!(failed, None);
}

/// The namespaces of three nodes, and the cables.
struct Cables(BTreeMap<u64, Namespace>);

impl Cables {
    fn new() -> Self {
        let cables = Cables((1..=3).map(|id| (id, Namespace::new())).collect());
        for (id, namespace) in &cables.0 {
            namespace.ip("link set lo up");
            cables.lay(*id, CLIENT_END);
            for other in id + 1..=3 {
                cables.lay(*id, other);
            }
        }
        cables
    }

    /// Runs `ip` where node `id`, or the clients, are.
    fn ip(&self, id: u64, arguments: &str) {
        match self.0.get(&id) {
            Some(namespace) => namespace.ip(arguments),
            None => run(&mut Command::new("ip"), arguments),
        }
    }

    /// A cable between two.
    fn lay(&self, one: u64, other: u64) {
        let place = self.0[&one].0.id();
        let (near, far) = (format!("to{other}"), format!("to{one}"));
        self.ip(
            other,
            &format!("link add {far} type veth peer name {near} netns {place}"),
        );
        for (at, to, name) in [(one, other, near), (other, one, far)] {
            self.ip(
                at,
                &format!("addr add 10.77.0.{at} peer 10.77.0.{to} dev {name}"),
            );
            self.ip(at, &format!("link set {name} up"));
        }
    }

    /// Sets ends up or down: each is that at one node of the cable to another.
    fn set_all(&self, ends: &[(u64, u64)], state: &str) {
        for (at, to) in ends {
            self.ip(*at, &format!("link set to{to} {state}"));
        }
    }
}

/// The ends of the cables of one node to the others, at it.
fn ends_at(one: u64) -> Vec<(u64, u64)> {
    let others = (1..=3).filter(|id| *id != one);
    others.map(|other| (one, other)).collect()
}

/// The ends of the cables to cut: those of one node, at it or at the others, or one cable.
fn drawn_ends(draws: &mut Draws) -> Vec<(u64, u64)> {
    let one = 1 + draws.below(3);
    match draws.below(3) {
        0 => ends_at(one),
        1 => ends_at(one).into_iter().map(|(at, to)| (to, at)).collect(),
        _ => vec![(one, 1 + one % 3)],
    }
}

/// Cables that no node notices would test nothing: while its own are cut, the leader is another.
fn check_that_a_cut_is_noticed(cables: &Cables, cluster: &TestCluster) {
    let old = cluster.leader();
    let ends = ends_at(old);
    cables.set_all(&ends, "down");
    eventually("another leader than the one that is cut off", || {
        (cluster.leader() != old).then_some(())
    });
    cables.set_all(&ends, "up");
}

fn cut_and_kill() {
    let cables = Cables::new();
    let addresses = (1..=3).map(|id| (id, SocketAddr::from(([10, 77, 0, id], 7100))));
    let addresses = addresses
        .map(|(id, address)| (u64::from(id), address))
        .collect();
    let mut cluster = TestCluster::at(&addresses, |_, _| fast());
    for (id, namespace) in &cables.0 {
        cluster.node(*id).launcher = namespace.launcher();
    }
    cluster.start_all();
    check_that_a_cut_is_noticed(&cables, &cluster);
    check_under_load(&mut cluster, |cluster, draws| {
        let ends = drawn_ends(draws);
        cables.set_all(&ends, "down");
        sleep(Duration::from_millis(200 + draws.below(800)));
        let killed = (draws.below(3) == 0).then(|| 1 + draws.below(3));
        if let Some(id) = killed {
            cluster.node(id).kill();
            sleep(Duration::from_millis(draws.below(300)));
        }
        cables.set_all(&ends, "up");
        if let Some(id) = killed {
            cluster.node(id).start();
        }
    });
}

#[test]
fn what_clients_saw_is_linearizable_though_cables_are_cut_and_nodes_killed() {
    if std::env::var_os(INSIDE).is_some() {
        return cut_and_kill();
    }
    let probe = "link add name probe type veth peer name other";
    if let Some(reason) = failure(unshare("ip").args(probe.split(' '))) {
        eprintln!("left out: it needs root, iproute2 and util-linux: {reason}");
        return;
    }
    let this = std::env::current_exe().unwrap();
    let mut again = unshare(this.to_str().unwrap());
    again.args(["--exact", TEST, "--nocapture"]);
    again
        .env(INSIDE, "yes")
        .env("BEAVERD_SEED", seed().to_string());
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    eprintln!("{said}");
    assert!(output.status.success() && said.contains("operations:"));
}
