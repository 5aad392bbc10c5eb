//! The values that a block of the newest entries has of the fields that people filter and count by.

use crate::search::compare::Ready;
use crate::search::document::Document;
use crate::search::field::{Field, Name};
use crate::search::term_index::TERMS;

/// Bytes of a value at most. Where a field has a longer one, the block is read for it.
const VALUE_BYTES_MAX: usize = 256;
/// Values of a field at most, four an entry: a person has an id, a name, an address and a full name. Where a field has more,
/// the block is read for it: a list of a hundred thousand resources would be compared with itself.
const VALUES_MAX: usize = 256;

/// A value, and entries by bit.
#[derive(Debug, PartialEq, Eq)]
struct Value {
    text: Box<str>,
    /// Those that have it.
    has: u64,
    /// Those that have it first: there it is counted.
    first: u64,
}

/// The values of some entries without any identity directory, field by field as [`TERMS`] has them; nothing of a field
/// of which one is not kept.
#[derive(Debug)]
pub(super) struct Values(Vec<Option<Vec<Value>>>);

impl Values {
    /// Of no entry yet.
    pub fn new() -> Self {
        Self(TERMS.iter().map(|_| Some(Vec::new())).collect())
    }

    /// Takes in the entry of a bit.
    pub fn add(&mut self, document: &Document<'_>, bit: usize) {
        for (name, field) in TERMS.iter().zip(&mut self.0) {
            let Some(values) = field else { continue };
            let mut first = 1 << bit;
            // It goes on to the end unless one is not kept.
            if document.values(&Field::Named(*name), &mut |value| !insert(values, value, 1 << bit, std::mem::take(&mut first))) {
                *field = None;
            }
        }
    }

    fn of(&self, name: Name) -> Option<&[Value]> {
        TERMS.iter().zip(&self.0).find(|(field, _)| **field == name).and_then(|(_, values)| values.as_deref())
    }

    /// Whether all values of a field are kept.
    pub fn has(&self, name: Name) -> bool {
        self.of(name).is_some()
    }

    /// Memory that they take, about.
    pub fn bytes(&self) -> usize {
        self.0.iter().flatten().flatten().map(|value| value.text.len() + size_of::<Value>()).sum()
    }

    /// The entries that have a value of a field that passes; nothing for a field that is not kept.
    pub fn passing(&self, name: Name, ready: &Ready) -> Option<u64> {
        let passing = self.of(name)?.iter().filter(|value| ready.value(&value.text));
        Some(passing.fold(0, |bits, value| bits | value.has))
    }

    /// Gives each value of a field, and how many of these entries have it first.
    pub fn each_first(&self, name: Name, bits: u64, add: &mut dyn FnMut(&str, u64)) {
        for value in self.of(name).unwrap_or_default() {
            let count = u64::from((value.first & bits).count_ones());
            if count > 0 {
                add(&value.text, count);
            }
        }
    }
}

/// Takes in a value; false when it is not kept.
fn insert(values: &mut Vec<Value>, text: &str, has: u64, first: u64) -> bool {
    if let Some(known) = values.iter_mut().find(|value| *value.text == *text) {
        (known.has, known.first) = (known.has | has, known.first | first);
        return true;
    }
    let has_room = text.len() <= VALUE_BYTES_MAX && values.len() < VALUES_MAX;
    if has_room {
        values.push(Value { text: text.into(), has, first });
    }
    has_room
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::query::Test;

    #[test]
    fn a_value_is_kept_once_with_the_entries_that_have_it_and_have_it_first() {
        let mut values = Values::new();
        if let Some(Some(actors)) = values.0.first_mut() {
            let kept = [("Ana", 1, 1), ("bo", 1, 0), ("bo", 2, 2), ("Ana", 4, 4), ("bo", 8, 8)];
            assert!(kept.into_iter().all(|(text, has, first)| insert(actors, text, has, first)));
            assert_eq!(actors.len(), 2);
        }
        let ready = Ready::new(&Test::Is("ana".into()), 0);
        assert_eq!(values.passing(Name::Actor, &ready), Some(0b101));
        assert_eq!(values.passing(Name::Target, &ready), Some(0));
        assert_eq!((values.passing(Name::Message, &ready), values.has(Name::Message)), (None, false));
        let mut counted = Vec::new();
        values.each_first(Name::Actor, 0b111, &mut |value, count| counted.push((value.to_owned(), count)));
        assert_eq!(counted, [("Ana".to_owned(), 2), ("bo".to_owned(), 1)]);
    }

    #[test]
    fn a_long_value_and_too_many_are_not_kept() {
        let mut values = Vec::new();
        assert!(insert(&mut values, &"x".repeat(VALUE_BYTES_MAX), 1, 1));
        assert!(!insert(&mut values, &"x".repeat(VALUE_BYTES_MAX + 1), 1, 1));
        assert!((1..VALUES_MAX).all(|nth| insert(&mut values, &nth.to_string(), 1, 1)));
        assert!(!insert(&mut values, "one more", 1, 1) && insert(&mut values, "1", 2, 2), "what is there is still known");
        assert_eq!(values.len(), VALUES_MAX);
    }
}
