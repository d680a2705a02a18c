//! From the name of a job to its number, in an index whose clone is cheap.
//!
//! # Shape
//! A tree over the CRC-32 of the names, four bits a level, with leaves of at most [`LEAF_LIMIT`]
//! entries, sorted by hash. A leaf has hashes and numbers but no names: a search looks at the name
//! of a job only if its hash is the right one. Hashes are spread evenly, so a search begins at the
//! place where its hash should be and ends a few steps away: in a large index each memory line that
//! is not touched is time. Clones share all nodes; a change copies the path to the leaf that it
//! touches.
//!
//! Nothing is ever removed, so the shape is a pure function of the jobs: equal states have equal
//! indexes, however they came about. Names with the same checksum, made on purpose perhaps, end up
//! in an ordinary ordered map: that costs logarithmic time, never linear time.

// Why not `rpds`, whose maps and lists are made for cheap clones? Both were measured in place of
// this index and of `shared_list` (a million jobs, nanoseconds for each, the best of five runs in
// turn):
//
//                                     these   HashTrieMap, Vector and Queue of rpds
//   applying 1 M events of whole lives  135      290
//   applying 1 M ENQUEUEs               387    1,052
//   finding a job by its name           533    1,698
//   writing a snapshot                  111      379
//   restoring one                       320      942
//   memory of 1 M pending jobs       134 MB   348 MB
//   a clone                          198 us   0.3 us
//
// rpds wraps each item in an `Arc` of its own and keeps each name a second time. A clone is made
// once a checkpoint, so its 0.2 ms do not outweigh a replay at half the speed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::JobId;

const LEAF_LIMIT: usize = 512;
const FANOUT: usize = 16;
const BITS: u32 = 4;

/// An index from names to numbers that only grows. The names themselves are kept elsewhere: every
/// call is told how to find the name of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NameIndex {
    root: Node,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Leaf(Arc<Leaf>),
    /// One child for each value of the next four bits of the hash.
    Branch(Arc<[Node; FANOUT]>),
    /// All bits of the hash are used up.
    SameHash(Arc<BTreeMap<JobId, usize>>),
}

/// Two lists side by side, sorted by hash, then number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Leaf {
    hashes: Vec<u32>,
    numbers: Vec<usize>,
}

fn hash(id: &JobId) -> u32 {
    crc32fast::hash(id.as_str().as_bytes())
}

/// Which child of a branch at `depth` leads to `hash`.
fn child(hash: u32, depth: u32) -> usize {
    let nibble = hash >> (u32::BITS - BITS * (depth + 1)) & 0xf;
    nibble as usize
}

impl Leaf {
    /// The place of the first hash that is not below `hash`, in a leaf at `depth`.
    fn first(&self, hash: u32, depth: u32) -> usize {
        // The bits that this leaf's hashes do not share say how far inside it a hash lies.
        let inside = u64::from(hash.checked_shl(BITS * depth).unwrap_or(0));
        let mut at = ((inside * self.hashes.len() as u64) >> u32::BITS) as usize;
        while at > 0 && self.hashes[at - 1] >= hash {
            at -= 1;
        }
        while at < self.hashes.len() && self.hashes[at] < hash {
            at += 1;
        }
        at
    }

    /// The numbers that have `hash`, from the place of the first one on.
    fn numbers_of(&self, hash: u32, first: usize) -> impl Iterator<Item = usize> {
        let all = self.hashes[first..].iter().zip(&self.numbers[first..]);
        let same = all.take_while(move |(other, _)| **other == hash);
        same.map(|(_, number)| *number)
    }

    fn insert(&mut self, hash: u32, number: usize, depth: u32) {
        let first = self.first(hash, depth);
        let before = self
            .numbers_of(hash, first)
            .take_while(|other| *other < number);
        let at = first + before.count();
        self.hashes.insert(at, hash);
        self.numbers.insert(at, number);
    }
}

impl NameIndex {
    pub(super) fn new() -> Self {
        NameIndex {
            root: Node::Leaf(Arc::default()),
        }
    }

