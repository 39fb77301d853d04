//! What a misspelled word was probably meant to be.

/// The candidate nearest to `word`, if it is near enough to be meant.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Words from a file may be any length; no key is nearly so long.
    if word.len() > 64 {
        return None;
    }
    let near = |c: &'a str| (distance(&word.to_lowercase(), c), c);
    let (distance, candidate) = candidates.into_iter().map(near).min()?;
    (distance <= 1 + candidate.len() / 5).then_some(candidate)
}

/// How many letters must be added, removed or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (cb, &above) in b.iter().zip(row.iter().skip(1)) {
            let changed = diagonal + usize::from(ca != *cb);
            left = changed.min(above + 1).min(left + 1);
            next.push(left);
            diagonal = above;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn only_near_words_are_offered() {
        let words = ["maildir", "separator", "fsync"];
        assert_eq!(nearest("mail_dir", words), Some("maildir"));
        assert_eq!(nearest("Seperator", words), Some("separator"));
        assert_eq!(nearest("quota", words), None);
        assert_eq!(nearest(&"x".repeat(100_000), words), None);
    }
}
