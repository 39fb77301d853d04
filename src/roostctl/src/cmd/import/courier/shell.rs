//! Assignments of a shell script.
//!
//! What must stay true: a value that only a shell would know is not taken for
//! an empty one.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// The last value of each variable.
#[derive(Default, Debug)]
pub struct Shell {
    values: BTreeMap<String, Value>,
    /// Variables that somebody has asked for.
    asked: RefCell<BTreeSet<String>>,
}

#[derive(Debug)]
enum Value {
    Known(String),
    /// As it stands.
    Unknown(String),
}

impl Value {
    fn text(&self) -> &str {
        match self {
            Self::Known(text) | Self::Unknown(text) => text,
        }
    }
}

impl Shell {
    /// Variables in values are taken from those before.
    pub fn read(&mut self, text: &str) {
        for line in text.lines() {
            let Some((key, value)) = line.trim().split_once('=') else {
                continue;
            };
            if key.is_empty() || !key.bytes().all(is_of_name) {
                continue;
            }
            let value = value.trim();
            let (value, literal) = match value.chars().next() {
                Some(quote @ ('"' | '\'')) => {
                    let inner = value.get(1..).and_then(|v| v.split(quote).next());
                    (inner.unwrap_or_default(), quote == '\'')
                }
                _ => {
                    let end = value.split([' ', '\t', '#']).next();
                    (end.unwrap_or_default(), false)
                }
            };
            let value = match literal {
                true => Value::Known(value.to_owned()),
                false => match self.expanded(value) {
                    Some(text) => Value::Known(text),
                    None => Value::Unknown(value.to_owned()),
                },
            };
            self.values.insert(key.to_owned(), value);
        }
    }

    /// `$NAME` and `${NAME}`; `None` where there is more to it.
    fn expanded(&self, value: &str) -> Option<String> {
        let mut text = String::new();
        let mut rest = value;
        while let Some((before, after)) = rest.split_once('$') {
            text.push_str(before);
            let (name, behind) = match after.strip_prefix('{') {
                Some(inner) => inner.split_once('}')?,
                None => {
                    let end = after.bytes().position(|b| !is_of_name(b));
                    after.split_at_checked(end.unwrap_or(after.len()))?
                }
            };
            self.asked.borrow_mut().insert(name.to_owned());
            match self.values.get(name)? {
                Value::Known(known) => text.push_str(known),
                Value::Unknown(_) => return None,
            }
            rest = behind;
        }
        text.push_str(rest);
        (!text.contains('`')).then_some(text)
    }

    /// Unless it is empty, or not known.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.raw(key).filter(|_| self.is_resolved(key))
    }

    /// Where it is not known, as it stands.
    pub fn raw(&self, key: &str) -> Option<&str> {
        self.asked.borrow_mut().insert(key.to_owned());
        let value = self.values.get(key)?;
        Some(value.text()).filter(|text| !text.is_empty())
    }

    /// Whether its value is known, and be it that it is not set.
    pub fn is_resolved(&self, key: &str) -> bool {
        !matches!(self.values.get(key), Some(Value::Unknown(_)))
    }

    pub fn on(&self, key: &str) -> bool {
        self.get(key).is_some_and(|v| {
            v.eq_ignore_ascii_case("yes") || v.parse::<u32>().is_ok_and(|n| n != 0)
        })
    }

    /// Variables with their values that nobody has asked for, or that are not
    /// known.
    pub fn rest(&self) -> Vec<(&str, &str)> {
        let asked = self.asked.borrow();
        let mut rest = Vec::new();
        for (key, value) in &self.values {
            let unknown = matches!(value, Value::Unknown(_));
            if unknown || !asked.contains(key) && !value.text().is_empty() {
                rest.push((key.as_str(), value.text()));
            }
        }
        rest
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_those_before() {
        let mut shell = Shell::default();
        shell.read(
            "a=1 # one\nb=\"$a ${a}2\"\nc='$a'\nd=$none\ne=$d\nf=`date`\ng=$(date)\nh=\n\
             i=${a:-2}\n",
        );
        for (key, value) in [("a", "1"), ("b", "1 12"), ("c", "$a")] {
            assert_eq!(shell.get(key), Some(value));
        }
        for key in ["d", "e", "f", "g", "h", "i"] {
            assert_eq!(shell.get(key), None, "{key}");
            assert_eq!(shell.is_resolved(key), key == "h", "{key}");
        }
        assert_eq!(shell.rest().len(), 5);
    }
}
