//! A network between the nodes that can be cut, one way or both ways.
//!
//! For each pair of nodes there is a proxy to which the one connects when it means the other. What
//! travels on a way that is cut is swallowed. A connection that has lost bytes ends when the way is
//! whole again, as one does that has waited too long.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The ways that are cut: (from, to).
type Cuts = Arc<Mutex<BTreeSet<(u64, u64)>>>;

/// How often a way looks whether it is whole again.
const LOOK: Duration = Duration::from_millis(20);

/// The proxies of all pairs.
#[derive(Debug)]
pub(crate) struct Proxies {
    cuts: Cuts,
    addresses: BTreeMap<(u64, u64), SocketAddr>,
}

impl Proxies {
    /// Proxies between nodes with these addresses.
    pub(crate) fn between(nodes: &BTreeMap<u64, SocketAddr>) -> Self {
        let cuts = Cuts::default();
        let mut addresses = BTreeMap::new();
        for from in nodes.keys() {
            for (to, target) in nodes.iter().filter(|(to, _)| *to != from) {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
                let address = listener.local_addr().expect("its address");
                addresses.insert((*from, *to), address);
                let (cuts, pair, target) = (Arc::clone(&cuts), (*from, *to), *target);
                thread::spawn(move || accept(&listener, target, pair, &cuts));
            }
        }
        Proxies { cuts, addresses }
    }

    /// The arguments by which node `from` reaches the others through the proxies.
    pub(crate) fn routes(&self, from: u64) -> Vec<String> {
        let own = self
            .addresses
            .iter()
            .filter(|((start, _), _)| *start == from);
        let routes: Vec<String> = own
            .map(|((_, to), address)| format!("{to}={address}"))
            .collect();
        vec!["--route".to_owned(), routes.join(",")]
    }

    /// From now on these ways are cut, and no others.
    pub(crate) fn cut(&self, ways: impl IntoIterator<Item = (u64, u64)>) {
        *self.cuts.lock().unwrap() = ways.into_iter().collect();
    }
}

fn accept(listener: &TcpListener, target: SocketAddr, (from, to): (u64, u64), cuts: &Cuts) {
    for caller in listener.incoming().flatten() {
        // A node that is down refuses; here the connection ends.
        let Ok(called) = TcpStream::connect(target) else {
            continue;
        };
        let ways = [
            (caller.try_clone(), called.try_clone(), (from, to)),
            (Ok(called), Ok(caller), (to, from)),
        ];
        for (source, sink, way) in ways {
            let (Ok(source), Ok(sink)) = (source, sink) else {
                continue;
            };
            let cuts = Arc::clone(cuts);
            thread::spawn(move || carry(source, sink, way, &cuts));
        }
    }
}

fn carry(mut source: TcpStream, mut sink: TcpStream, way: (u64, u64), cuts: &Cuts) {
    let mut buffer = [0; 16 << 10];
    let mut lost = false;
    source
        .set_read_timeout(Some(LOOK))
        .expect("a time that is not zero");
    sink.set_nodelay(true).ok();
    loop {
        let is_cut = cuts.lock().unwrap().contains(&way);
        if lost && !is_cut {
            break;
        }
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) if is_cut => lost = true,
            Ok(count) => {
                if sink.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            Err(error) if is_timeout(&error) => {}
            Err(_) => break,
        }
    }
    source.shutdown(Shutdown::Both).ok();
    sink.shutdown(Shutdown::Both).ok();
}

fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    [Interrupted, TimedOut, WouldBlock].contains(&error.kind())
}
