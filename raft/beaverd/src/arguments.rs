//! The command line as `clap` reads it: names, flags and the help that teaches them. No behaviour.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

const EXAMPLES: &str = "\
Examples:
  Three nodes on one machine, each in its own terminal:
    MEMBERS=1=127.0.0.1:7101,2=127.0.0.1:7102,3=127.0.0.1:7103
    beaverd --id 1 --dir data/1 --listen 127.0.0.1:7101 --members $MEMBERS
    beaverd --id 2 --dir data/2 --listen 127.0.0.1:7102 --members $MEMBERS
    beaverd --id 3 --dir data/3 --listen 127.0.0.1:7103 --members $MEMBERS
  A fourth one, which waits until it is added:
    beaverd --id 4 --dir data/4 --listen 127.0.0.1:7104
    curl -X POST localhost:7101/v1/members -d '{\"id\": 4, \"address\": \"127.0.0.1:7104\"}'
    curl -X POST localhost:7101/v1/members/4/promote
  A job:
    curl -X POST localhost:7101/v1/jobs -d '{\"id\": \"a\", \"payload\": {\"to\": \"ann\"}}'
    curl -X POST localhost:7102/v1/dispatch
    curl -X POST localhost:7103/v1/jobs/a/ack -d '{\"attempt\": 1}'
    curl localhost:7101/v1/jobs/a

Exit codes: 0 ended by SIGTERM or SIGINT; 1 it could not start or go on, and the message says why;
2 the command line is wrong.

Nodes trust each other and their clients: there is neither encryption nor a password. Listen on
addresses that nobody else reaches.
";

/// One node of a replicated job queue. What it has acknowledged is on the disks of a majority.
#[derive(Clone, Debug, Parser)]
#[command(name = "beaverd", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// The number of this node: its own for ever. A node that has lost its directory comes back
    /// under a new number
    #[arg(long, value_name = "N")]
    pub id: u64,
    /// Where its log, its snapshots and its identity are. Made if it is not there
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// Where clients and the other nodes reach it: one port for both
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// The members that a new cluster begins with, this node among them, the same list for each.
    /// Once the cluster has begun, its log says who is a member, and this list says nothing. A node
    /// without a list waits until it is added
    #[arg(long, value_name = "N=ADDRESS:PORT,…", value_delimiter = ',', value_parser = member)]
    pub members: Vec<(u64, SocketAddr)>,
    /// The name of the cluster. Nodes of another one are refused
    #[arg(long, value_name = "NAME", default_value = "beaver", value_parser = cluster_name)]
    pub cluster: String,
    /// Reach node N there, whatever the membership says: for proxies and translated addresses
    #[arg(long, value_name = "N=ADDRESS:PORT,…", value_delimiter = ',', value_parser = member)]
    pub route: Vec<(u64, SocketAddr)>,
    /// A leader that was not heard of for this long is replaced (up to twice as long, drawn at
    /// random). Heartbeats come five times as often
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    pub election_ms: u64,
    /// A request that is not answered in this time is answered with an error
    #[arg(long, value_name = "MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(50..=600_000))]
    pub request_ms: u64,
    /// A snapshot of the queue is written after this many entries of the log
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub snapshot_every: u64,
}

impl Arguments {
    /// The founding members by number.
    ///
    /// # Errors
    /// A number stands twice, or this node is not among them. The text says which.
    pub fn founders(&self) -> Result<BTreeMap<u64, SocketAddr>, String> {
        let founders = distinct("--members", &self.members)?;
        if !founders.is_empty() && !founders.contains_key(&self.id) {
            let id = self.id;
            return Err(format!("--members does not name this node, {id}"));
        }
        Ok(founders)
    }

    /// Where to reach nodes in place of their addresses in the membership.
    ///
    /// # Errors
    /// A number stands twice.
    pub fn routes(&self) -> Result<BTreeMap<u64, SocketAddr>, String> {
        distinct("--route", &self.route)
    }
}

fn distinct(flag: &str, pairs: &[(u64, SocketAddr)]) -> Result<BTreeMap<u64, SocketAddr>, String> {
    let mut found = BTreeMap::new();
    for (id, address) in pairs {
        if found.insert(*id, *address).is_some() {
            return Err(format!("{flag} names node {id} twice"));
        }
    }
    Ok(found)
}

fn member(text: &str) -> Result<(u64, SocketAddr), String> {
    let (id, address) = text
        .split_once('=')
        .ok_or("it must look like 1=127.0.0.1:7101")?;
    let id = id
        .parse()
        .map_err(|_| format!("{id:?} is not the number of a node"))?;
    let address = address
        .parse()
        .map_err(|_| format!("{address:?} is not an address with a port"))?;
    Ok((id, address))
}

fn cluster_name(text: &str) -> Result<String, String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let is_name = (1..=64).contains(&text.len()) && text.chars().all(fits);
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| "1 to 64 letters, digits, and -_.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(more: &[&str]) -> Result<Arguments, clap::Error> {
        let always = [
            "beaverd",
            "--id",
            "1",
            "--dir",
            "d",
            "--listen",
            "127.0.0.1:1",
        ];
        Arguments::try_parse_from(always.iter().chain(more))
    }

    #[test]
    fn members_are_a_list_of_numbers_and_addresses() {
        let arguments = parse(&["--members", "1=127.0.0.1:1,2=127.0.0.1:2"]).unwrap();
        let founders = arguments.founders().unwrap();
        assert_eq!(founders.keys().copied().collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_wrong_list_is_refused_with_its_reason() {
        let twice = parse(&["--members", "1=127.0.0.1:1,1=127.0.0.1:2"]).unwrap();
        assert_eq!(
            twice.founders().unwrap_err(),
            "--members names node 1 twice"
        );
        let without = parse(&["--members", "2=127.0.0.1:2"]).unwrap();
        let error = without.founders().unwrap_err();
        assert_eq!(error, "--members does not name this node, 1");
        for (text, reason) in [
            ("1", "must look like"),
            ("x=127.0.0.1:1", "\"x\""),
            ("1=here", "\"here\""),
        ] {
            let error = parse(&["--members", text]).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_name_with_spaces_names_no_cluster() {
        assert!(parse(&["--cluster", "a b"]).is_err());
        assert_eq!(parse(&["--cluster", "a-b"]).unwrap().cluster, "a-b");
    }
}
