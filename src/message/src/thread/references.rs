//! REFERENCES and REFS: threads by what messages refer to.

use super::pruned::Tree;
use super::tree::Forest;
use super::{MAX_ABSENT, MAX_CLIMB, MAX_REFERENCES, Member, NONE};
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

/// Messages on their way into threads. Nodes below the number of messages are
/// messages once all are added; the others are absent.
pub struct References {
    /// Nobody can make two IDs meet without knowing its keys.
    hasher: RandomState,
    ids: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    nodes: Vec<Node>,
    members: Vec<Member>,
    /// The nodes of messages in the order in which they were added.
    of_message: Vec<u32>,
    absent: usize,
}

/// For numbers that are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(b);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[derive(Clone, Copy, Debug)]
struct Node {
    parent: u32,
    /// Nodes whose parent it is.
    children: u32,
    /// Which message it is.
    message: u32,
}

const ABSENT: Node = Node {
    parent: NONE,
    children: 0,
    message: NONE,
};

impl Default for References {
    fn default() -> Self {
        Self::new()
    }
}

impl References {
    pub fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            ids: HashMap::default(),
            nodes: Vec::new(),
            members: Vec::new(),
            of_message: Vec::new(),
            absent: 0,
        }
    }

    /// An ID as [`References::add`] wants it.
    pub fn hash(&self, id: &[u8]) -> u64 {
        self.hasher.hash_one(id)
    }

    /// Adds a message behind all others: its own ID and those that it refers
    /// to, the farthest first (steps 1.A and 1.B).
    pub fn add(&mut self, member: Member, id: Option<u64>, references: &[u64]) {
        let node = self.own_node(id);
        self.members.push(member);
        self.of_message.push(node);
        let skip = references.len().saturating_sub(MAX_REFERENCES);
        let mut last = NONE;
        for &reference in references.get(skip..).unwrap_or_default() {
            let Some(this) = self.node_of(reference) else {
                continue;
            };
            // An existing link is left alone.
            if last != NONE && self.parent(this) == NONE && !self.closes_circle(last, this) {
                self.link(last, this);
            }
            last = this;
        }
        self.unlink(node);
        if last != NONE && !self.closes_circle(last, node) {
            self.link(last, node);
        }
    }

    /// The node of a new message.
    fn own_node(&mut self, id: Option<u64>) -> u32 {
        let message = u32::try_from(self.of_message.len()).unwrap_or(NONE);
        let next = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        if let Some(id) = id {
            let node = *self.ids.entry(id).or_insert(next);
            match self.nodes.get_mut(node as usize) {
                // It was referred to before.
                Some(found) if found.message == NONE => {
                    found.message = message;
                    self.absent = self.absent.saturating_sub(1);
                    return node;
                }
                // A message with the same ID came first: this one has none.
                Some(_) | None => {}
            }
        }
        self.nodes.push(Node { message, ..ABSENT });
        next
    }

    fn node_of(&mut self, id: u64) -> Option<u32> {
        if let Some(&node) = self.ids.get(&id) {
            return Some(node);
        }
        if self.absent >= MAX_ABSENT {
            return None;
        }
        let node = u32::try_from(self.nodes.len()).ok()?;
        self.nodes.push(ABSENT);
        self.ids.insert(id, node);
        self.absent += 1;
        Some(node)
    }

    fn parent(&self, node: u32) -> u32 {
        self.nodes.get(node as usize).map_or(NONE, |n| n.parent)
    }

    /// Whether `parent` is `child` or below it, or so deep that nobody knows.
    fn closes_circle(&self, parent: u32, child: u32) -> bool {
        let has_children = self
            .nodes
            .get(child as usize)
            .is_some_and(|n| n.children > 0);
        if parent == child || !has_children {
            return parent == child;
        }
        let mut at = parent;
        for _ in 0..MAX_CLIMB {
            at = self.parent(at);
            if at == NONE || at == child {
                return at == child;
            }
        }
        true
    }

    fn link(&mut self, parent: u32, child: u32) {
        if let Some(node) = self.nodes.get_mut(child as usize) {
            node.parent = parent;
        }
        if let Some(node) = self.nodes.get_mut(parent as usize) {
            node.children += 1;
        }
    }

    fn unlink(&mut self, child: u32) {
        let parent = self.parent(child);
        if let Some(node) = self.nodes.get_mut(child as usize) {
            node.parent = NONE;
        }
        if let Some(node) = self.nodes.get_mut(parent as usize) {
            node.children = node.children.saturating_sub(1);
        }
    }

    /// REFERENCES: steps 2 to 6.
    pub fn references(self) -> Forest {
        let mut tree = self.pruned();
        tree.merge_subjects();
        let order = tree.order_by_own_date();
        Forest::new(&order, &tree.parents, tree.messages)
    }

    /// REFS: steps 2, 3 and 6, threads in the order of their latest messages.
    pub fn refs(self) -> Forest {
        let tree = self.pruned();
        let order = tree.order_by_latest();
        Forest::new(&order, &tree.parents, tree.messages)
    }

    /// Steps 2 and 3: absent messages go, but for those that hold siblings
    /// together at the top.
    fn pruned(self) -> Tree {
        let Self {
            ids,
            nodes,
            members,
            of_message,
            ..
        } = self;
        drop(ids);
        let tops = tops_of_absent(&nodes);
        let messages = u32::try_from(of_message.len()).unwrap_or(NONE);
        let mut parents = Vec::with_capacity(of_message.len());
        // How many children an absent node at the top is left with.
        let mut held = vec![0u32; nodes.len()];
        for &node in &of_message {
            let parent = nodes.get(node as usize).map_or(NONE, |n| n.parent);
            let holder = holder(&nodes, &tops, parent);
            if let Holder::Absent(top) = holder
                && let Some(count) = held.get_mut(top as usize)
            {
                *count += 1;
            }
            parents.push(holder);
        }
        let mut numbers: HashMap<u32, u32> = HashMap::new();
        let mut next = messages;
        let parents = parents.into_iter().map(|holder| match holder {
            Holder::None => NONE,
            Holder::Message(message) => message,
            Holder::Absent(top) if held.get(top as usize).is_none_or(|&n| n < 2) => NONE,
            Holder::Absent(top) => *numbers.entry(top).or_insert_with(|| {
                next += 1;
                next - 1
            }),
        });
        let mut parents: Vec<u32> = parents.collect();
        parents.resize(next as usize, NONE);
        Tree {
            parents,
            members,
            messages,
        }
    }
}

