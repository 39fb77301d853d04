//! SORT and THREAD (RFC 5256 §5, RFC 5957 §5, RFC 5267 §3).

use super::cursor::{Cursor, MAX_SORT_CRITERIA, Result, Syntax};
use super::search::{returns, search_program};
use crate::command::{Command, SortArgs, SortCriterion, SortKey, ThreadAlgorithm, ThreadArgs};

/// `SP [search-return-opts SP] sort-criteria SP search-criteria`
pub(super) fn sort(c: &mut Cursor<'_>, uid: bool) -> Result<Command> {
    c.sp()?;
    let returns = returns(c)?;
    let criteria = sort_criteria(c)?;
    c.sp()?;
    let charset = charset(c)?;
    let key = search_program(c)?;
    Ok(Command::Sort(SortArgs {
        uid,
        returns,
        criteria,
        charset,
        key,
    }))
}

/// `SP thread-alg SP search-criteria`
pub(super) fn thread(c: &mut Cursor<'_>, uid: bool) -> Result<Command> {
    c.sp()?;
    let algorithm = match c.upper_atom()?.as_str() {
        "ORDEREDSUBJECT" => ThreadAlgorithm::OrderedSubject,
        "REFERENCES" => ThreadAlgorithm::References,
        "REFS" => ThreadAlgorithm::Refs,
        _ => return Err(Syntax("Unknown threading algorithm")),
    };
    c.sp()?;
    let charset = charset(c)?;
    let key = search_program(c)?;
    Ok(Command::Thread(ThreadArgs {
        uid,
        algorithm,
        charset,
        key,
    }))
}

/// `"(" sort-criterion *(SP sort-criterion) ")"`
fn sort_criteria(c: &mut Cursor<'_>) -> Result<Vec<SortCriterion>> {
    let mut criteria = Vec::new();
    c.list(MAX_SORT_CRITERIA, |c| {
        let criterion = sort_criterion(c)?;
        // Once sorted by a key, the same key again changes nothing.
        if !criteria
            .iter()
            .any(|other: &SortCriterion| other.key == criterion.key)
        {
            criteria.push(criterion);
        }
        Ok(())
    })?;
    match criteria.is_empty() {
        true => Err(Syntax("Sort criterion expected")),
        false => Ok(criteria),
    }
}

/// `["REVERSE" SP] sort-key`
fn sort_criterion(c: &mut Cursor<'_>) -> Result<SortCriterion> {
    let reverse = c.eat_word("REVERSE");
    if reverse {
        c.sp()?;
    }
    let key = match c.upper_atom()?.as_str() {
        "ARRIVAL" => SortKey::Arrival,
        "CC" => SortKey::Cc,
        "DATE" => SortKey::Date,
        "DISPLAYFROM" => SortKey::DisplayFrom,
        "DISPLAYTO" => SortKey::DisplayTo,
        "FROM" => SortKey::From,
        "SIZE" => SortKey::Size,
        "SUBJECT" => SortKey::Subject,
        "TO" => SortKey::To,
        _ => return Err(Syntax("Unknown sort criterion")),
    };
    Ok(SortCriterion { key, reverse })
}

/// `charset SP` of search-criteria
fn charset(c: &mut Cursor<'_>) -> Result<String> {
    let charset = String::from_utf8_lossy(&c.astring()?).into_owned();
    c.sp()?;
    Ok(charset)
}
