//! The MIME scanner: one pass over a message, line by line, keeping a stack
//! of the parts that are open (RFC 2046 §5.1).
//!
//! A delimiter is a line that begins with `--` and the boundary of an open
//! multipart; where several boundaries fit, the longest is meant. It ends all
//! parts inside its multipart, wherever they are, even in a header. The line
//! end in front of it belongs to it, but never one that ends a header line.

use crate::fields;
use crate::header::{is_blank_line, read_some};
use crate::limits::{CHUNK, Limits, MAX_BOUNDARY};
use crate::span::{Pos, Span};
use crate::structure::{Content, Part, Structure, declared};
use std::io::{self, Read};

/// Reads a message to its end and finds its parts.
///
/// # Errors
/// Only those of `reader`.
pub fn scan(reader: &mut dyn Read, limits: &Limits) -> io::Result<Structure> {
    let mut scanner = Scanner::new(limits);
    let mut buf = vec![0; CHUNK];
    loop {
        let n = read_some(reader, &mut buf)?;
        if n == 0 {
            return Ok(scanner.finish());
        }
        scanner.feed(buf.get(..n).unwrap_or_default());
    }
}

/// The same for a message in memory.
pub fn scan_bytes(message: &[u8], limits: &Limits) -> Structure {
    let mut scanner = Scanner::new(limits);
    scanner.feed(message);
    scanner.finish()
}

/// Octets of a body line that matter: `--`, boundary, `--`.
const BODY_LINE: usize = MAX_BOUNDARY + 4;

/// A part that is not over yet.
struct Frame {
    header_start: Pos,
    body_start: Pos,
    fields: Box<[u8]>,
    is_message: bool,
    in_digest: bool,
    state: State,
}

enum State {
    Header,
    Leaf,
    Multipart {
        boundary: Vec<u8>,
        is_digest: bool,
        children: Vec<Part>,
        /// Its closing delimiter was seen.
        closed: bool,
    },
    /// The frame above is the message inside; it comes here when it is over.
    Message {
        inner: Option<Box<Part>>,
    },
}

impl Frame {
    fn new(start: Pos, is_message: bool, in_digest: bool) -> Self {
        Self {
            header_start: start,
            body_start: start,
            fields: Box::default(),
            is_message,
            in_digest,
            state: State::Header,
        }
    }

    /// Ends the part at `end`.
    fn into_part(self, end: Pos) -> Part {
        let body_start = self.body_start;
        let content = match self.state {
            State::Header | State::Leaf | State::Message { inner: None } => Content::Leaf,
            State::Multipart { children, .. } => Content::Multipart(children),
            State::Message { inner: Some(inner) } => Content::Message(inner),
        };
        Part {
            header: Span::between(self.header_start, body_start),
            body: Span::between(body_start, end),
            body_lines: end.lines.saturating_sub(body_start.lines),
            fields: self.fields,
            in_digest: self.in_digest,
            content,
        }
    }
}

struct Scanner<'l> {
    limits: &'l Limits,
    /// The open parts, outermost first; never empty until the end.
    stack: Vec<Frame>,
    parts: usize,
    kept: usize,
    /// The header block being read.
    block: Vec<u8>,
    /// The beginning of a line that did not end with its chunk.
    pending: Vec<u8>,
    /// Octets of that line so far, kept or not, and the last of them.
    pending_len: u64,
    pending_last: u8,
    /// The beginning of the current line.
    pos: Pos,
    /// The end of the line before it, in front of its line end.
    content_end: Pos,
}

