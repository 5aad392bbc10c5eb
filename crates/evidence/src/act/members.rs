//! The members of an object, taken one by one; what nobody took is unknown.

use std::collections::{BTreeMap, BTreeSet};

use tlog::canonical::{from_base64_exact, from_hex_exact};

use super::ActError;
use crate::canonical_json::Value;

pub(super) struct Members(Vec<(String, Value)>);

impl Members {
    pub(super) fn of(value: Value) -> Result<Self, ActError> {
        match value {
            Value::Object(members) => Ok(Members(members)),
            _ => Err(ActError::NotAnObject),
        }
    }

    /// To be called when all known members were taken.
    pub(super) fn finish(mut self) -> Result<(), ActError> {
        match self.0.pop() {
            Some((name, _)) => Err(ActError::UnknownMember(name)),
            None => Ok(()),
        }
    }

    pub(super) fn value(&mut self, name: &'static str) -> Result<Value, ActError> {
        let at = self.0.iter().position(|(member, _)| member == name).ok_or(ActError::Member(name))?;
        Ok(self.0.swap_remove(at).1)
    }

    pub(super) fn integer(&mut self, name: &'static str) -> Result<i64, ActError> {
        match self.value(name)? {
            Value::Integer(number) => Ok(number),
            _ => Err(ActError::Member(name)),
        }
    }

    pub(super) fn number<T: TryFrom<i64>>(&mut self, name: &'static str) -> Result<T, ActError> {
        T::try_from(self.integer(name)?).map_err(|_| ActError::Member(name))
    }

    pub(super) fn optional_number(&mut self, name: &'static str) -> Result<Option<u64>, ActError> {
        match self.value(name)? {
            Value::Null => Ok(None),
            Value::Integer(number) => u64::try_from(number).map(Some).map_err(|_| ActError::Member(name)),
            _ => Err(ActError::Member(name)),
        }
    }

    pub(super) fn bool(&mut self, name: &'static str) -> Result<bool, ActError> {
        match self.value(name)? {
            Value::Bool(value) => Ok(value),
            _ => Err(ActError::Member(name)),
        }
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<String, ActError> {
        match self.value(name)? {
            Value::String(text) => Ok(text),
            _ => Err(ActError::Member(name)),
        }
    }

    /// A text that is one of its form's.
    pub(super) fn text_if(&mut self, name: &'static str, form: fn(&str) -> bool) -> Result<String, ActError> {
        let text = self.text(name)?;
        if form(&text) { Ok(text) } else { Err(ActError::Member(name)) }
    }

    pub(super) fn sha256(&mut self, name: &'static str) -> Result<[u8; 32], ActError> {
        from_hex_exact(&self.text(name)?).map_err(|_| ActError::Member(name))
    }

    pub(super) fn signature(&mut self, name: &'static str) -> Result<[u8; 64], ActError> {
        from_base64_exact(&self.text(name)?).map_err(|_| ActError::Member(name))
    }

    pub(super) fn vkey(&mut self, name: &'static str) -> Result<tlog::VerifierKey, ActError> {
        self.text(name)?.parse().map_err(|_| ActError::Member(name))
    }

    pub(super) fn array(&mut self, name: &'static str) -> Result<Vec<Value>, ActError> {
        match self.value(name)? {
            Value::Array(items) => Ok(items),
            _ => Err(ActError::Member(name)),
        }
    }

    /// An array of texts that stands for a set: sorted, none twice.
    pub(super) fn set<T: Ord>(&mut self, name: &'static str, read: fn(&str) -> Option<T>) -> Result<BTreeSet<T>, ActError> {
        let mut set = BTreeSet::new();
        for item in self.array(name)? {
            let Value::String(text) = item else {
                return Err(ActError::Member(name));
            };
            let item = read(&text).ok_or(ActError::Member(name))?;
            if set.last().is_some_and(|last| *last >= item) {
                return Err(ActError::Member(name));
            }
            set.insert(item);
        }
        Ok(set)
    }

    /// An object whose members all have values of one kind.
    pub(super) fn map<T>(&mut self, name: &'static str, read: impl Fn(Value) -> Option<T>) -> Result<BTreeMap<String, T>, ActError> {
        let Value::Object(members) = self.value(name)? else {
            return Err(ActError::Member(name));
        };
        let values = members.into_iter().map(|(member, value)| Some((member, read(value)?)));
        values.collect::<Option<_>>().ok_or(ActError::Member(name))
    }

    /// `null`, or an object read by `read`.
    pub(super) fn optional<T>(&mut self, name: &'static str, read: fn(Members) -> Result<T, ActError>) -> Result<Option<T>, ActError> {
        match self.value(name)? {
            Value::Null => Ok(None),
            value => read(Members::of(value).map_err(|_| ActError::Member(name))?).map(Some),
        }
    }

    pub(super) fn into_inner(self) -> Vec<(String, Value)> {
        self.0
    }
}
