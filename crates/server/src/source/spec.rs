//! `map.toml` as it is written. What it means: docs/SOURCES.md; what it becomes: `compile`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One expression or several; the first with a value wins.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "the two ways to write it")]
pub enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T> OneOrMany<T> {
    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// What a condition compares with.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "the ways to write it")]
pub enum Matcher {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

/// Expression → matcher(s): all must hold.
pub type Condition = BTreeMap<String, OneOrMany<Matcher>>;

/// What an attribute gets.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum FieldSpec {
    /// A value.
    Expressions(OneOrMany<String>),
    /// An array of objects.
    Each(EachSpec),
}

/// An array of objects, one for each element.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EachSpec {
    /// Path of the elements.
    pub each: OneOrMany<String>,
    /// Attributes of each object, from the element.
    pub fields: BTreeMap<String, FieldSpec>,
}

/// Attributes by OCSF path.
pub type Fields = BTreeMap<String, FieldSpec>;

/// `product`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Name.
    pub name: String,
    /// Vendor.
    pub vendor_name: Option<String>,
}

/// `[[recognise]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recognise {
    /// 1 to 100.
    pub certainty: u8,
    /// When.
    pub when: OneOrMany<Condition>,
}

/// `[[unwrap]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unwrap {
    /// When; always, without.
    #[serde(default)]
    pub when: OneOrMany<Condition>,
    /// Path of the array.
    pub items: String,
}

/// `[record]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Record {
    /// The vendor's word for what happened.
    pub action: OneOrMany<String>,
    /// Record id.
    pub id: OneOrMany<String>,
    /// When it happened.
    pub time: OneOrMany<String>,
    /// The producer's counter.
    pub sequence: OneOrMany<String>,
    /// What the counter counts for.
    pub sequence_of: OneOrMany<String>,
}

/// `[[pattern]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternSpec {
    /// When it is tried.
    #[serde(default)]
    pub when: OneOrMany<Condition>,
    /// What it is tried on; `text` of the map, without.
    #[serde(default)]
    pub on: OneOrMany<String>,
    /// With named groups.
    pub regex: String,
    /// Further members of `p`.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
}

/// A caption or a number of an enumeration.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "the two ways to write it")]
pub enum CaptionOrNumber {
    Number(i64),
    Caption(String),
}

/// `activity`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Activity {
    /// Always this one.
    Fixed(CaptionOrNumber),
    /// By a value of the record.
    Chosen(ChosenActivity),
}

/// `activity = { from, map, default }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChosenActivity {
    /// The value.
    pub from: OneOrMany<String>,
    /// Value → activity; `*` stands for anything.
    pub map: BTreeMap<String, CaptionOrNumber>,
    /// Else.
    pub default: Option<CaptionOrNumber>,
}

/// `[[class]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassSpec {
    /// The record's action.
    #[serde(default)]
    pub action: OneOrMany<String>,
    /// Further conditions.
    #[serde(default)]
    pub when: OneOrMany<Condition>,
    /// OCSF class by name.
    pub class: String,
    /// OCSF activity.
    pub activity: Activity,
    /// Severity unless `[[severity]]` says otherwise.
    pub severity: Option<String>,
    /// Attributes of this class alone.
    #[serde(default)]
    pub fields: Fields,
    /// Canonical ids of this class alone.
    #[serde(default)]
    pub identity: IdentitySpec,
}

/// `[[outcome]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeSpec {
    /// The record's action.
    #[serde(default)]
    pub action: OneOrMany<String>,
    /// When.
    #[serde(default)]
    pub when: OneOrMany<Condition>,
    /// Caption of `status_id`.
    pub status: String,
    /// Attributes beside it.
    #[serde(default)]
    pub fields: Fields,
}

/// `[[severity]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeveritySpec {
    /// The record's action.
    #[serde(default)]
    pub action: OneOrMany<String>,
    /// When.
    #[serde(default)]
    pub when: OneOrMany<Condition>,
    /// Caption of `severity_id`.
    pub severity: String,
}

/// `[[overlay]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverlaySpec {
    /// The record's action.
    #[serde(default)]
    pub action: OneOrMany<String>,
    /// When.
    #[serde(default)]
    pub when: OneOrMany<Condition>,
    /// Attributes.
    #[serde(default)]
    pub fields: Fields,
    /// Canonical ids.
    #[serde(default)]
    pub identity: IdentitySpec,
}

/// `[identity]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentitySpec {
    /// Who did it.
    pub actor: OneOrMany<String>,
    /// To whom.
    pub target: OneOrMany<String>,
}

/// A whole `map.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapSpec {
    /// The folder's name.
    pub kind: String,
    /// For people.
    pub title: String,
    /// Raised with each change of meaning.
    pub version: u32,
    /// Metadata.
    pub product: Product,
    /// Decoders in the order they are tried.
    #[serde(default)]
    pub decode: Vec<String>,
    /// `exact` or `loose`.
    #[serde(default)]
    pub names: Names,
    /// Texts that mean no value.
    #[serde(default)]
    pub absent: Vec<String>,
    /// Records are OCSF already.
    #[serde(default)]
    pub passthrough: bool,
    /// An object in the record whose members stand for the record's own.
    #[serde(default)]
    pub root: OneOrMany<String>,
    /// What patterns are tried on when they do not say.
    #[serde(default)]
    pub text: OneOrMany<String>,
    /// How a record is recognised.
    #[serde(default)]
    pub recognise: Vec<Recognise>,
    /// Wrappers.
    #[serde(default)]
    pub unwrap: Vec<Unwrap>,
    /// What every record has.
    #[serde(default)]
    pub record: Record,
    /// For `map:`.
    #[serde(default)]
    pub tables: BTreeMap<String, BTreeMap<String, String>>,
    /// Text records.
    #[serde(default)]
    pub pattern: Vec<PatternSpec>,
    /// Attributes of every class that has them.
    #[serde(default)]
    pub fields: Fields,
    /// Classes.
    #[serde(default)]
    pub class: Vec<ClassSpec>,
    /// Everything else.
    pub default: ClassSpec,
    /// Outcomes.
    #[serde(default)]
    pub outcome: Vec<OutcomeSpec>,
    /// Severities.
    #[serde(default)]
    pub severity: Vec<SeveritySpec>,
    /// Further attributes.
    #[serde(default)]
    pub overlay: Vec<OverlaySpec>,
    /// Canonical ids.
    #[serde(default)]
    pub identity: IdentitySpec,
}

/// How member names match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Names {
    /// As spelled.
    #[default]
    Exact,
    /// Without regard to case, `_`, `-` and spaces.
    Loose,
}
