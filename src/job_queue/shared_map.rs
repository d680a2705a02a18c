//! Every job ever enqueued, by name, in a map whose clone costs nothing.
//!
//! A checkpoint needs a copy of the state while the log goes on. Copying a million jobs would stall
//! it, so clones share everything and a change copies only the path from the root to the leaf that
//! it touches.
//!
//! # Shape
//! A tree over the CRC-32 of the names, four bits a level, with sorted leaves of at most
//! [`LEAF_LIMIT`] entries. Nothing is ever removed, so the shape is a pure function of the set of
//! names: the order of insertion does not matter, equal maps have equal trees, and iteration is
//! deterministic. Names with the same checksum, made on purpose perhaps, end up in an ordinary
//! ordered map: that costs logarithmic time, never linear time.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::JobId;

const LEAF_LIMIT: usize = 64;
const FANOUT: usize = 16;
const BITS: u32 = 4;

/// A map from job names to `V` that only grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SharedMap<V> {
    root: Arc<Node<V>>,
    len: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node<V> {
    /// Sorted by hash, then name.
    Leaf(Vec<Entry<V>>),
    /// One child for each value of the next four bits of the hash.
    Branch(Box<[Arc<Node<V>>; FANOUT]>),
    /// All bits of the hash are used up.
    SameHash(BTreeMap<JobId, V>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry<V> {
    hash: u32,
    id: JobId,
    value: V,
}

fn hash(id: &JobId) -> u32 {
    crc32fast::hash(id.as_str().as_bytes())
}

/// Which child of a branch at `depth` leads to `hash`.
fn child(hash: u32, depth: u32) -> usize {
    let nibble = hash >> (u32::BITS - BITS * (depth + 1)) & 0xf;
    nibble as usize
}

fn find<V>(leaf: &[Entry<V>], hash: u32, id: &JobId) -> Result<usize, usize> {
    leaf.binary_search_by(|entry| (entry.hash, &entry.id).cmp(&(hash, id)))
}

impl<V: Clone> SharedMap<V> {
    pub(super) fn new() -> Self {
        SharedMap {
            root: Arc::new(Node::Leaf(Vec::new())),
            len: 0,
        }
    }

    /// How many names it has.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn get(&self, id: &JobId) -> Option<&V> {
        get(&self.root, hash(id), id)
    }

    /// The value of `id`, to change it. Copies what is shared with a clone, also when the caller
    /// changes nothing in the end.
    pub(super) fn get_mut(&mut self, id: &JobId) -> Option<&mut V> {
        get_mut(&mut self.root, hash(id), id)
    }

    /// Adds `id`. If it is there already nothing changes and the value that it has is the error.
    pub(super) fn insert(&mut self, id: &JobId, value: V) -> Result<(), &V> {
        insert(&mut self.root, 0, hash(id), id, value)?;
        self.len += 1;
        Ok(())
    }

    /// All entries, in an order that depends on the set of names alone.
    pub(super) fn iter(&self) -> Iter<'_, V> {
        Iter {
            nodes: vec![&self.root],
            leaf: [].iter(),
            same_hash: None,
        }
    }
}

fn get<'a, V>(mut node: &'a Node<V>, hash: u32, id: &JobId) -> Option<&'a V> {
    let mut depth = 0;
    loop {
        match node {
            Node::Branch(children) => node = &children[child(hash, depth)],
            Node::Leaf(leaf) => {
                let at = find(leaf, hash, id).ok()?;
                return Some(&leaf[at].value);
            }
            Node::SameHash(map) => return map.get(id),
        }
        depth += 1;
    }
}

fn get_mut<'a, V: Clone>(
    mut node: &'a mut Arc<Node<V>>,
    hash: u32,
    id: &JobId,
) -> Option<&'a mut V> {
    let mut depth = 0;
    loop {
        match Arc::make_mut(node) {
            Node::Branch(children) => node = &mut children[child(hash, depth)],
            Node::Leaf(leaf) => {
                let at = find(leaf, hash, id).ok()?;
                return Some(&mut leaf[at].value);
            }
            Node::SameHash(map) => return map.get_mut(id),
        }
        depth += 1;
    }
}

fn insert<'a, V: Clone>(
    node: &'a mut Arc<Node<V>>,
    depth: u32,
    hash: u32,
    id: &JobId,
    value: V,
) -> Result<(), &'a V> {
    let node = Arc::make_mut(node);
    if let Node::Leaf(leaf) = node
        && leaf.len() == LEAF_LIMIT
        && find(leaf, hash, id).is_err()
    {
        *node = split(std::mem::take(leaf), depth);
    }
    match node {
        Node::Branch(children) => insert(
            &mut children[child(hash, depth)],
            depth + 1,
            hash,
            id,
            value,
        ),
        Node::Leaf(leaf) => match find(leaf, hash, id) {
            Ok(at) => Err(&leaf[at].value),
            Err(at) => {
                leaf.insert(
                    at,
                    Entry {
                        hash,
                        id: id.clone(),
                        value,
                    },
                );
                Ok(())
            }
        },
        Node::SameHash(map) => match map.entry(id.clone()) {
            std::collections::btree_map::Entry::Occupied(entry) => Err(entry.into_mut()),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(value);
                Ok(())
            }
        },
    }
}

