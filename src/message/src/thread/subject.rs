//! ORDEREDSUBJECT: a thread is what has the same base subject.

use super::tree::Forest;
use super::{Member, NONE};
use std::collections::HashMap;

/// The threads of `members`, which are in the order of the mailbox.
pub fn ordered_subject(members: &[Member]) -> Forest {
    let count = u32::try_from(members.len()).unwrap_or(u32::MAX - 1);
    let date = |n: u32| members.get(n as usize).map_or(0, |m| m.date);
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_by_key(|&n| date(n));
    let mut heads: HashMap<u64, u32> = HashMap::new();
    let mut parents = vec![NONE; members.len()];
    for &n in &order {
        let (Some(member), Some(parent)) = (members.get(n as usize), parents.get_mut(n as usize))
        else {
            continue;
        };
        // The first is the parent of all others.
        let head = *heads.entry(member.subject).or_insert(n);
        if head != n {
            *parent = head;
        }
    }
    Forest::new(&order, &parents, count)
}
