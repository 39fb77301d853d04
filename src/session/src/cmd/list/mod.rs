//! LIST (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 8440), and LSUB,
//! which is its older sister (RFC 3501 §6.3.9).

mod counts;
mod lines;
mod told;
mod tree;

use crate::error::Error;
use crate::job::{Job, Reply, STEP_OCTETS, Step};
use crate::names::{FOREIGN, Names, normalized};
use crate::pattern::Pattern;
use crate::session::Session;
use counts::Counts;
use lines::{line_of, node_attributes, tell_rights, tell_root};
use roost_imap::command::{ListArgs, ListReturn, ListSelect};
use roost_imap::write::{self, ListLine, MailboxAttribute, StatusValues};
use roost_store::{Folder, Looking};
use roost_types::MailboxName;
use std::time::{Duration, Instant};
use tree::{Node, Tree};

/// A step ends soon after so long: patterns may be expensive, and STATUS
/// opens mailboxes.
const STEP_TIME: Duration = Duration::from_millis(10);

pub(crate) fn start(session: &Session, args: &ListArgs) -> Result<Box<dyn Job>, Error> {
    let root = !args.extended && args.patterns.iter().all(Vec::is_empty);
    begin(
        session,
        &args.reference,
        &args.patterns,
        Kind::List {
            select: args.select,
            returns: args.returns,
            extended: args.extended,
            root,
        },
    )
}

/// The patterns that ask for mailboxes of other accounts: only by `~` at the
/// beginning.
pub(crate) fn foreign_patterns(session: &Session, args: &ListArgs) -> Vec<String> {
    if session.is_foreign() || args.select.subscribed {
        return Vec::new();
    }
    let decode = |raw: &[u8]| Names::decode(raw, session.dialect()).ok();
    let Some(reference) = decode(&args.reference) else {
        return Vec::new();
    };
    let patterns = args.patterns.iter().filter(|pattern| !pattern.is_empty());
    patterns
        .filter_map(|pattern| Some(format!("{reference}{}", decode(pattern)?)))
        .filter(|pattern| pattern.starts_with(FOREIGN))
        .collect()
}

/// LSUB.
pub(super) fn start_lsub(
    session: &Session,
    reference: &[u8],
    pattern: Vec<u8>,
) -> Result<Box<dyn Job>, Error> {
    begin(session, reference, &[pattern], Kind::Lsub)
}

/// What LIST tells of a mailbox that is there.
pub(crate) fn attributes(
    session: &Session,
    folder: &Folder,
    others: bool,
) -> Vec<MailboxAttribute> {
    let below_inbox = folder.name.is_inbox() && session.names.prefix_is_inbox() && others;
    let mut attributes = Vec::with_capacity(3);
    if !folder.selectable && folder.alias.is_none() {
        attributes.push(MailboxAttribute::NoSelect);
    }
    attributes.push(match folder.has_children || below_inbox {
        true => MailboxAttribute::HasChildren,
        false => MailboxAttribute::HasNoChildren,
    });
    attributes.extend(folder.special_use.map(MailboxAttribute::Special));
    attributes
}

#[derive(Clone, Copy)]
enum Kind {
    List {
        select: ListSelect,
        returns: ListReturn,
        /// The client knows of `\\NonExistent`.
        extended: bool,
        /// The root of the reference is asked for, not mailboxes.
        root: bool,
    },
    Lsub,
}

fn begin(
    session: &Session,
    reference: &[u8],
    patterns: &[Vec<u8>],
    kind: Kind,
) -> Result<Box<dyn Job>, Error> {
    let mut all = Vec::new();
    let reference = Names::decode(reference, session.dialect()).ok();
    for pattern in patterns {
        let pattern = Names::decode(pattern, session.dialect()).ok();
        let (Some(reference), Some(pattern)) = (&reference, pattern) else {
            // What cannot be a name matches none.
            continue;
        };
        if pattern.is_empty() {
            continue;
        }
        let pattern = format!("{reference}{pattern}");
        if session.names.is_foreign() && !pattern.starts_with(FOREIGN) {
            continue;
        }
        let normal = normalized(&pattern);
        let separator = session.names.separator();
        all.extend(Pattern::new(&pattern, separator));
        all.extend(normal.and_then(|p| Pattern::new(&p, separator)));
    }
    let subscribed = match kind {
        Kind::List {
            select, returns, ..
        } => select.subscribed || returns.subscribed,
        Kind::Lsub => true,
    };
    let tree = match all.is_empty() {
        true => Tree::default(),
        false => Tree::read(session, subscribed)?,
    };
    let root = match (kind, &reference) {
        (Kind::List { root: true, .. }, Some(reference)) => Some(reference.clone()),
        _ => None,
    };
    Ok(Box::new(Listing {
        kind,
        percent: all.iter().any(Pattern::has_percent),
        patterns: all,
        nodes: tree.nodes,
        stage: Stage::Match(0),
        looking: None,
        root,
    }))
}

struct Listing {
    kind: Kind,
    patterns: Vec<Pattern>,
    percent: bool,
    nodes: Vec<Node>,
    stage: Stage,
    /// What the next node's messages come to.
    looking: Option<Looking>,
    root: Option<String>,
}

/// How many nodes are dealt with.
enum Stage {
    Match(usize),
    Tell(usize),
}

