//! From `map.toml` to a [`Kind`]: everything that can be wrong with a map is found here.

mod tree;

use std::cell::RefCell;
use std::collections::HashMap;

use crate::ocsf::schema::{Attribute, Class, SCHEMA};
use crate::source::compile::tree::{TreeBuilder, resolve};
use crate::source::condition::Condition;
use crate::source::emit::{Candidate, Guard, Out};
use crate::source::evaluate::Reading;
use crate::source::expression::{BadExpression, Expression, Path, Primary};
use crate::source::glob::{Glob, GlobSet};
use crate::source::kind::{
    Actions, Activity, ClassProgram, Decoder, Dispatch, Header, Identity, Kind, Outcome, Overlay, Pattern, Patterns, Person,
    RecordExpressions, Severity,
};
use crate::source::lazy_regex::LazyRegex;
use crate::source::places::{Places, Read};
use crate::source::spec::{self, CaptionOrNumber, MapSpec, Names, OneOrMany};
use crate::source::tables::{Table, Tables};
use crate::source::tree_rules::TreeRules;

/// Why a map cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// Not TOML of this form.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// An expression.
    #[error("{at}: {why}")]
    Expression {
        /// Which part of the map.
        at: String,
        /// What is wrong.
        why: BadExpression,
    },
    /// Anything else.
    #[error("{at}: {why}")]
    Wrong {
        /// Which part of the map.
        at: String,
        /// What is wrong and what to do.
        why: String,
    },
}

/// Expressions remembered while maps are compiled: more than the largest map has.
const KNOWN_MAX: usize = 4_096;

fn wrong(at: impl Into<String>, why: impl Into<String>) -> MapError {
    MapError::Wrong { at: at.into(), why: why.into() }
}

/// Reads a map.
///
/// # Errors
/// [`MapError`] says what is wrong and where.
pub fn compile(text: &str) -> Result<Kind, MapError> {
    let spec: MapSpec = toml::from_str(text)?;
    if !evidence::act::is_name(&spec.kind) {
        return Err(wrong("kind", format!("{:?} is not a name of a-z 0-9 . _ -", spec.kind)));
    }
    let mut kind = assemble(&spec)?;
    check_tables(&kind)?;
    let (mut places, mut count) = (Places::default(), 0);
    kind.paths(&mut |path| places.add(path, &mut count));
    kind.places = places;
    kind.place_count = count;
    kind.settle();
    Ok(kind)
}

fn assemble(spec: &MapSpec) -> Result<Kind, MapError> {
    let located = |at: &str, condition: Result<Condition, _>| condition.map_err(|why| MapError::Expression { at: at.to_owned(), why });
    let at_condition = |at: &str, when: &OneOrMany<spec::Condition>| located(at, Condition::compile(when));
    let mut recognise = Vec::new();
    for rule in &spec.recognise {
        if !(1..=100).contains(&rule.certainty) {
            return Err(wrong("[[recognise]]", "certainty is 1 to 100"));
        }
        recognise.push((rule.certainty, located("[[recognise]]", Condition::compile_to_recognise(&rule.when))?));
    }
    let mut unwraps = Vec::new();
    for unwrap in &spec.unwrap {
        unwraps.push((at_condition("[[unwrap]]", &unwrap.when)?, path_of("[[unwrap]]", &unwrap.items)?));
    }
    let record = RecordExpressions {
        action: expressions("[record] action", &spec.record.action)?,
        id: expressions("[record] id", &spec.record.id)?,
        time: expressions("[record] time", &spec.record.time)?,
        sequence: expressions("[record] sequence", &spec.record.sequence)?,
        sequence_of: expressions("[record] sequence_of", &spec.record.sequence_of)?,
    };
    let mut outcomes = Vec::new();
    for outcome in &spec.outcome {
        let status = numbered("status_id", &outcome.status, "[[outcome]]")?;
        outcomes.push(Outcome { actions: Actions::new(&outcome.action), when: at_condition("[[outcome]]", &outcome.when)?, status });
    }
    let mut severities = Vec::new();
    for severity in &spec.severity {
        let number = numbered("severity_id", &severity.severity, "[[severity]]")?;
        severities.push(Severity { actions: Actions::new(&severity.action), when: at_condition("[[severity]]", &severity.when)?, number });
    }
    let mut overlays = Vec::new();
    for overlay in &spec.overlay {
        overlays.push(Overlay {
            actions: Actions::new(&overlay.action),
            when: at_condition("[[overlay]]", &overlay.when)?,
            identity: identity("[[overlay]]", &overlay.identity)?,
        });
    }
    let mut classes = Vec::new();
    for (nth, class) in spec.class.iter().enumerate() {
        classes.push(class_program(spec, class, &format!("[[class]] number {}", nth + 1), &record)?);
    }
    classes.push(class_program(spec, &spec.default, "[default]", &record)?);
    check_shared_fields(spec)?;
    Ok(Kind {
        name: spec.kind.clone(),
        title: spec.title.clone(),
        version: spec.version,
        product: product(spec),
        product_name: spec.product.name.clone(),
        passthrough: spec.passthrough,
        decoders: decoders(&spec.decode)?,
        reading: reading(spec),
        recognise,
        unwraps,
        root: expressions("root", &spec.root)?,
        record,
        patterns: patterns(spec)?,
        dispatch: dispatch(spec),
        classes,
        outcomes,
        severities,
        overlays,
        identity: identity("[identity]", &spec.identity)?,
        places: Places::default(),
        place_count: 0,
        names_the_record: false,
    })
}