/// What a full leaf at `depth` becomes.
fn split<V>(leaf: Vec<Entry<V>>, depth: u32) -> Node<V> {
    if depth * BITS == u32::BITS {
        return Node::SameHash(
            leaf.into_iter()
                .map(|entry| (entry.id, entry.value))
                .collect(),
        );
    }
    let mut leaves: [Vec<Entry<V>>; FANOUT] = Default::default();
    for entry in leaf {
        leaves[child(entry.hash, depth)].push(entry);
    }
    Node::Branch(Box::new(leaves.map(|leaf| Arc::new(Node::Leaf(leaf)))))
}

/// Iterates over a [`SharedMap`].
pub(super) struct Iter<'a, V> {
    /// Nodes still to visit, the next one last.
    nodes: Vec<&'a Node<V>>,
    leaf: std::slice::Iter<'a, Entry<V>>,
    same_hash: Option<std::collections::btree_map::Iter<'a, JobId, V>>,
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (&'a JobId, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.leaf.next() {
                return Some((&entry.id, &entry.value));
            }
            if let Some(found) = self.same_hash.as_mut().and_then(Iterator::next) {
                return Some(found);
            }
            match self.nodes.pop()? {
                Node::Branch(children) => self.nodes.extend(children.iter().rev().map(|c| &**c)),
                Node::Leaf(leaf) => self.leaf = leaf.iter(),
                Node::SameHash(map) => self.same_hash = Some(map.iter()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn id(number: usize) -> JobId {
        JobId::new(format!("job-{number}")).unwrap()
    }

    fn map_of(numbers: impl IntoIterator<Item = usize>) -> SharedMap<usize> {
        let mut map = SharedMap::new();
        for number in numbers {
            map.insert(&id(number), number).unwrap();
        }
        map
    }

    #[test]
    fn every_name_is_found_and_no_other() {
        let mut map = map_of(0..3000);
        assert_eq!(map.len(), 3000);
        for number in 0..3000 {
            assert_eq!(map.get(&id(number)), Some(&number));
            assert_eq!(map.insert(&id(number), 0), Err(&number));
        }
        assert_eq!(map.get(&id(3000)), None);
        assert_eq!(map.get_mut(&id(3000)), None);
        assert_eq!(map.len(), 3000);
    }

    #[test]
    fn order_of_insertion_does_not_matter() {
        let up = map_of(0..3000);
        let down = map_of((0..3000).rev());
        assert_eq!(up, down);
        assert!(up.iter().eq(down.iter()));
        let names: BTreeMap<_, _> = up.iter().collect();
        assert_eq!(names.len(), 3000);
    }

    #[test]
    fn change_is_not_seen_by_a_clone() {
        let original = map_of(0..500);
        let mut changed = original.clone();
        *changed.get_mut(&id(7)).unwrap() = 0;
        changed.insert(&id(500), 500).unwrap();
        assert_eq!(original, map_of(0..500));
        assert_eq!(changed.get(&id(7)), Some(&0));
        assert_eq!((original.len(), changed.len()), (500, 501));
    }

    #[test]
    fn change_copies_one_path_and_shares_the_rest() {
        let original = map_of(0..500);
        let mut changed = original.clone();
        *changed.get_mut(&id(7)).unwrap() = 0;
        let (Node::Branch(before), Node::Branch(after)) = (&*original.root, &*changed.root) else {
            panic!("500 names are more than a leaf holds");
        };
        let shared = before
            .iter()
            .zip(after.iter())
            .filter(|(a, b)| Arc::ptr_eq(a, b));
        assert_eq!(shared.count(), FANOUT - 1);
    }

    #[test]
    fn names_with_the_same_hash_are_kept_apart() {
        let mut root = Arc::new(Node::Leaf(Vec::new()));
        for number in 0..300 {
            insert(&mut root, 0, 0xabad_cafe, &id(number), number).unwrap();
        }
        for number in 0..300 {
            assert_eq!(get(&root, 0xabad_cafe, &id(number)), Some(&number));
            assert_eq!(
                insert(&mut root, 0, 0xabad_cafe, &id(number), 0),
                Err(&number)
            );
            *get_mut(&mut root, 0xabad_cafe, &id(number)).unwrap() += 1;
        }
        assert_eq!(get(&root, 0xabad_cafe, &id(300)), None);
        let map = SharedMap { root, len: 300 };
        let values: Vec<_> = map.iter().map(|(_, value)| *value).collect();
        assert_eq!(values.iter().sum::<usize>(), 45_150);
    }

    proptest! {
        #[test]
        fn map_does_what_an_ordered_map_does(
            steps in prop::collection::vec((0..300_usize, any::<bool>()), 0..600),
        ) {
            let (mut map, mut model) = (SharedMap::new(), BTreeMap::new());
            for (step, (number, change)) in steps.into_iter().enumerate() {
                let id = id(number);
                if change {
                    let value = map.get_mut(&id).map(|value| std::mem::replace(value, step));
                    prop_assert_eq!(value, model.get_mut(&id).map(|v| std::mem::replace(v, step)));
                } else if map.insert(&id, step).is_ok() {
                    prop_assert_eq!(model.insert(id, step), None);
                }
            }
            let listed: BTreeMap<_, _> = map.iter().map(|(id, value)| (id.clone(), *value)).collect();
            prop_assert_eq!(listed, model);
        }
    }
}
