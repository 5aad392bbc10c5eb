//! Numbers for the values of a field that are the same in all indexes of a log (Lucene calls them global
//! ordinals): what was counted in hundreds of indexes is added up by number, not by text.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::search::field::Name;

/// Values of one field that get a number: with their texts some 50 MB. A value beyond is counted by its text.
const NUMBERED_MAX: usize = 500_000;
/// Stands for a value without a number.
pub const NO_NUMBER: u32 = u32::MAX;

/// The numbers of all fields; they last as long as the process.
#[derive(Debug, Default)]
pub struct Ordinals {
    fields: Mutex<HashMap<Name, Numbered>>,
}

/// The numbers of one field.
#[derive(Debug, Default)]
struct Numbered {
    numbers: HashMap<Arc<str>, u32>,
    values: Vec<Arc<str>>,
}

impl Numbered {
    fn number(&mut self, value: &str) -> u32 {
        if let Some(known) = self.numbers.get(value) {
            return *known;
        }
        if self.values.len() >= NUMBERED_MAX {
            return NO_NUMBER;
        }
        let (value, number) = (Arc::<str>::from(value), u32::try_from(self.values.len()).unwrap_or(NO_NUMBER));
        self.values.push(Arc::clone(&value));
        self.numbers.insert(value, number);
        number
    }
}

impl Ordinals {
    /// Runs `give`, which gives a field's values one by one; their numbers, in that order.
    pub fn number<E>(&self, name: Name, give: impl FnOnce(&mut dyn FnMut(&str)) -> Result<(), E>) -> Result<Vec<u32>, E> {
        let mut fields = self.fields.lock().unwrap_or_else(PoisonError::into_inner);
        let (field, mut numbers) = (fields.entry(name).or_default(), Vec::new());
        give(&mut |value| numbers.push(field.number(value)))?;
        Ok(numbers)
    }

    /// How many values of a field have a number: all below this.
    pub fn len(&self, name: Name) -> usize {
        self.fields.lock().unwrap_or_else(PoisonError::into_inner).get(&name).map_or(0, |field| field.values.len())
    }

    /// Gives the values that numbers stand for.
    pub fn each(&self, name: Name, numbers: impl Iterator<Item = (usize, u64)>, add: &mut dyn FnMut(&str, u64)) {
        let fields = self.fields.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(field) = fields.get(&name) else { return };
        numbers.for_each(|(number, count)| field.values.get(number).into_iter().for_each(|value| add(value, count)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_number_per_field_and_too_many_have_none() {
        let ordinals = Ordinals::default();
        let number = |name, values: &[&str]| {
            ordinals.number::<()>(name, |see| {
                values.iter().for_each(|value| see(value));
                Ok(())
            })
        };
        assert_eq!(number(Name::Actor, &["a", "b", "a"]), Ok(vec![0, 1, 0]));
        assert_eq!(number(Name::Actor, &["c", "b"]), Ok(vec![2, 1]));
        assert_eq!(number(Name::Ip, &["b"]), Ok(vec![0]));
        let mut given = Vec::new();
        ordinals.each(Name::Actor, [(1, 7), (9, 1)].into_iter(), &mut |value, count| given.push((value.to_owned(), count)));
        assert_eq!(given, [("b".to_owned(), 7)]);
        let filled = ordinals.number::<()>(Name::Region, |see| {
            (0..=NUMBERED_MAX).for_each(|n| see(&n.to_string()));
            Ok(())
        });
        assert_eq!(filled.map(|numbers| numbers.last().copied()), Ok(Some(NO_NUMBER)));
        assert_eq!((ordinals.len(Name::Region), ordinals.len(Name::Account)), (NUMBERED_MAX, 0));
    }
}