fn product(spec: &MapSpec) -> Vec<u8> {
    let mut members = serde_json::Map::new();
    members.insert("name".into(), spec.product.name.clone().into());
    if let Some(vendor) = &spec.product.vendor_name {
        members.insert("vendor_name".into(), vendor.clone().into());
    }
    serde_json::Value::Object(members).to_string().into_bytes()
}

fn reading(spec: &MapSpec) -> Reading {
    Reading {
        loose: spec.names == Names::Loose,
        absent: spec.absent.clone(),
        tables: Tables::new(spec.tables.iter().map(|(name, table)| (name.clone(), Table::new(table)))),
    }
}

fn decoders(names: &[String]) -> Result<Vec<Decoder>, MapError> {
    if names.is_empty() {
        return Ok(vec![Decoder::Json]);
    }
    names.iter().map(|name| Decoder::of(name).ok_or_else(|| wrong("decode", format!("there is no decoder `{name}`")))).collect()
}

fn expression(at: &str, text: &str) -> Result<Expression, MapError> {
    thread_local! {
        /// Every class of a map has the shared fields: each text is read once, not once a class.
        static KNOWN: RefCell<HashMap<String, Expression>> = RefCell::default();
    }
    if let Some(known) = KNOWN.with_borrow(|known| known.get(text).cloned()) {
        return Ok(known);
    }
    let parsed = Expression::parse(text).map_err(|why| MapError::Expression { at: at.to_owned(), why })?;
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(text.to_owned(), parsed.clone());
    });
    Ok(parsed)
}

fn expressions(at: &str, texts: &OneOrMany<String>) -> Result<Vec<Expression>, MapError> {
    texts.as_slice().iter().map(|text| expression(at, text)).collect()
}

fn path_of(at: &str, text: &str) -> Result<Path, MapError> {
    match expression(at, text)? {
        Expression { primary: Primary::Path(path), functions, .. } if functions.is_empty() => Ok(path),
        _ => Err(wrong(at, format!("`{text}` must be a path"))),
    }
}

fn identity(at: &str, spec: &spec::IdentitySpec) -> Result<Identity, MapError> {
    Ok(Identity { actor: expressions(at, &spec.actor)?, target: expressions(at, &spec.target)? })
}

/// Number and caption of an enumeration that all classes share.
fn numbered(attribute: &str, caption: &str, at: &str) -> Result<(i64, String), MapError> {
    let numbers = SCHEMA.classes.get("base_event").and_then(|class| class.attributes.get(attribute)).map(numbers_of).unwrap_or_default();
    let found = numbers.iter().find(|(number, known)| known.eq_ignore_ascii_case(caption) || number.to_string() == caption);
    found.cloned().ok_or_else(|| {
        let known: Vec<_> = numbers.iter().map(|(_, caption)| caption.as_str()).collect();
        wrong(at, format!("{caption:?} is none of {}", known.join(", ")))
    })
}

/// Numbers and captions of an enumeration.
#[must_use]
pub fn numbers_of(attribute: &Attribute) -> Vec<(i64, String)> {
    let mut numbers: Vec<_> =
        attribute.numbers.iter().filter_map(|(number, caption)| Some((number.parse().ok()?, caption.clone()))).collect();
    numbers.sort_unstable();
    numbers
}