impl Job for Listing {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        if let Some(reference) = self.root.take() {
            tell_root(session, &reference, out);
        }
        let start = (Instant::now(), out.len());
        let full =
            |out: &Vec<u8>| start.0.elapsed() >= STEP_TIME || out.len() - start.1 >= STEP_OCTETS;
        while let Stage::Match(at) = self.stage {
            let Some(node) = self.nodes.get_mut(at) else {
                self.inherit();
                self.stage = Stage::Tell(0);
                break;
            };
            let shown = told::is_shown(session, node, &self.kind);
            let matches = |p: &mut Pattern| (shown || p.is_plain()) && p.matches(&node.text);
            node.matches = self.patterns.iter_mut().any(matches);
            self.stage = Stage::Match(at + 1);
            if full(out) {
                return Ok(Step::More);
            }
        }
        while let Stage::Tell(at) = self.stage
            && let Some(node) = self.nodes.get(at)
        {
            if node.matches {
                let looking = self.looking.take();
                let counts = match self.counts(session, node, looking)? {
                    Counts::None => None,
                    Counts::Known(values) => Some(values),
                    Counts::Looking(looking) => {
                        self.looking = Some(looking);
                        return Ok(Step::More);
                    }
                };
                self.tell(session, node, counts.as_ref(), out);
            }
            self.stage = Stage::Tell(at + 1);
            if full(out) {
                return Ok(Step::More);
            }
        }
        Ok(Step::Done(Reply::ok(match self.kind {
            Kind::List { .. } => "List completed",
            Kind::Lsub => "Lsub completed",
        })))
    }
}

impl Listing {
    /// Whether a node by itself is what was asked for.
    fn wanted(&self, node: &Node) -> bool {
        match self.kind {
            Kind::Lsub => node.subscribed,
            Kind::List { select, .. } if select.subscribed || select.special_use => {
                (!select.subscribed || node.subscribed)
                    && (!select.special_use || node.special_use().is_some())
            }
            Kind::List { .. } => node.folder.is_some() || node.below.exists,
        }
    }

    /// Tells every node what is below it.
    fn inherit(&mut self) {
        let mut above: Vec<usize> = Vec::new();
        for i in 0..self.nodes.len() {
            let Some(node) = self.nodes.get(i) else {
                break;
            };
            let is_above = |at: &usize| {
                let top = self.nodes.get(*at);
                top.is_some_and(|top| top.path.is_ancestor_of(&node.path))
            };
            while above.last().is_some_and(|top| !is_above(top)) {
                above.pop();
            }
            let wanted = self.wanted(node);
            let found = tree::Below {
                exists: node.folder.is_some(),
                wanted,
                wanted_unmatched: wanted && !node.matches,
            };
            for &at in &above {
                if let Some(node) = self.nodes.get_mut(at) {
                    node.below.add(found);
                }
            }
            above.push(i);
        }
    }

    /// Whether LIST tells a node that matches.
    fn is_told(&self, node: &Node, select: ListSelect) -> bool {
        self.wanted(node) || select.recursive_match && node.below.wanted_unmatched
    }

    fn tell(
        &self,
        session: &Session,
        node: &Node,
        counts: Option<&StatusValues>,
        out: &mut Vec<u8>,
    ) {
        match self.kind {
            Kind::Lsub => self.tell_lsub(session, node, out),
            Kind::List {
                select,
                returns,
                extended,
                ..
            } if self.is_told(node, select) => {
                let attributes = node_attributes(node, select, returns, extended);
                self.tell_list(session, node, (select, returns), (attributes, counts), out);
            }
            Kind::List { .. } => {}
        }
    }

    /// `%` shows a level that is only above a subscribed name.
    fn tell_lsub(&self, session: &Session, node: &Node, out: &mut Vec<u8>) {
        let above = self.percent && node.below.wanted_unmatched;
        let attributes: &[_] = match (node.subscribed, above) {
            (true, _) => &[],
            (false, true) => &[MailboxAttribute::NoSelect],
            (false, false) => return,
        };
        let line = line_of(session, node, attributes);
        write::list(out, &ListLine { lsub: true, ..line }, session.dialect());
    }

    fn tell_list(
        &self,
        session: &Session,
        node: &Node,
        (select, returns): (ListSelect, ListReturn),
        (mut attributes, counts): (Vec<MailboxAttribute>, Option<&StatusValues>),
        out: &mut Vec<u8>,
    ) {
        let wanted = self.wanted(node);
        let asked = (returns.status).filter(|_| wanted && node.selectable());
        if asked.is_some() && counts.is_none() {
            attributes.push(MailboxAttribute::NoSelect);
        }
        let told = told::of(node, select.tell, returns.tell, counts);
        let mut child_info = Vec::new();
        if select.recursive_match && node.below.wanted {
            child_info.extend(select.subscribed.then_some("SUBSCRIBED"));
            child_info.extend(select.special_use.then_some("SPECIAL-USE"));
        }
        let line = ListLine {
            child_info: &child_info,
            told,
            ..line_of(session, node, &attributes)
        };
        write::list(out, &line, session.dialect());
        if returns.my_rights && wanted && node.selectable() {
            tell_rights(session, node, out);
        }
        if let Some((items, values)) = asked.zip(counts) {
            write::status(out, &node.text, items, values, session.dialect());
        }
    }
}

/// For SELECT: what LIST tells of `name`.
pub(crate) fn attributes_of(
    session: &Session,
    name: &MailboxName,
) -> Result<Vec<MailboxAttribute>, Error> {
    let folders = session.account().folders()?;
    let Some(folder) = folders.get(name) else {
        return Ok(Vec::new());
    };
    if !session.is_foreign() {
        return Ok(attributes(session, folder, folders.len() > 1));
    }
    // What is below counts only as far as the client may see it.
    let shown = |other: &Folder| name.is_ancestor_of(&other.name) && session.may_see(&other.name);
    let folder = Folder {
        has_children: folder.has_children && folders.iter().any(shown),
        special_use: None,
        ..folder.clone()
    };
    Ok(attributes(session, &folder, false))
}
