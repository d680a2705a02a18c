//! Fates of messages.

use super::*;
use crate::draws::Draws;
use crate::executor::Installed;
use beaver_sim::scenario::Range;

fn message() -> Message {
    Message {
        kind: "hello",
        summary: String::new(),
        body: Arc::new(()),
    }
}

fn network() -> Network {
    let mut network = Network::new(true);
    for node in 1..=3 {
        network.settle(node, node);
    }
    network
}

/// Of `count` messages from one node to another: when each arrives, in the order in which they were sent.
fn arrivals(
    network: &mut Network,
    executor: &Installed,
    from: NodeId,
    to: NodeId,
    count: u64,
) -> Vec<Vec<u64>> {
    for _ in 0..count {
        network.send(executor, from, to, message());
    }
    let log = network.log.as_mut().unwrap();
    let fates = log.drain(..).map(|record| match record.fate {
        MessageFate::Arrives(times) => times,
        MessageFate::Dropped(_) => Vec::new(),
    });
    fates.collect()
}

#[test]
fn a_partition_cuts_both_ways_or_one_and_ends_by_itself() {
    let executor = Executor::install(Draws::new(1, false));
    for (direction, cut) in [
        (Direction::Both, [true, true]),
        (Direction::Out, [true, false]),
        (Direction::In, [false, true]),
    ] {
        let mut network = network();
        network.cut([1].into(), direction, executor.now() + 1_000_000);
        let mut is_cut = |from, to| arrivals(&mut network, &executor, from, to, 1)[0].is_empty();
        assert_eq!([is_cut(1, 2), is_cut(2, 1)], cut, "{direction:?}");
        assert!(!is_cut(2, 3) && !is_cut(3, 2), "the others are one side");
        while executor.turn(executor.now() + 1_000_000) != crate::executor::Turn::Idle {}
        let mut is_cut = |from, to| arrivals(&mut network, &executor, from, to, 1)[0].is_empty();
        assert!(!is_cut(1, 2) && !is_cut(2, 1));
    }
}

#[test]
fn a_partition_stays_with_the_machine_when_its_node_is_replaced() {
    let executor = Executor::install(Draws::new(1, false));
    let mut network = network();
    network.cut([1].into(), Direction::Both, 1_000_000);
    network.settle(4, 1);
    assert_eq!(network.nodes(), [2, 3, 4]);
    assert!(arrivals(&mut network, &executor, 4, 2, 1)[0].is_empty());
}

#[test]
fn messages_are_lost_doubled_and_overtaken_as_often_as_the_rates_say() {
    let executor = Executor::install(Draws::new(1, false));
    let mut network = network();
    network.set_rates(NetworkRates {
        drop_per_mille: 200,
        duplicate_per_mille: 100,
        slow_per_mille: 100,
        delay_us: Range::new(100, 1_000),
    });
    let sent = arrivals(&mut network, &executor, 1, 2, 2_000);
    let count = |copies: usize| sent.iter().filter(|times| times.len() == copies).count();
    assert!((300..500).contains(&count(0)), "{}", count(0));
    assert!((100..250).contains(&count(2)), "{}", count(2));
    let first = sent.iter().filter_map(|times| times.first());
    let times: Vec<u64> = first.copied().collect();
    assert!(times.windows(2).any(|pair| pair[0] > pair[1]));
    assert!(times.iter().any(|time| *time > 1_000_000));
    assert_eq!(network.traffic.messages, 2_000);
    assert_eq!(network.traffic.dropped, count(0) as u64);
    assert_eq!(network.traffic.duplicated, count(2) as u64);
}

#[test]
fn what_is_under_way_arrives_in_the_order_of_its_times() {
    let executor = Executor::install(Draws::new(3, false));
    let mut network = network();
    arrivals(&mut network, &executor, 1, 2, 20);
    let mut before = 0;
    let mut count = 0;
    while let Some(at) = network.next() {
        assert!(at >= before && network.take(at - 1).is_none());
        let arrival = network.take(at).unwrap();
        assert_eq!((arrival.from, arrival.to), (1, 2));
        (before, count) = (at, count + 1);
    }
    assert_eq!(count, 20);
}

#[test]
fn only_the_process_of_a_node_that_is_up_is_live() {
    let mut network = network();
    let process = |number| ProcessId { node: 2, number };
    network.comes_up(process(1));
    assert!(network.is_live(process(1)) && !network.is_live(process(2)));
    network.goes_down(process(1));
    assert!(!network.is_live(process(1)));
    assert!(network.is_live(ProcessId::WORLD));
}
