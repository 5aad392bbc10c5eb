//! Classes, objects, attributes and types, read once from the short form beside this file.
//!
//! Short form of an attribute: `t` type, `o` it is an object, `a` an array, `r` 1 recommended or 2
//! required, `p` profiles, `s` sibling that holds the caption, `e` enumeration.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// An attribute of a class or object.
#[derive(Debug, Clone, Deserialize)]
pub struct Attribute {
    /// Name of its type, or of its object.
    #[serde(rename = "t")]
    pub of: String,
    #[serde(rename = "o", default)]
    object: u8,
    #[serde(rename = "a", default)]
    array: u8,
    #[serde(rename = "r", default)]
    requirement: u8,
    /// It is there only with one of these profiles.
    #[serde(rename = "p", default)]
    pub profiles: Vec<String>,
    /// The attribute that holds the caption of its number.
    #[serde(rename = "s")]
    pub sibling: Option<String>,
    /// Number → caption.
    #[serde(rename = "e", default)]
    pub numbers: BTreeMap<String, String>,
}

impl Attribute {
    /// Its values are objects of the type [`Attribute::of`].
    #[must_use]
    pub const fn is_object(&self) -> bool {
        self.object == 1
    }

    /// It holds an array.
    #[must_use]
    pub const fn is_array(&self) -> bool {
        self.array == 1
    }

    /// It must be there.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.requirement == 2
    }
}

/// Which attributes must be there together.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Constraints {
    /// One of these or more.
    pub at_least_one: Vec<String>,
    /// Exactly one of these.
    pub just_one: Vec<String>,
}

/// A class of events.
#[derive(Debug, Clone, Deserialize)]
pub struct Class {
    /// `class_uid`.
    pub uid: i64,
    /// `category_uid`.
    pub category: i64,
    /// `class_name`.
    pub caption: String,
    /// What must be there together.
    pub constraints: Constraints,
    /// Profiles it may have.
    pub profiles: Vec<String>,
    /// Its attributes.
    pub attributes: BTreeMap<String, Attribute>,
}

/// An object.
#[derive(Debug, Clone, Deserialize)]
pub struct Object {
    /// What must be there together.
    pub constraints: Constraints,
    /// Its attributes.
    pub attributes: BTreeMap<String, Attribute>,
}

/// A scalar type.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Scalar {
    /// What a text of it looks like.
    pub regex: Option<String>,
    /// Most characters.
    pub max_len: Option<usize>,
    /// Least and most of a number.
    pub range: Option<[i64; 2]>,
    /// Type id of an observable of this type.
    pub observable: Option<u16>,
    /// What it is a special case of.
    #[serde(rename = "type")]
    pub base: Option<String>,
}

/// The schema.
#[derive(Debug, Clone, Deserialize)]
pub struct Schema {
    /// Scalar types.
    pub types: BTreeMap<String, Scalar>,
    /// Classes by name.
    pub classes: BTreeMap<String, Class>,
    /// Objects by name.
    pub objects: BTreeMap<String, Object>,
}

impl Schema {
    /// The class with that `class_uid`.
    #[must_use]
    pub fn class_of_uid(&self, uid: i64) -> Option<(&str, &Class)> {
        self.classes.iter().find(|(_, class)| class.uid == uid).map(|(name, class)| (name.as_str(), class))
    }

    /// Attributes of an object; none of an unknown one.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.objects.get(name)
    }
}

/// The schema. Empty only if this file does not parse, which a test rules out.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    serde_json::from_str(include_str!("schema-1.8.0.json")).unwrap_or_else(|_| Schema {
        types: BTreeMap::new(),
        classes: BTreeMap::new(),
        objects: BTreeMap::new(),
    })
});

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_whole() {
        assert_eq!(SCHEMA.classes.len(), 8);
        for class in SCHEMA.classes.values() {
            for attribute in class.attributes.values().filter(|attribute| attribute.is_object()) {
                assert!(attribute.of == "object" || SCHEMA.objects.contains_key(&attribute.of), "{}", attribute.of);
            }
        }
        assert!(SCHEMA.class_of_uid(3002).is_some_and(|(name, _)| name == "authentication"));
    }
}
