//! What the schema says of a class's attributes, worked out once for the tree a map gives.

use crate::ocsf::schema::Class;
use crate::source::emit::{Object, Out};

/// Attributes of a tree, each by its position in it as a bit.
pub type Bits = u128;

/// Attributes that a tree may have: a bit each.
pub const ATTRIBUTES_MAX: usize = Bits::BITS as usize;

/// Attributes that every event gets from the engine.
const OWN: [&str; 7] = ["activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"];
/// Members of `metadata` that the engine alone writes.
const OWN_METADATA: [&str; 3] = ["product", "profiles", "version"];

/// Something that has to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// The attributes that meet it.
    pub met_by: Bits,
    /// The one that is made up when none of them is written.
    pub otherwise: String,
}

/// What the schema says of the tree of a class.
#[derive(Debug, Clone, Default)]
pub struct TreeRules {
    /// Places of which one has to be there for an attribute, in the order of the tree; none when that
    /// is not known.
    pub needs: Vec<Box<[u32]>>,
    /// What has to be there.
    pub demands: Vec<Demand>,
    /// Of these only one may be there.
    pub just_one: Bits,
    /// Attributes that need a profile, and which; in the order of the profiles.
    pub profiles: Vec<(Bits, String)>,
    /// `severity_id`, when the map gives it.
    pub severity: Bits,
    /// `status_id`, when the map gives it.
    pub status: Bits,
    /// `api`, where it needs `cloud` beside it: everywhere but in the class of API calls.
    pub api: Bits,
    /// `cloud`.
    pub cloud: Bits,
    /// Members of `metadata` that the map gives; they do not stand in the tree.
    pub metadata: Vec<Out>,
}

impl TreeRules {
    /// Takes `metadata` out of the tree and reads the schema for the rest.
    ///
    /// # Errors
    /// The tree has more than [`ATTRIBUTES_MAX`] attributes.
    pub fn new(class: &Class, tree: &mut Vec<Out>) -> Result<Self, String> {
        let metadata = match tree.iter().position(|out| out.name() == "metadata").map(|at| tree.remove(at)) {
            Some(Out::Object(Object { children, .. })) => children,
            _ => Vec::new(),
        };
        if tree.len() > ATTRIBUTES_MAX {
            return Err(format!("{} attributes are filled: at most {ATTRIBUTES_MAX} can be", tree.len()));
        }
        let bit = |name: &str| tree.iter().position(|out| out.name() == name).map_or(0, |at| 1 << at);
        let bits = |names: &[String]| names.iter().fold(0, |bits, name| bits | bit(name));
        let required = class
            .attributes
            .iter()
            .filter(|(name, attribute)| attribute.is_required() && attribute.profiles.is_empty() && !OWN.contains(&name.as_str()));
        let required = required.map(|(name, _)| Demand { met_by: bit(name), otherwise: name.clone() });
        let constraints = [&class.constraints.at_least_one, &class.constraints.just_one];
        let constraints =
            constraints.into_iter().filter_map(|names| Some(Demand { met_by: bits(names), otherwise: names.first()?.clone() }));
        let profiles = class.attributes.iter().filter_map(|(name, attribute)| Some((bit(name), attribute.profiles.first()?.clone())));
        let mut profiles: Vec<_> = profiles.filter(|(bit, _)| *bit != 0).collect();
        profiles.sort_by(|a, b| a.1.cmp(&b.1));
        let api_is_a_guest = class.attributes.get("api").is_some_and(|api| api.profiles.iter().any(|profile| !profile.is_empty()));
        Ok(Self {
            needs: Vec::new(),
            demands: required.chain(constraints).collect(),
            just_one: bits(&class.constraints.just_one),
            profiles,
            severity: bit("severity_id"),
            status: bit("status_id"),
            api: if api_is_a_guest { bit("api") } else { 0 },
            cloud: bit("cloud"),
            metadata: metadata.into_iter().filter(|child| !OWN_METADATA.contains(&child.name())).collect(),
        })
    }
}
