//! Keys of a TOML text: where they stand, which is meant, which differs.

use std::ops::Range;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

/// A key by its names from the top: `maml.alpha` is `["maml", "alpha"]`.
pub(crate) type Key = Vec<String>;

struct Entry {
    key: Key,
    name: Range<usize>,
    value: Range<usize>,
}

/// Every entry of `text`, tables before what they hold. Empty if `text` is not TOML.
fn entries(text: &str) -> Vec<Entry> {
    let mut found = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        collect(table.get_ref(), &[], &mut found);
    }
    found
}

fn collect(table: &DeTable<'_>, above: &[String], found: &mut Vec<Entry>) {
    for (name, value) in table {
        let key: Key = above.iter().cloned().chain([name.get_ref().to_string()]).collect();
        found.push(Entry { key: key.clone(), name: name.span(), value: value.span() });
        match value.get_ref() {
            DeValue::Table(below) => collect(below, &key, found),
            DeValue::Array(items) => {
                for below in items.iter().filter_map(|item| item.get_ref().as_table()) {
                    collect(below, &key, found);
                }
            }
            _ => {}
        }
    }
}

/// The key whose name or value stands at the byte `at` of `text`: the innermost one.
pub(crate) fn at(text: &str, at: usize) -> Option<Key> {
    let covers = |range: &Range<usize>| range.contains(&at) || range.start == at;
    let width = |entry: &Entry| {
        let ranges = [&entry.name, &entry.value];
        ranges.into_iter().filter(|range| covers(range)).map(|range| range.len()).min()
    };
    let covering = entries(text).into_iter().filter_map(|entry| width(&entry).map(|width| (width, entry)));
    covering.min_by_key(|(width, _)| *width).map(|(_, entry)| entry.key)
}

/// Where `text` says something about `key`: the name of the key itself, or of the nearest table above it.
pub(crate) fn place(text: &str, key: &[String]) -> Option<Range<usize>> {
    let about = entries(text).into_iter().filter(|entry| key.starts_with(&entry.key));
    about.max_by_key(|entry| entry.key.len()).map(|entry| entry.name)
}

/// The keys anywhere in `table` that end in `name`, dotted.
pub(crate) fn ending_in(table: &Table, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in table {
        if key == name {
            found.push(key.clone());
        }
        if let Value::Table(below) = value {
            found.extend(ending_in(below, name).into_iter().map(|rest| format!("{key}.{rest}")));
        }
    }
    found
}

/// The first key, dotted, at which two configs differ, in the order of `ours`; `None` if they are equal.
pub(crate) fn first_difference(ours: &Table, theirs: &Table) -> Option<String> {
    for (key, value) in ours {
        match (value, theirs.get(key)) {
            (Value::Table(ours), Some(Value::Table(theirs))) => {
                if let Some(rest) = first_difference(ours, theirs) {
                    return Some(format!("{key}.{rest}"));
                }
            }
            // As they are written: a NaN in both is no difference.
            (ours, Some(theirs)) if ours.to_string() == theirs.to_string() => {}
            _ => return Some(key.clone()),
        }
    }
    theirs.keys().find(|key| !ours.contains_key(*key)).cloned()
}

/// The value of a dotted key.
pub(crate) fn value<'a>(table: &'a Table, dotted: &str) -> Option<&'a Value> {
    let (first, rest) = dotted.split_once('.').map_or((dotted, None), |(first, rest)| (first, Some(rest)));
    match (table.get(first)?, rest) {
        (value, None) => Some(value),
        (Value::Table(below), Some(rest)) => self::value(below, rest),
        _ => None,
    }
}

/// The word of `known` that `word` was probably meant to be: at most a third of it is mistyped.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let close = known.iter().map(|candidate| (distance(word, candidate), *candidate));
    let (distance, candidate) = close.min_by_key(|(distance, _)| *distance)?;
    (distance <= word.chars().count().div_ceil(3)).then_some(candidate)
}

/// The least number of letters to insert, delete or replace that turns `a` into `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "steps = 3\n[maml]\nalpha = 0.5\n[maml.inner]\nrate = { first = 1 }\n[[cells]]\nshots = 1\n";

    fn key(dotted: &str) -> Key {
        dotted.split('.').map(str::to_string).collect()
    }

    #[test]
    fn a_byte_belongs_to_the_innermost_key() {
        for (needle, dotted) in [
            ("steps", "steps"),
            ("3\n", "steps"),
            ("alpha", "maml.alpha"),
            ("0.5", "maml.alpha"),
            ("first", "maml.inner.rate.first"),
            ("1 }", "maml.inner.rate.first"),
            ("shots", "cells.shots"),
        ] {
            assert_eq!(at(TEXT, TEXT.find(needle).unwrap()), Some(key(dotted)), "{needle}");
        }
    }

    #[test]
    fn a_place_is_the_key_or_the_table_above_it() {
        let named = |dotted: &str| place(TEXT, &key(dotted)).map(|range| &TEXT[range]);
        assert_eq!(named("maml.alpha"), Some("alpha"));
        assert_eq!(named("maml.inner.rate.second"), Some("rate"));
        assert_eq!(named("elsewhere"), None);
    }

    #[test]
    fn differences_are_found_at_any_depth() {
        let table: Table = TEXT.parse().unwrap();
        assert_eq!(first_difference(&table, &table), None);
        let nan: Table = "limit = nan".parse().unwrap();
        assert_eq!(first_difference(&nan, &nan), None);
        let mut other = table.clone();
        other["maml"]["inner"]["rate"]["first"] = Value::Integer(2);
        assert_eq!(first_difference(&table, &other).as_deref(), Some("maml.inner.rate.first"));
        other = table.clone();
        other.insert("new".into(), Value::Boolean(true));
        assert_eq!(first_difference(&table, &other).as_deref(), Some("new"));
        assert_eq!(first_difference(&other, &table).as_deref(), Some("new"));
    }

    #[test]
    fn a_slip_of_the_hand_is_recognised_and_a_stranger_is_not() {
        assert_eq!(nearest("alhpa", &["beta", "alpha", "steps"]), Some("alpha"));
        assert_eq!(nearest("colour", &["alpha", "steps"]), None);
        assert_eq!([distance("kitten", "sitting"), distance("", "abc"), distance("abc", "abc")], [3, 3, 0]);
    }

    #[test]
    fn keys_are_found_by_their_last_name() {
        let table: Table = TEXT.parse().unwrap();
        assert_eq!(ending_in(&table, "rate"), ["maml.inner.rate"]);
        assert_eq!(value(&table, "maml.alpha"), Some(&Value::Float(0.5)));
        assert_eq!(value(&table, "steps.more"), None);
    }
}
