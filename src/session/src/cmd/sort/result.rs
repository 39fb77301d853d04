//! What SORT found, in its order, on the way to the client.

use super::Wants;
use crate::cmd::search::result::Found;
use crate::job::STEP_OCTETS;
use roost_imap::Tag;
use roost_imap::command::{PartialRange, SearchReturn};
use roost_imap::write::{self, Esort};
use roost_types::ModSeq;

pub(super) enum Results {
    /// The SORT response, from the number at this place on.
    Plain {
        numbers: Vec<u32>,
        next: usize,
        modseq: Option<ModSeq>,
    },
    Extended {
        numbers: Vec<u32>,
        count: u32,
        returns: SearchReturn,
        tag: Tag,
        uid: bool,
        modseq: Option<ModSeq>,
    },
    /// SAVE alone has no response.
    Silent,
}

impl Results {
    /// `order` has places among what was found; it may be empty where only
    /// COUNT is wanted.
    pub fn new(wants: &Wants, found: &Found, order: &[u32]) -> Self {
        let numbers: Vec<u32> = match wants.uid {
            true => found.uids().iter().map(u32::from).collect(),
            false => found.seqs().iter().map(u32::from).collect(),
        };
        let count = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let at = |&place: &u32| numbers.get(place as usize).copied();
        let numbers: Vec<u32> = order.iter().filter_map(at).collect();
        let modseq = found.modseq().filter(|_| wants.modseq);
        let Some(returns) = wants.returns else {
            return Self::Plain {
                numbers,
                next: 0,
                modseq,
            };
        };
        let save_only = SearchReturn {
            save: true,
            ..SearchReturn::default()
        };
        if returns == save_only {
            return Self::Silent;
        }
        Self::Extended {
            numbers,
            count,
            returns,
            tag: wants.tag.clone(),
            uid: wants.uid,
            modseq,
        }
    }

    /// A response has been begun.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Plain { next, .. } if *next > 0)
    }

    /// Appends the next piece; true when all is written.
    pub fn write(&mut self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Silent => {}
            Self::Plain {
                numbers,
                next,
                modseq,
            } => {
                let start = out.len();
                if *next == 0 {
                    out.extend_from_slice(b"* SORT");
                }
                while let Some(&number) = numbers.get(*next) {
                    write::space_number(out, number);
                    *next += 1;
                    if out.len() - start >= STEP_OCTETS {
                        return false;
                    }
                }
                if let Some(modseq) = *modseq {
                    write::search_modseq(out, modseq);
                }
                write::crlf(out);
                *next = 0;
            }
            Self::Extended {
                numbers,
                count,
                returns,
                tag,
                uid,
                modseq,
            } => {
                let data = Esort {
                    uid: *uid,
                    min: numbers.first().copied().filter(|_| returns.min),
                    max: numbers.last().copied().filter(|_| returns.max),
                    count: returns.count.then_some(*count),
                    all: returns.all.then_some(numbers.as_slice()),
                    partial: returns.partial.map(|range| (range, window(numbers, range))),
                    modseq: *modseq,
                };
                write::esort(out, tag, &data);
            }
        }
        true
    }
}

fn window(numbers: &[u32], range: PartialRange) -> &[u32] {
    let places = range.window(numbers.len() as u64);
    // Places of a slice fit.
    let (from, to) = (places.start as usize, places.end as usize);
    numbers.get(from..to).unwrap_or_default()
}
