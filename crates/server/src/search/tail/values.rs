//! The first values that a block of the newest entries has of the fields that can be counted.

use crate::search::document::Document;
use crate::search::field::Name;
use crate::search::term_index::COUNTED;

/// Bytes of a value at most. A block with a longer one is read when it is counted.
const VALUE_BYTES_MAX: usize = 256;

/// Field by field as [`COUNTED`] has them, each value and the entries that have it first, by bit.
#[derive(Debug)]
pub(super) struct Firsts(Vec<Vec<(Box<str>, u64)>>);

impl Firsts {
    /// Of no entry yet.
    pub fn new() -> Self {
        Self(COUNTED.iter().map(|_| Vec::new()).collect())
    }

    /// Takes in the entry of a bit; false when it has a value that is not kept.
    pub fn add(&mut self, document: &Document<'_>, bit: usize) -> bool {
        let mut fields = COUNTED.iter().zip(&mut self.0);
        fields.all(|(name, values)| document.first(*name).is_none_or(|value| insert(values, value, 1 << bit)))
    }

    /// Gives each value of a field, and how many of these entries have it first.
    pub fn each(&self, name: Name, bits: u64, add: &mut dyn FnMut(&str, u64)) {
        let fields = COUNTED.iter().zip(&self.0).filter(|(field, _)| **field == name);
        for (value, entries) in fields.flat_map(|(_, values)| values) {
            let count = u64::from((entries & bits).count_ones());
            if count > 0 {
                add(value, count);
            }
        }
    }
}

fn insert(values: &mut Vec<(Box<str>, u64)>, value: String, bit: u64) -> bool {
    if value.len() > VALUE_BYTES_MAX {
        return false;
    }
    match values.iter_mut().find(|(known, _)| **known == *value) {
        Some((_, entries)) => *entries |= bit,
        None => values.push((value.into(), bit)),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_once_with_its_entries_and_a_long_one_is_not() {
        let mut values = Vec::new();
        assert!(insert(&mut values, "a".into(), 1) && insert(&mut values, "b".into(), 2) && insert(&mut values, "a".into(), 4));
        assert!(insert(&mut values, "x".repeat(VALUE_BYTES_MAX), 8) && !insert(&mut values, "x".repeat(VALUE_BYTES_MAX + 1), 8));
        let mut firsts = Firsts::new();
        if let Some(of_first) = firsts.0.first_mut() {
            *of_first = values;
        }
        let mut counted = Vec::new();
        firsts.each(Name::Actor, 0b111, &mut |value, count| counted.push((value.to_owned(), count)));
        assert_eq!(counted, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
        firsts.each(Name::Target, u64::MAX, &mut |value, _| assert_eq!(value, "nothing"));
    }
}