fn patterns(spec: &MapSpec) -> Result<Patterns, MapError> {
    let mut list = Vec::new();
    let mut texts: Vec<(String, Expression)> = Vec::new();
    for (nth, pattern) in spec.pattern.iter().enumerate() {
        let at = format!("[[pattern]] number {}", nth + 1);
        let regex = LazyRegex::new(&pattern.regex).map_err(|why| wrong(&at, why))?;
        let on = if pattern.on.as_slice().is_empty() { &spec.text } else { &pattern.on };
        if on.as_slice().is_empty() {
            return Err(wrong(&at, "says not what it is tried on: give `on`, or `text` at the top"));
        }
        let when = Condition::compile(&pattern.when).map_err(|why| MapError::Expression { at: at.clone(), why })?;
        let set = pattern.set.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut tried_on = Vec::new();
        for text in on.as_slice() {
            if !texts.iter().any(|(known, _)| known == text) {
                texts.push((text.clone(), expression(&at, text)?));
            }
            tried_on.extend(texts.iter().position(|(known, _)| known == text));
        }
        list.push(Pattern { when, on: tried_on, regex, set });
    }
    Ok(Patterns { texts: texts.into_iter().map(|(_, text)| text).collect(), list })
}

/// Which classes an action may lead to: exact names in a map, everything else in order.
fn dispatch(spec: &MapSpec) -> Dispatch {
    let (mut exact, mut others) = (Vec::new(), Vec::new());
    for (nth, class) in spec.class.iter().enumerate() {
        let actions = class.action.as_slice();
        let (globs, plain): (Vec<_>, Vec<_>) = actions.iter().partition(|action| action.contains('*'));
        for action in plain {
            exact.push((Glob::Exact(action.clone()), nth));
        }
        if actions.is_empty() || !globs.is_empty() {
            others.push((nth, globs.into_iter().map(|glob| Glob::new(glob)).collect()));
        }
    }
    Dispatch { exact: GlobSet::new(exact), others }
}

fn class_program(spec: &MapSpec, class_spec: &spec::ClassSpec, at: &str, record: &RecordExpressions) -> Result<ClassProgram, MapError> {
    let class = SCHEMA.classes.get(&class_spec.class).ok_or_else(|| {
        let known: Vec<_> = SCHEMA.classes.keys().map(String::as_str).collect();
        wrong(at, format!("there is no class {:?}: it is one of {}", class_spec.class, known.join(", ")))
    })?;
    let mut builder = TreeBuilder { class, at, roots: Vec::new(), read: Read::default() };
    for (nth, overlay) in spec.overlay.iter().enumerate() {
        builder.fields(&overlay.fields, Guard::Overlay(nth), false)?;
    }
    for (nth, outcome) in spec.outcome.iter().enumerate() {
        builder.fields(&outcome.fields, Guard::Outcome(nth), false)?;
    }
    builder.fields(&class_spec.fields, Guard::Always, true)?;
    builder.fields(&spec.fields, Guard::Always, false)?;
    if class_spec.class == "api_activity" {
        for expression in &record.action {
            let candidate = Candidate::new(Guard::Always, expression.clone());
            builder.candidate("api.operation", candidate, false)?;
        }
    }
    for expression in [&record.action, &record.id, &record.time, &record.sequence].into_iter().flatten() {
        builder.reads(expression);
    }
    builder.reads_beside(spec, class_spec)?;
    let TreeBuilder { mut roots, read, .. } = builder;
    let mut read_with_text = read.clone();
    for text in spec.pattern.iter().flat_map(|pattern| pattern.on.as_slice()).chain(spec.text.as_slice()) {
        let mut paths = Vec::new();
        let on = expression("[[pattern]]", text)?;
        on.paths(&mut paths);
        paths.into_iter().for_each(|path| read_with_text.add(path));
    }
    let (header, activity) = activity(class, &class_spec.activity, at)?;
    // `api` needs `cloud` beside it outside its own class, so it is written after it.
    roots.sort_by_key(|out| out.name() == "api");
    let severity = class_spec.severity.as_deref().map(|caption| numbered("severity_id", caption, at)).transpose()?;
    Ok(ClassProgram {
        class: class_spec.class.clone(),
        when: Condition::compile(&class_spec.when).map_err(|why| MapError::Expression { at: at.to_owned(), why })?,
        header,
        activity,
        severity,
        actor: person(&roots, "actor.user"),
        user: person(&roots, "user"),
        rules: TreeRules::new(class, &mut roots).map_err(|why| wrong(at, why))?,
        tree: roots,
        read,
        read_with_text,
        identity: identity(at, &class_spec.identity)?,
    })
}

/// The attributes of a user object that make an identity.
fn person(roots: &[Out], object: &str) -> Person {
    let mut leaves = Vec::new();
    roots.iter().for_each(|out| out.leaves(&mut leaves));
    let leaf = |attribute: &str| leaves.iter().find(|leaf| leaf.path == format!("{object}.{attribute}")).map(|leaf| (*leaf).clone());
    Person { email_addr: leaf("email_addr"), name: leaf("name"), domain: leaf("domain"), uid: leaf("uid") }
}

