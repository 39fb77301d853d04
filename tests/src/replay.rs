//! A client's picture of a mailbox, built from nothing but what the server
//! said: the model that every session of the stress test checks itself by.

use std::collections::BTreeMap;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    pub uid: Option<u32>,
    /// Sorted, small letters, without `\Recent`.
    pub flags: Option<Vec<String>>,
    pub subject: Option<String>,
    pub modseq: Option<u64>,
}

/// The view of one session, message number 1 first.
#[derive(Debug, Default)]
pub struct View {
    pub entries: Vec<Entry>,
}

impl View {
    /// Takes in one untagged response; says what is wrong with it.
    pub fn apply(&mut self, response: &str) -> Result<(), String> {
        let Some(rest) = response.strip_prefix("* ") else {
            return Ok(());
        };
        if let Some(uids) = rest.strip_prefix("VANISHED ") {
            return self.vanished(uids);
        }
        let Some((number, rest)) = rest.split_once(' ') else {
            return Ok(());
        };
        let Ok(n) = number.parse::<usize>() else {
            return Ok(());
        };
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "EXISTS" if n < self.entries.len() => Err(format!(
                "EXISTS {n} while {} messages are known",
                self.entries.len()
            )),
            "EXISTS" => {
                self.entries.resize(n, Entry::default());
                Ok(())
            }
            "EXPUNGE" if (1..=self.entries.len()).contains(&n) => {
                self.entries.remove(n - 1);
                Ok(())
            }
            "FETCH" if (1..=self.entries.len()).contains(&n) => self.fetch(n, rest),
            "EXPUNGE" | "FETCH" => Err(format!("{word} {n} of {}", self.entries.len())),
            _ => Ok(()),
        }
    }

    /// Removes messages by their UIDs (RFC 7162 §3.2.10); those that went
    /// EARLIER are not counted any more.
    fn vanished(&mut self, uids: &str) -> Result<(), String> {
        if uids.starts_with("(EARLIER)") {
            return Ok(());
        }
        for range in uids.split(',') {
            let (first, last) = range.split_once(':').unwrap_or((range, range));
            let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse()) else {
                return Err(format!("VANISHED {uids}"));
            };
            for uid in first..=last {
                let at = self
                    .place_of(uid)
                    .ok_or_else(|| format!("VANISHED {uid} of no message"))?;
                self.entries.remove(at);
            }
        }
        Ok(())
    }

    /// Where the message of a UID is, or may be: what came with the same
    /// answer has no UID yet, and lies between those with a lower and with a
    /// higher one.
    fn place_of(&self, uid: u32) -> Option<usize> {
        if let Some(at) = self.entries.iter().position(|e| e.uid == Some(uid)) {
            return Some(at);
        }
        let higher = |e: &Entry| e.uid.is_some_and(|known| known > uid);
        let end = self.entries.iter().position(higher);
        let last = end.unwrap_or(self.entries.len()).checked_sub(1)?;
        self.entries.get(last)?.uid.is_none().then_some(last)
    }

    fn fetch(&mut self, n: usize, rest: &str) -> Result<(), String> {
        let Some(entry) = self.entries.get_mut(n - 1) else {
            return Ok(());
        };
        if let Some(uid) = number_after(rest, "UID ") {
            match entry.uid {
                Some(known) if known != uid => {
                    return Err(format!("message {n} was UID {known}, now {uid}"));
                }
                _ => entry.uid = Some(uid),
            }
        }
        if let Some(modseq) = modseq_after(rest, "MODSEQ (") {
            match entry.modseq {
                Some(known) if known > modseq => {
                    return Err(format!("MODSEQ {known} of message {n} fell to {modseq}"));
                }
                _ => entry.modseq = Some(modseq),
            }
        }
        if let Some(at) = rest.find("FLAGS (") {
            entry.flags = rest[at + 7..].split(')').next().map(sorted_flags);
        }
        if let Some(at) = rest.find("Subject: ") {
            let subject = rest[at + 9..].split("\r\n").next().unwrap_or("").to_owned();
            match &entry.subject {
                Some(known) if *known != subject => {
                    return Err(format!("message {n} was `{known}`, now `{subject}`"));
                }
                _ => entry.subject = Some(subject),
            }
        }
        Ok(())
    }

    /// UID to the rest; an entry without UID counts as UID 0.
    pub fn by_uid(&self) -> BTreeMap<u32, Entry> {
        self.entries
            .iter()
            .map(|e| (e.uid.unwrap_or(0), e.clone()))
            .collect()
    }
}

fn number_after(text: &str, key: &str) -> Option<u32> {
    modseq_after(text, key).and_then(|n| u32::try_from(n).ok())
}

fn modseq_after(text: &str, key: &str) -> Option<u64> {
    let at = text.find(key)? + key.len();
    let digits: String = text[at..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

pub fn sorted_flags(text: &str) -> Vec<String> {
    let mut flags: Vec<String> = text
        .split_whitespace()
        .map(str::to_lowercase)
        .filter(|f| f != "\\recent")
        .collect();
    flags.sort();
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_message_under_a_number_shows() {
        let mut view = View::default();
        view.apply("* 2 EXISTS").unwrap();
        view.apply("* 1 FETCH (UID 5 FLAGS (\\Seen))").unwrap();
        view.apply("* 2 FETCH (UID 6)").unwrap();
        view.apply("* 1 EXPUNGE").unwrap();
        view.apply("* 1 FETCH (UID 6 FLAGS (b A \\Recent))")
            .unwrap();
        assert_eq!(
            view.entries[0].flags.as_deref(),
            Some(&["a".to_owned(), "b".to_owned()][..])
        );
        assert!(view.apply("* 1 FETCH (UID 7)").is_err());
        assert!(view.apply("* 2 EXPUNGE").is_err());
        assert!(view.apply("* 0 EXISTS").is_err());
    }

    #[test]
    fn messages_vanish_by_their_uids() {
        let mut view = View::default();
        view.apply("* 3 EXISTS").unwrap();
        for (n, uid) in [(1, 5), (2, 6), (3, 9)] {
            let fetch = format!("* {n} FETCH (UID {uid} MODSEQ (70000000000))");
            view.apply(&fetch).unwrap();
        }
        view.apply("* VANISHED (EARLIER) 1:4").unwrap();
        view.apply("* VANISHED 5:6").unwrap();
        assert_eq!(view.entries.len(), 1);
        assert!(view.apply("* VANISHED 6").is_err());
        assert!(view.apply("* 1 FETCH (MODSEQ (69999999999))").is_err());
    }

    #[test]
    fn what_vanishes_unheard_of_lies_between_its_neighbours() {
        let mut view = View::default();
        view.apply("* 5 EXISTS").unwrap();
        view.apply("* 1 FETCH (UID 5)").unwrap();
        view.apply("* 4 FETCH (UID 9)").unwrap();
        view.apply("* VANISHED 7").unwrap();
        view.apply("* 3 FETCH (UID 9)").unwrap();
        view.apply("* VANISHED 11").unwrap();
        assert_eq!(view.entries.len(), 3);
        view.apply("* VANISHED 8").unwrap();
        assert!(view.apply("* VANISHED 6").is_err());
    }
}
