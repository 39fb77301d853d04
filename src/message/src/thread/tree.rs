//! A forest of threads, and going through it without recursion.

use super::NONE;

/// Threads: messages by their number (as they were added, from 0) with their
/// replies, all in order. An absent message stands for the parent that
/// siblings have in common.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Forest {
    /// Nodes at the top, then those of each parent, side by side.
    nodes: Vec<u32>,
    /// Where the children of each node lie in `nodes`, by its number; one more
    /// than there are nodes. Those at the top come first.
    starts: Vec<u32>,
    /// How many of the nodes are messages; the others are absent.
    messages: u32,
}

/// What comes next when a forest is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item {
    /// A thread, or one of several that part from here, begins.
    Open,
    Close,
    /// A message, by its number; it answers the one before it, if that is in
    /// the same thread.
    Message(u32),
}

impl Forest {
    /// `order` has all nodes that are in the forest, siblings in their order;
    /// `parents` says whose child each is, [`NONE`] being the top.
    pub(super) fn new(order: &[u32], parents: &[u32], messages: u32) -> Self {
        // Place 0 is the top, place n + 1 node n.
        let place = |parent: u32| parent.wrapping_add(1) as usize;
        let mut starts = vec![0u32; parents.len() + 2];
        let parent_of = |node: u32| parents.get(node as usize).copied().unwrap_or(NONE);
        for &node in order {
            if let Some(count) = starts.get_mut(place(parent_of(node)) + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut next = starts.clone();
        let mut nodes = vec![0; order.len()];
        for &node in order {
            if let Some(at) = next.get_mut(place(parent_of(node))) {
                if let Some(slot) = nodes.get_mut(*at as usize) {
                    *slot = node;
                }
                *at += 1;
            }
        }
        Self {
            nodes,
            starts,
            messages,
        }
    }

    fn children(&self, parent: u32) -> &[u32] {
        let place = parent.wrapping_add(1) as usize;
        let at = |place: usize| self.starts.get(place).map_or(0, |&n| n as usize);
        self.nodes.get(at(place)..at(place + 1)).unwrap_or_default()
    }

    /// The octets that it takes in memory.
    pub fn size(&self) -> usize {
        (self.nodes.len() + self.starts.len()) * size_of::<u32>()
    }

    /// All of it, in the order of the THREAD response.
    pub fn walk(&self) -> Walk {
        Walk {
            stack: vec![Visit::Siblings {
                parent: NONE,
                at: 0,
            }],
        }
    }
}

/// A place in a forest; holds no more than a few octets for each level.
#[derive(Clone, Debug)]
pub struct Walk {
    stack: Vec<Visit>,
}

#[derive(Clone, Copy, Debug)]
enum Visit {
    /// Children of a node, from this one on, each in parentheses.
    Siblings {
        parent: u32,
        at: u32,
    },
    Node(u32),
    Close,
}

impl Walk {
    /// The next item; `None` at the end.
    pub fn next(&mut self, forest: &Forest) -> Option<Item> {
        loop {
            match self.stack.pop()? {
                Visit::Close => return Some(Item::Close),
                Visit::Siblings { parent, at } => {
                    let Some(&node) = forest.children(parent).get(at as usize) else {
                        continue;
                    };
                    self.stack.push(Visit::Siblings { parent, at: at + 1 });
                    self.stack.push(Visit::Close);
                    self.stack.push(Visit::Node(node));
                    return Some(Item::Open);
                }
                Visit::Node(node) => {
                    match *forest.children(node) {
                        [] => {}
                        [only] => self.stack.push(Visit::Node(only)),
                        _ => self.stack.push(Visit::Siblings {
                            parent: node,
                            at: 0,
                        }),
                    }
                    if node < forest.messages {
                        return Some(Item::Message(node));
                    }
                }
            }
        }
    }
}
