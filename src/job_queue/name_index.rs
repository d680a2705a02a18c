//! From the name of a job to its number, in an index whose clone is cheap.
//!
//! # Shape
//! A tree over the CRC-32 of the names, four bits a level, with leaves of at most [`LEAF_LIMIT`]
//! entries, sorted. A leaf has hashes and numbers but no names: a search looks at the name of a job
//! only if its hash is the right one, so the index of a million jobs stays in the cache. Clones
//! share all nodes; a change copies the path to the leaf that it touches.
//!
//! Nothing is ever removed, so the shape is a pure function of the jobs: equal states have equal
//! indexes, however they came about. Names with the same checksum, made on purpose perhaps, end up
//! in an ordinary ordered map: that costs logarithmic time, never linear time.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::JobId;

const LEAF_LIMIT: usize = 128;
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
    /// Sorted by hash, then number.
    Leaf(Arc<Vec<Entry>>),
    /// One child for each value of the next four bits of the hash.
    Branch(Arc<[Node; FANOUT]>),
    /// All bits of the hash are used up.
    SameHash(Arc<BTreeMap<JobId, usize>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    hash: u32,
    number: usize,
}

fn hash(id: &JobId) -> u32 {
    crc32fast::hash(id.as_str().as_bytes())
}

/// Which child of a branch at `depth` leads to `hash`.
fn child(hash: u32, depth: u32) -> usize {
    let nibble = hash >> (u32::BITS - BITS * (depth + 1)) & 0xf;
    nibble as usize
}

impl NameIndex {
    pub(super) fn new() -> Self {
        NameIndex {
            root: Node::Leaf(Arc::default()),
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
        let hash = hash(id);
        insert(&mut self.root, Entry { hash, number }, id, name);
    }
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
                let first = leaf.partition_point(|entry| entry.hash < hash);
                let same_hash = leaf[first..].iter().take_while(|entry| entry.hash == hash);
                let mut numbers = same_hash.map(|entry| entry.number);
                return numbers.find(|number| name(*number) == id);
            }
            Node::SameHash(map) => return map.get(id).copied(),
        }
        depth += 1;
    }
}

fn insert<'a>(mut node: &mut Node, entry: Entry, id: &JobId, name: impl Fn(usize) -> &'a JobId) {
    let mut depth = 0;
    loop {
        if let Node::Leaf(leaf) = node
            && leaf.len() == LEAF_LIMIT
        {
            *node = split(leaf, depth, &name);
        }
        match node {
            Node::Branch(children) => {
                node = &mut Arc::make_mut(children)[child(entry.hash, depth)];
            }
            Node::Leaf(leaf) => {
                let at = leaf.partition_point(|other| *other < entry);
                Arc::make_mut(leaf).insert(at, entry);
                return;
            }
            Node::SameHash(map) => {
                Arc::make_mut(map).insert(id.clone(), entry.number);
                return;
            }
        }
        depth += 1;
    }
}

/// What a full leaf at `depth` becomes.
fn split<'a>(leaf: &[Entry], depth: u32, name: impl Fn(usize) -> &'a JobId) -> Node {
    if depth * BITS == u32::BITS {
        let named = leaf
            .iter()
            .map(|entry| (name(entry.number).clone(), entry.number));
        return Node::SameHash(Arc::new(named.collect()));
    }
    let mut leaves: [Vec<Entry>; FANOUT] = Default::default();
    for entry in leaf {
        leaves[child(entry.hash, depth)].push(*entry);
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
        let names = names(5000);
        let index = index_of(&names[..4000]);
        for (number, id) in names.iter().enumerate() {
            let expected = (number < 4000).then_some(number);
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
        let names = names(300);
        let hash = 0xabad_cafe;
        for count in [LEAF_LIMIT, 300] {
            let mut root = Node::Leaf(Arc::default());
            for (number, id) in names[..count].iter().enumerate() {
                insert(&mut root, Entry { hash, number }, id, |number| {
                    &names[number]
                });
            }
            for (number, id) in names.iter().enumerate() {
                let expected = (number < count).then_some(number);
                assert_eq!(find(&root, hash, id, |number| &names[number]), expected);
            }
        }
    }
}