    /// The index of `count` names at once, which is several times faster than one after another.
    /// The same index either way.
    ///
    /// # Errors
    /// A name stands there twice: the lowest number whose name a lower one has.
    pub(super) fn of<'a>(count: usize, name: impl Fn(usize) -> &'a JobId) -> Result<Self, usize> {
        let mut entries: Vec<(u32, usize)> = (0..count)
            .map(|number| (hash(name(number)), number))
            .collect();
        entries.sort_unstable();
        let same_hash = entries.chunk_by(|one, other| one.0 == other.0);
        let twice = same_hash.filter_map(|entries| first_twice(entries, &name));
        match twice.min() {
            Some(number) => Err(number),
            None => Ok(NameIndex {
                root: node_of(&entries, 0, &name),
            }),
        }
    }

    /// The number of `id`.
    pub(super) fn find<'a>(&self, id: &JobId, name: impl Fn(usize) -> &'a JobId) -> Option<usize> {
        find(&self.root, hash(id), id, name)
    }

    /// Adds `id`, which must not be there yet.
    pub(super) fn insert<'a>(
        &mut self,
        id: &JobId,
        number: usize,
        name: impl Fn(usize) -> &'a JobId,
    ) {
        insert(&mut self.root, hash(id), id, number, name);
    }
}

/// The lowest number among `entries`, which are sorted, whose name a lower one has.
fn first_twice<'a>(entries: &[(u32, usize)], name: impl Fn(usize) -> &'a JobId) -> Option<usize> {
    if entries.len() == 1 {
        return None;
    }
    let mut names = BTreeSet::new();
    let mut numbers = entries.iter().map(|(_, number)| *number);
    numbers.find(|number| !names.insert(name(*number)))
}

/// The node at `depth` that holds `entries`, which are sorted.
fn node_of<'a>(entries: &[(u32, usize)], depth: u32, name: &impl Fn(usize) -> &'a JobId) -> Node {
    if entries.len() <= LEAF_LIMIT {
        let (hashes, numbers) = entries.iter().copied().unzip();
        return Node::Leaf(Arc::new(Leaf { hashes, numbers }));
    }
    if depth * BITS == u32::BITS {
        let named = entries
            .iter()
            .map(|(_, number)| (name(*number).clone(), *number));
        return Node::SameHash(Arc::new(named.collect()));
    }
    let mut rest = entries;
    let children = std::array::from_fn(|place| {
        let (own, others) =
            rest.split_at(rest.partition_point(|(hash, _)| child(*hash, depth) <= place));
        rest = others;
        node_of(own, depth + 1, name)
    });
    Node::Branch(Arc::new(children))
}

fn find<'a>(
    mut node: &Node,
    hash: u32,
    id: &JobId,
    name: impl Fn(usize) -> &'a JobId,
) -> Option<usize> {
    let mut depth = 0;
    loop {
        match node {
            Node::Branch(children) => node = &children[child(hash, depth)],
            Node::Leaf(leaf) => {
                let first = leaf.first(hash, depth);
                let mut numbers = leaf.numbers_of(hash, first);
                return numbers.find(|number| name(*number) == id);
            }
            Node::SameHash(map) => return map.get(id).copied(),
        }
        depth += 1;
    }
}

fn insert<'a>(
    mut node: &mut Node,
    hash: u32,
    id: &JobId,
    number: usize,
    name: impl Fn(usize) -> &'a JobId,
) {
    let mut depth = 0;
    loop {
        if let Node::Leaf(leaf) = node
            && leaf.hashes.len() == LEAF_LIMIT
        {
            *node = split(leaf, depth, &name);
        }
        match node {
            Node::Branch(children) => node = &mut Arc::make_mut(children)[child(hash, depth)],
            Node::Leaf(leaf) => return Arc::make_mut(leaf).insert(hash, number, depth),
            Node::SameHash(map) => {
                Arc::make_mut(map).insert(id.clone(), number);
                return;
            }
        }
        depth += 1;
    }
}