/// Whose child a message is once absent ones are passed over.
#[derive(Clone, Copy)]
enum Holder {
    None,
    Message(u32),
    /// An absent node without a parent.
    Absent(u32),
}

fn holder(nodes: &[Node], tops: &[u32], parent: u32) -> Holder {
    let Some(node) = nodes.get(parent as usize) else {
        return Holder::None;
    };
    if node.message != NONE {
        return Holder::Message(node.message);
    }
    let top = tops.get(parent as usize).copied().unwrap_or(parent);
    match nodes.get(top as usize) {
        Some(node) if node.message != NONE => Holder::Message(node.message),
        _ => Holder::Absent(top),
    }
}

/// For each absent node, the first message above it, or else the absent node
/// at the top.
fn tops_of_absent(nodes: &[Node]) -> Vec<u32> {
    let mut tops = vec![NONE; nodes.len()];
    let mut path = Vec::new();
    for start in 0..u32::try_from(nodes.len()).unwrap_or(NONE) {
        let mut at = start;
        let top = loop {
            let Some(node) = nodes.get(at as usize) else {
                break at;
            };
            if node.message != NONE {
                break at;
            }
            let known = tops.get(at as usize).copied().unwrap_or(NONE);
            if known != NONE {
                break known;
            }
            path.push(at);
            if node.parent == NONE {
                break at;
            }
            at = node.parent;
        };
        for node in path.drain(..) {
            if let Some(slot) = tops.get_mut(node as usize) {
                *slot = top;
            }
        }
    }
    tops
}
