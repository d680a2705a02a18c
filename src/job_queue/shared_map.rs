//! Every job ever enqueued, by name, in a map whose clone costs nothing.
//!
//! A checkpoint needs a copy of the state while the log goes on. Copying a million jobs would stall it, so clones share everything and
//! a change copies only the path from the root to the leaf that it touches.
//!
//! # Shape
//! A tree over the CRC-32 of the names, four bits a level, with sorted leaves of at most [`LEAF_LIMIT`] entries. Nothing is ever
//! removed, so the shape is a pure function of the set of names: the order of insertion does not matter, equal maps have equal trees,
//! and iteration is deterministic. Names with the same checksum, made on purpose perhaps, end up in an ordinary ordered map: that costs
//! logarithmic time, never linear time.

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
        let hash = hash(id);
        let mut node = &*self.root;
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

    /// The value of `id`, to change it. Copies what is shared with a clone, also when the caller changes nothing in the end.
    pub(super) fn get_mut(&mut self, id: &JobId) -> Option<&mut V> {
        let hash = hash(id);
        let mut node = &mut self.root;
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
