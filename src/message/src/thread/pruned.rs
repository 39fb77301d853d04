//! Threads without the absent messages that hold nothing together: their
//! order, and how subjects bring them together (steps 4 to 6).

use super::{Member, NONE};
use std::collections::HashMap;

/// Messages, and behind them absent nodes, all of these at the top.
pub(super) struct Tree {
    pub parents: Vec<u32>,
    pub members: Vec<Member>,
    pub messages: u32,
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
    pub fn order_by_own_date(&self) -> Vec<u32> {
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
    pub fn order_by_latest(&self) -> Vec<u32> {
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
    pub fn merge_subjects(&mut self) {
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
