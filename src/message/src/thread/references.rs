//! REFERENCES and REFS: threads by what messages refer to.

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

/// Messages, and behind them absent nodes, all of these at the top.
struct Tree {
    parents: Vec<u32>,
    members: Vec<Member>,
    messages: u32,
}

impl Tree {
    fn date(&self, message: u32) -> i64 {
        self.members.get(message as usize).map_or(0, |m| m.date)
    }

    fn parent(&self, node: u32) -> u32 {
        self.parents.get(node as usize).copied().unwrap_or(NONE)
    }

    fn set_parent(&mut self, node: u32, parent: u32) {
        if let Some(slot) = self.parents.get_mut(node as usize) {
            *slot = parent;
        }
    }

    fn is_absent(&self, node: u32) -> bool {
        node >= self.messages
    }

    /// For each absent node its child that is sent first (`NONE` if it has
    /// none), counted from the first absent node.
    fn first_children(&self) -> Vec<u32> {
        let absent = self.parents.len().saturating_sub(self.messages as usize);
        let mut first = vec![NONE; absent];
        for message in 0..self.messages {
            let at = self.parent(message).wrapping_sub(self.messages) as usize;
            if self.parent(message) != NONE
                && let Some(slot) = first.get_mut(at)
                && (*slot == NONE || self.date(message) < self.date(*slot))
            {
                *slot = message;
            }
        }
        first
    }

    /// All nodes by sent date, an absent one by its first child; those sent
    /// at the same time as in the mailbox.
    fn order_by_own_date(&self) -> Vec<u32> {
        let first = self.first_children();
        let message_of = |node: u32| match node.checked_sub(self.messages) {
            Some(at) => first.get(at as usize).copied().unwrap_or(NONE),
            None => node,
        };
        let mut order: Vec<u32> = (0..self.parents.len() as u32)
            .filter(|&node| message_of(node) != NONE)
            .collect();
        order.sort_unstable_by_key(|&node| {
            let message = message_of(node);
            (self.date(message), message, !self.is_absent(node))
        });
        order
    }

    /// As before, but what stands at the top by the latest message below it.
    fn order_by_latest(&self) -> Vec<u32> {
        let order = self.order_by_own_date();
        let mut latest: Vec<i64> = (0..self.parents.len() as u32)
            .map(|node| match self.is_absent(node) {
                true => i64::MIN,
                false => self.date(node),
            })
            .collect();
        let tops = self.tops();
        for message in 0..self.messages {
            let date = self.date(message);
            if let Some(&top) = tops.get(message as usize)
                && let Some(slot) = latest.get_mut(top as usize)
            {
                *slot = date.max(*slot);
            }
        }
        let (mut top, mut order): (Vec<u32>, Vec<u32>) = order
            .into_iter()
            .partition(|&node| self.parent(node) == NONE);
        // Stable: those with the same date stay as they are.
        top.sort_by_key(|&node| latest.get(node as usize).copied().unwrap_or(i64::MIN));
        top.append(&mut order);
        top
    }

    /// The node at the top above each message.
    fn tops(&self) -> Vec<u32> {
        let mut tops = vec![NONE; self.messages as usize];
        let mut path = Vec::new();
        for start in 0..self.messages {
            let mut at = start;
            let top = loop {
                let known = tops.get(at as usize).copied().unwrap_or(NONE);
                if known != NONE {
                    break known;
                }
                if !self.is_absent(at) {
                    path.push(at);
                }
                match self.parent(at) {
                    NONE => break at,
                    parent => at = parent,
                }
            };
            for node in path.drain(..) {
                if let Some(slot) = tops.get_mut(node as usize) {
                    *slot = top;
                }
            }
        }
        tops
    }

    /// Step 5: what is at the top and has the same base subject comes
    /// together.
    fn merge_subjects(&mut self) {
        let first = self.first_children();
        let roots: Vec<Root> = self
            .order_by_own_date()
            .into_iter()
            .filter(|&node| self.parent(node) == NONE)
            .filter_map(|node| self.root(node, &first))
            .collect();
        let mut table: HashMap<u64, Root> = HashMap::new();
        for root in &roots {
            let entry = table.entry(root.subject).or_insert(*root);
            let is_better = !self.is_absent(entry.node)
                && (self.is_absent(root.node) || entry.is_reply && !root.is_reply);
            if is_better {
                *entry = *root;
            }
        }
        // Absent nodes whose children have gone to another one.
        let mut moved: HashMap<u32, u32> = HashMap::new();
        for root in &roots {
            let Some(entry) = table.get_mut(&root.subject) else {
                continue;
            };
            if entry.node == root.node {
                continue;
            }
            let (one, other) = (self.is_absent(entry.node), self.is_absent(root.node));
            if one && other {
                moved.insert(root.node, entry.node);
            } else if one || root.is_reply && !entry.is_reply {
                self.set_parent(root.node, entry.node);
            } else {
                let both = self.parents.len() as u32;
                self.parents.push(NONE);
                self.set_parent(root.node, both);
                self.set_parent(entry.node, both);
                entry.node = both;
            }
        }
        for message in 0..self.messages {
            if let Some(&to) = moved.get(&self.parent(message)) {
                self.set_parent(message, to);
            }
        }
    }

    /// A thread that has a subject.
    fn root(&self, node: u32, first: &[u32]) -> Option<Root> {
        let message = match node.checked_sub(self.messages) {
            Some(at) => first.get(at as usize).copied()?,
            None => node,
        };
        let member = self.members.get(message as usize)?;
        (member.subject != 0).then_some(Root {
            node,
            subject: member.subject,
            is_reply: member.is_reply && !self.is_absent(node),
        })
    }
}

/// A node at the top.
#[derive(Clone, Copy)]
struct Root {
    node: u32,
    subject: u64,
    is_reply: bool,
}