impl<'l> Scanner<'l> {
    fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            stack: vec![Frame::new(Pos::default(), true, false)],
            parts: 1,
            kept: 0,
            block: Vec::new(),
            pending: Vec::new(),
            pending_len: 0,
            pending_last: 0,
            pos: Pos::default(),
            content_end: Pos::default(),
        }
    }

    fn feed(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            let Some((line, after)) = rest.split_at_checked(at + 1) else {
                return;
            };
            rest = after;
            if self.pending_len == 0 {
                self.line(line, line.len() as u64);
            } else {
                self.pend(line);
                self.end_pending();
            }
        }
        if !rest.is_empty() {
            self.pend(rest);
        }
    }

    fn pend(&mut self, text: &[u8]) {
        let cap = match self.stack.last() {
            Some(Frame {
                state: State::Header,
                ..
            }) => self.limits.header.max(BODY_LINE),
            _ => BODY_LINE,
        };
        let room = cap.saturating_sub(self.pending.len()).min(text.len());
        self.pending
            .extend_from_slice(text.get(..room).unwrap_or_default());
        // The line end is needed whatever is left out before it.
        if room < text.len() && text.ends_with(b"\n") {
            let cr = if text.len() > 1 {
                text.get(text.len() - 2).copied()
            } else {
                Some(self.pending_last)
            };
            while self.pending.last() == Some(&b'\r') {
                self.pending.pop();
            }
            if cr == Some(b'\r') {
                self.pending.push(b'\r');
            }
            self.pending.push(b'\n');
        }
        self.pending_len += text.len() as u64;
        self.pending_last = text.last().copied().unwrap_or_default();
    }

    fn end_pending(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        let len = std::mem::take(&mut self.pending_len);
        self.line(&pending, len);
        pending.clear();
        pending.shrink_to(BODY_LINE + 2);
        self.pending = pending;
    }

    /// A whole line with its line end, if it has one; `text` may lack octets
    /// in the middle, `len` is its length in the file.
    fn line(&mut self, text: &[u8], len: u64) {
        let end_len = match text {
            [.., b'\r', b'\n'] => 2,
            [.., b'\n'] => 1,
            _ => 0,
        };
        let content_end = Pos {
            raw: self.pos.raw + len - end_len,
            crlf: self.pos.crlf + len - end_len,
            lines: self.pos.lines,
        };
        let next = Pos {
            raw: self.pos.raw + len,
            crlf: content_end.crlf + if end_len > 0 { 2 } else { 0 },
            lines: self.pos.lines + u64::from(end_len > 0),
        };
        if !(text.starts_with(b"--") && self.delimiter(text, next))
            && let Some(Frame {
                state: State::Header,
                ..
            }) = self.stack.last()
        {
            self.header_line(text, next);
        }
        self.pos = next;
        self.content_end = content_end;
    }

    fn header_line(&mut self, text: &[u8], next: Pos) {
        if is_blank_line(text) {
            self.begin_body(next);
            return;
        }
        let room = self.limits.header.saturating_sub(self.block.len());
        let text = text.get(..room.min(text.len())).unwrap_or_default();
        self.block.extend_from_slice(text);
    }

    /// Keeps what is wanted of the header that was read for the topmost part.
    fn take_block(&mut self) {
        let budget = self.limits.kept.saturating_sub(self.kept);
        if let Some(frame) = self.stack.last_mut() {
            frame.fields = fields::keep(&self.block, frame.is_message, budget);
            self.kept += frame.fields.len();
        }
        self.block.clear();
        self.block.shrink_to(CHUNK);
    }

    fn begin_body(&mut self, start: Pos) {
        self.take_block();
        let deeper = self.stack.len() < self.limits.depth;
        let Some(frame) = self.stack.last_mut() else {
            return;
        };
        frame.body_start = start;
        frame.state = body_state(frame, deeper && self.parts < self.limits.parts);
        if let State::Message { .. } = frame.state {
            self.open(start, true, false);
        }
    }

    fn open(&mut self, start: Pos, is_message: bool, in_digest: bool) {
        self.parts += 1;
        self.stack.push(Frame::new(start, is_message, in_digest));
    }

    /// Acts upon `line` if it is a delimiter of an open multipart.
    fn delimiter(&mut self, line: &[u8], next: Pos) -> bool {
        let Some((index, closing)) = self.match_boundary(line) else {
            return false;
        };
        if !closing && self.parts >= self.limits.parts {
            return false;
        }
        self.close_above(index, self.content_end);
        let Some(Frame {
            state: State::Multipart {
                is_digest, closed, ..
            },
            ..
        }) = self.stack.last_mut()
        else {
            return false;
        };
        if closing {
            *closed = true;
        } else {
            let in_digest = *is_digest;
            self.open(next, false, in_digest);
        }
        true
    }

    /// The open multipart that `line` delimits, and whether it closes it.
    fn match_boundary(&self, line: &[u8]) -> Option<(usize, bool)> {
        let line = line.strip_prefix(b"--")?;
        let mut best: Option<(usize, &[u8], &[u8])> = None;
        for (index, frame) in self.stack.iter().enumerate().rev() {
            if let State::Multipart {
                boundary,
                closed: false,
                ..
            } = &frame.state
                && let Some(rest) = line.strip_prefix(&**boundary)
                && !boundary.is_empty()
                && best.is_none_or(|(_, other, _)| boundary.len() > other.len())
            {
                best = Some((index, boundary, rest));
            }
        }
        best.map(|(index, _, rest)| (index, rest.starts_with(b"--")))
    }

    /// Ends all parts above `index`, innermost first, at `end`.
    fn close_above(&mut self, index: usize, end: Pos) {
        let mut end = end;
        while self.stack.len() > index + 1 {
            self.end_unfinished_header();
            let Some(frame) = self.stack.pop() else {
                return;
            };
            // A line end that ends a header stays with it even in front of a
            // delimiter, and so with all around it.
            if end.raw < frame.body_start.raw {
                end = frame.body_start;
            }
            self.attach(frame.into_part(end));
        }
    }

    /// A header without its empty line has an empty body behind it.
    fn end_unfinished_header(&mut self) {
        while let Some(Frame {
            state: State::Header,
            ..
        }) = self.stack.last()
        {
            self.begin_body(self.pos);
        }
    }

    /// Gives a part that is over to the one around it.
    fn attach(&mut self, part: Part) {
        match self.stack.last_mut().map(|f| &mut f.state) {
            Some(State::Multipart { children, .. }) => children.push(part),
            Some(State::Message { inner }) => *inner = Some(Box::new(part)),
            // Only these two ever open a frame.
            Some(State::Header | State::Leaf) | None => {}
        }
    }

    fn finish(mut self) -> Structure {
        if self.pending_len > 0 {
            self.end_pending();
        }
        let end = self.pos;
        self.end_unfinished_header();
        self.close_above(0, end);
        let root = self.stack.pop().map(|frame| frame.into_part(end));
        Structure {
            root: root.unwrap_or_else(|| Frame::new(end, true, false).into_part(end)),
            size: Span::between(Pos::default(), end),
        }
    }
}

/// What the body of `frame` is, by its header; a leaf unless `look_inside`.
fn body_state(frame: &Frame, look_inside: bool) -> State {
    if !look_inside {
        return State::Leaf;
    }
    let media = declared(&frame.fields, frame.in_digest);
    if media.is_multipart() {
        State::Multipart {
            boundary: media.boundary().unwrap_or_default(),
            is_digest: media.subtype.eq_ignore_ascii_case(b"digest"),
            children: Vec::new(),
            closed: false,
        }
    } else if media.is_message() {
        State::Message { inner: None }
    } else {
        State::Leaf
    }
}