/// What a full leaf at `depth` becomes.
fn split<'a>(leaf: &Leaf, depth: u32, name: impl Fn(usize) -> &'a JobId) -> Node {
    if depth * BITS == u32::BITS {
        let named = leaf
            .numbers
            .iter()
            .map(|number| (name(*number).clone(), *number));
        return Node::SameHash(Arc::new(named.collect()));
    }
    let mut leaves: [Leaf; FANOUT] = Default::default();
    for (hash, number) in leaf.hashes.iter().zip(&leaf.numbers) {
        let leaf = &mut leaves[child(*hash, depth)];
        leaf.hashes.push(*hash);
        leaf.numbers.push(*number);
    }
    Node::Branch(Arc::new(leaves.map(|leaf| Node::Leaf(Arc::new(leaf)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<JobId> {
        let name = |number| JobId::new(format!("job-{number}")).unwrap();
        (0..count).map(name).collect()
    }

    fn index_of(names: &[JobId]) -> NameIndex {
        let mut index = NameIndex::new();
        for (number, id) in names.iter().enumerate() {
            index.insert(id, number, |number| &names[number]);
        }
        index
    }

    #[test]
    fn every_name_is_found_and_no_other() {
        let names = names(20_000);
        let index = index_of(&names[..15_000]);
        for (number, id) in names.iter().enumerate() {
            let expected = (number < 15_000).then_some(number);
            assert_eq!(index.find(id, |number| &names[number]), expected);
        }
    }

    #[test]
    fn shape_does_not_depend_on_the_order_of_insertion() {
        let names = names(3000);
        let mut backwards = NameIndex::new();
        for (number, id) in names.iter().enumerate().rev() {
            backwards.insert(id, number, |number| &names[number]);
        }
        assert_eq!(backwards, index_of(&names));
    }

    #[test]
    fn all_at_once_is_the_same_as_one_after_another() {
        for count in [0, 1, LEAF_LIMIT, LEAF_LIMIT + 1, 9_000] {
            let names = names(count);
            let at_once = NameIndex::of(count, |number| &names[number]);
            assert_eq!(at_once, Ok(index_of(&names)), "{count}");
        }
    }

    #[test]
    fn a_name_that_stands_there_twice_is_noticed() {
        let mut names = names(9_000);
        names[7_000] = names[1].clone();
        names[8_000] = names[3].clone();
        names[8_500] = names[1].clone();
        let at_once = NameIndex::of(names.len(), |number| &names[number]);
        assert_eq!(at_once, Err(7_000));
    }

    #[test]
    fn many_names_with_one_hash_are_one_map_at_once_too() {
        let names = names(1000);
        let hash = 0xabad_cafe;
        let mut root = Node::Leaf(Arc::default());
        let mut entries = Vec::new();
        for (number, id) in names.iter().enumerate() {
            insert(&mut root, hash, id, number, |number| &names[number]);
            entries.push((hash, number));
        }
        assert_eq!(node_of(&entries, 0, &|number| &names[number]), root);
    }

    #[test]
    fn change_copies_one_path_and_shares_the_rest() {
        let names = names(1001);
        let original = index_of(&names[..1000]);
        let mut changed = original.clone();
        changed.insert(&names[1000], 1000, |number| &names[number]);
        assert_eq!(original, index_of(&names[..1000]));
        assert_eq!(changed, index_of(&names));
        let (Node::Branch(before), Node::Branch(after)) = (&original.root, &changed.root) else {
            panic!("1000 names are more than a leaf holds");
        };
        let same = |(a, b): &(&Node, &Node)| match (a, b) {
            (Node::Leaf(a), Node::Leaf(b)) => Arc::ptr_eq(a, b),
            _ => false,
        };
        assert_eq!(
            before.iter().zip(after.iter()).filter(same).count(),
            FANOUT - 1
        );
    }

    #[test]
    fn names_with_the_same_hash_are_kept_apart() {
        let names = names(1000);
        let hash = 0xabad_cafe;
        for count in [LEAF_LIMIT, 1000] {
            let mut root = Node::Leaf(Arc::default());
            for (number, id) in names[..count].iter().enumerate() {
                insert(&mut root, hash, id, number, |number| &names[number]);
            }
            for (number, id) in names.iter().enumerate() {
                let expected = (number < count).then_some(number);
                assert_eq!(find(&root, hash, id, |number| &names[number]), expected);
            }
        }
    }
}