/// The constant beginning of an event with one activity of a class.
fn header(class: &Class, activity: i64, name: &str) -> Header {
    let caption = |attribute: &str, number: i64| {
        class.attributes.get(attribute).and_then(|attribute| attribute.numbers.get(&number.to_string())).cloned().unwrap_or_default()
    };
    let type_uid = class.uid * 100 + activity;
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let json = format!(
        "{{\"activity_id\":{activity},\"activity_name\":{},\"category_name\":{},\"category_uid\":{},\"class_name\":{},\"class_uid\":{},\"type_name\":{},\"type_uid\":{type_uid}",
        text(name),
        text(&caption("category_uid", class.category)),
        class.category,
        text(&class.caption),
        class.uid,
        text(&format!("{}: {}", class.caption, caption("activity_id", activity))),
    );
    Header { activity, name: name.to_owned(), json: json.into_bytes() }
}

/// The headers that an `activity` may choose from, and how it chooses.
fn activity(class: &Class, spec: &spec::Activity, at: &str) -> Result<(Vec<Header>, Activity), MapError> {
    let numbers = class.attributes.get("activity_id").map(numbers_of).unwrap_or_default();
    let mut headers: Vec<Header> = Vec::new();
    let mut number = |given: &CaptionOrNumber| {
        let own = match given {
            CaptionOrNumber::Caption(caption) => caption.strip_prefix("Other:").map(str::trim),
            CaptionOrNumber::Number(_) => None,
        };
        let found = numbers.iter().find(|(number, caption)| match given {
            _ if own.is_some() => *number == 99,
            CaptionOrNumber::Number(wanted) => number == wanted,
            CaptionOrNumber::Caption(wanted) => caption.eq_ignore_ascii_case(wanted),
        });
        found
            .map(|(number, caption)| (*number, own.unwrap_or(caption)))
            .map(|(number, name)| {
                headers.iter().position(|known| known.activity == number && known.name == name).unwrap_or_else(|| {
                    headers.push(header(class, number, name));
                    headers.len() - 1
                })
            })
            .ok_or_else(|| {
                let known: Vec<_> = numbers.iter().map(|(_, caption)| caption.as_str()).collect();
                wrong(at, format!("{given:?} is no activity of {}: it is one of {}", class.caption, known.join(", ")))
            })
    };
    let activity = match spec {
        spec::Activity::Fixed(given) => Activity { from: Vec::new(), map: GlobSet::default(), default: number(given)? },
        spec::Activity::Chosen(chosen) => {
            let mut map = Vec::new();
            for (value, given) in &chosen.map {
                map.push((Glob::new(value), number(given)?));
            }
            // The set looks for exact words first: `Get*` must not hide `GetSessionToken`.
            let default = number(chosen.default.as_ref().unwrap_or(&CaptionOrNumber::Number(99)))?;
            Activity { from: expressions(at, &chosen.from)?, map: GlobSet::new(map), default }
        }
    };
    Ok((headers, activity))
}

/// Every path of the shared fields exists in some class; that a class lacks it is no mistake.
fn check_shared_fields(spec: &MapSpec) -> Result<(), MapError> {
    let shared = spec.fields.keys().map(|path| ("[fields]", path));
    let overlays = spec.overlay.iter().flat_map(|overlay| overlay.fields.keys().map(|path| ("[[overlay]]", path)));
    let outcomes = spec.outcome.iter().flat_map(|outcome| outcome.fields.keys().map(|path| ("[[outcome]]", path)));
    for (at, path) in shared.chain(overlays).chain(outcomes) {
        let known = SCHEMA.classes.values().any(|class| resolve(&class.attributes, path).is_some());
        if !known {
            return Err(wrong(at, format!("no class of OCSF has the attribute `{path}`")));
        }
    }
    Ok(())
}

fn check_tables(kind: &Kind) -> Result<(), MapError> {
    let mut names = Vec::new();
    kind.expressions(&mut |expression| {
        let mut found = Vec::new();
        expression.tables(&mut found);
        names.extend(found.into_iter().map(|name| (expression.text.clone(), name.to_owned())));
    });
    match names.into_iter().find(|(_, name)| kind.reading.tables.get(name).is_none()) {
        Some((text, name)) => Err(wrong(format!("`{text}`"), format!("there is no [tables.{name}]"))),
        None => Ok(()),
    }
}
