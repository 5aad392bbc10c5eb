//! From `map.toml` to a [`Kind`]: everything that can be wrong with a map is found here.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use crate::ocsf::schema::{Attribute, Class, SCHEMA};
use crate::source::condition::{Condition, Glob};
use crate::source::emit::{Candidate, Guard, Leaf, Object, Out, Shape, prefix};
use crate::source::evaluate::Reading;
use crate::source::expression::{BadExpression, Expression, Path, Primary};
use crate::source::kind::{
    Actions, Activity, ClassProgram, Decoder, Header, Identity, Kind, Outcome, Overlay, Pattern, Patterns, Person, RecordExpressions,
    Severity,
};
use crate::source::lazy_regex::{LazyRegex, LazyRegexSet};
use crate::source::places::{Places, Read};
use crate::source::spec::{self, CaptionOrNumber, FieldSpec, Fields, MapSpec, Names, OneOrMany};

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
    Ok(kind)
}

fn assemble(spec: &MapSpec) -> Result<Kind, MapError> {
    let at_condition = |at: &str, when: &OneOrMany<spec::Condition>| {
        Condition::compile(when).map_err(|why| MapError::Expression { at: at.to_owned(), why })
    };
    let mut recognise = Vec::new();
    for rule in &spec.recognise {
        if !(1..=100).contains(&rule.certainty) {
            return Err(wrong("[[recognise]]", "certainty is 1 to 100"));
        }
        recognise.push((rule.certainty, at_condition("[[recognise]]", &rule.when)?));
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
    let lowered = |table: &BTreeMap<String, String>| table.iter().map(|(key, value)| (key.to_lowercase(), value.clone())).collect();
    Reading {
        loose: spec.names == Names::Loose,
        absent: spec.absent.clone(),
        tables: spec.tables.iter().map(|(name, table)| (name.clone(), lowered(table))).collect(),
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
    for (nth, pattern) in spec.pattern.iter().enumerate() {
        let at = format!("[[pattern]] number {}", nth + 1);
        let regex = LazyRegex::new(&pattern.regex).map_err(|why| wrong(&at, why))?;
        let on = if pattern.on.as_slice().is_empty() { &spec.text } else { &pattern.on };
        if on.as_slice().is_empty() {
            return Err(wrong(&at, "says not what it is tried on: give `on`, or `text` at the top"));
        }
        let when = Condition::compile(&pattern.when).map_err(|why| MapError::Expression { at: at.clone(), why })?;
        let set = pattern.set.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        list.push(Pattern { when, on: expressions(&at, on)?, regex, set });
    }
    let set = LazyRegexSet::new(list.iter().map(|pattern: &Pattern| &pattern.regex));
    Ok(Patterns { set, list })
}

/// Which classes an action may lead to: exact names in a map, everything else in order.
fn dispatch(spec: &MapSpec) -> (HashMap<String, Vec<usize>>, Vec<(usize, Vec<Glob>)>) {
    let (mut exact, mut others): (HashMap<String, Vec<usize>>, Vec<_>) = (HashMap::new(), Vec::new());
    for (nth, class) in spec.class.iter().enumerate() {
        let actions = class.action.as_slice();
        let (globs, plain): (Vec<_>, Vec<_>) = actions.iter().partition(|action| action.contains('*'));
        for action in plain {
            exact.entry(action.to_ascii_lowercase()).or_default().push(nth);
        }
        if actions.is_empty() || !globs.is_empty() {
            others.push((nth, globs.into_iter().map(|glob| Glob::new(glob)).collect()));
        }
    }
    (exact, others)
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
            let candidate = Candidate { guard: Guard::Always, expression: expression.clone() };
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
        required: class.attributes.iter().filter(|(_, a)| a.is_required() && a.profiles.is_empty()).map(|(name, _)| name.clone()).collect(),
        at_least_one: class.constraints.at_least_one.clone(),
        just_one: class.constraints.just_one.clone(),
        profiles: class.attributes.iter().filter_map(|(name, a)| Some((name.clone(), a.profiles.first()?.clone()))).collect(),
        actor: person(&roots, "actor.user"),
        user: person(&roots, "user"),
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
        spec::Activity::Fixed(given) => Activity { from: Vec::new(), map: Vec::new(), default: number(given)? },
        spec::Activity::Chosen(chosen) => {
            let mut map = Vec::new();
            for (value, given) in &chosen.map {
                map.push((Glob::new(value), number(given)?));
            }
            // Exact words first: `Get*` must not hide `GetSessionToken`.
            map.sort_by_key(|(glob, _)| !matches!(glob, Glob::Exact(_)));
            let default = number(chosen.default.as_ref().unwrap_or(&CaptionOrNumber::Number(99)))?;
            Activity { from: expressions(at, &chosen.from)?, map, default }
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

/// The attribute at an OCSF path, with those on the way to it.
fn resolve<'s>(attributes: &'s BTreeMap<String, Attribute>, path: &str) -> Option<Vec<(String, Option<usize>, &'s Attribute)>> {
    let (mut found, mut here) = (Vec::new(), Some(attributes));
    for part in path.split('.') {
        let (name, position) = match part.split_once('[') {
            Some((name, position)) => (name, Some(position.strip_suffix(']')?.parse().ok()?)),
            None => (part, None),
        };
        let attribute = here?.get(name)?;
        here = if attribute.is_object() { SCHEMA.object(&attribute.of).map(|object| &object.attributes) } else { None };
        found.push((name.to_owned(), position, attribute));
    }
    Some(found)
}

struct TreeBuilder<'b> {
    class: &'static Class,
    at: &'b str,
    roots: Vec<Out>,
    read: Read,
}

/// Attributes that the engine itself writes.
const OWN: [&str; 7] = ["activity_id", "category_uid", "class_uid", "type_uid", "time", "unmapped", "observables"];

impl TreeBuilder<'_> {
    fn reads(&mut self, expression: &Expression) {
        let mut paths = Vec::new();
        expression.paths(&mut paths);
        paths.into_iter().for_each(|path| self.read.add(path));
    }

    /// What conditions, activities and identities ask for has been understood as well.
    fn reads_beside(&mut self, spec: &MapSpec, class: &spec::ClassSpec) -> Result<(), MapError> {
        let conditions = spec.outcome.iter().map(|outcome| &outcome.when).chain(spec.severity.iter().map(|severity| &severity.when));
        let conditions = conditions.chain(spec.overlay.iter().map(|overlay| &overlay.when)).chain([&class.when]);
        let tested = conditions.flat_map(OneOrMany::as_slice).flat_map(BTreeMap::keys);
        let identities = spec.overlay.iter().map(|overlay| &overlay.identity).chain([&class.identity, &spec.identity]);
        let named = identities.flat_map(|identity| identity.actor.as_slice().iter().chain(identity.target.as_slice()));
        let chosen = match &class.activity {
            spec::Activity::Chosen(chosen) => chosen.from.as_slice(),
            spec::Activity::Fixed(_) => &[],
        };
        for text in tested.chain(named).chain(chosen).chain(spec.root.as_slice()) {
            let expression = expression(self.at, text)?;
            self.reads(&expression);
        }
        // The copy that `$` names is the record once more.
        self.read.add(&path_of(self.at, "$")?);
        Ok(())
    }

    fn fields(&mut self, fields: &Fields, guard: Guard, own: bool) -> Result<(), MapError> {
        for (path, field) in fields {
            if OWN.contains(&path.as_str()) {
                return Err(wrong(self.at, format!("`{path}` is written by the engine; it cannot be mapped")));
            }
            match field {
                FieldSpec::Expressions(texts) => {
                    for text in texts.as_slice() {
                        let candidate = Candidate { guard, expression: expression(&format!("{} {path}", self.at), text)? };
                        self.candidate(path, candidate, own)?;
                    }
                }
                FieldSpec::Each(each) => self.each(path, each, own)?,
            }
        }
        Ok(())
    }

    fn candidate(&mut self, path: &str, candidate: Candidate, own: bool) -> Result<(), MapError> {
        let Some(resolved) = resolve(&self.class.attributes, path) else {
            return if own { Err(wrong(self.at, format!("the class {} has no attribute `{path}`", self.class.caption))) } else { Ok(()) };
        };
        self.reads(&candidate.expression);
        place(&mut self.roots, &resolved, path, candidate, false).map_err(|why| wrong(format!("{} {path}", self.at), why))
    }

    fn each(&mut self, path: &str, each: &spec::EachSpec, own: bool) -> Result<(), MapError> {
        let Some(resolved) = resolve(&self.class.attributes, path) else {
            return if own { Err(wrong(self.at, format!("the class {} has no attribute `{path}`", self.class.caption))) } else { Ok(()) };
        };
        let at = format!("{} {path}", self.at);
        let (Some((name, None, attribute)), Some((_, around))) = (resolved.last(), resolved.split_last()) else {
            return Err(wrong(at, "`each` fills a whole array"));
        };
        let object_type = SCHEMA.object(&attribute.of).filter(|_| attribute.is_array() && attribute.is_object());
        let object_type = object_type.ok_or_else(|| wrong(&at, "`each` fills arrays of objects only"))?;
        let mut paths = Vec::new();
        for text in each.each.as_slice() {
            let path = path_of(&at, text)?;
            self.read.add(&path);
            paths.push(path);
        }
        let mut object = object_of(name, attribute);
        for (inner, field) in &each.fields {
            let FieldSpec::Expressions(texts) = field else { return Err(wrong(&at, "`each` cannot stand in `each`")) };
            let resolved = resolve(&object_type.attributes, inner)
                .ok_or_else(|| wrong(&at, format!("{} has no attribute `{inner}`", attribute.of)))?;
            for text in texts.as_slice() {
                let candidate = Candidate { guard: Guard::Always, expression: expression(&at, text)? };
                place(&mut object.children, &resolved, inner, candidate, true).map_err(|why| wrong(&at, why))?;
            }
        }
        object.literals_count = false;
        let children = open(&mut self.roots, around).map_err(|why| wrong(&at, why))?;
        if !children.iter().any(|child| child.name() == name) {
            children.push(Out::Each { prefix: prefix(name), paths, object });
        }
        Ok(())
    }
}

fn object_of(name: &str, attribute: &Attribute) -> Object {
    let object = SCHEMA.object(&attribute.of);
    let required =
        object.into_iter().flat_map(|object| &object.attributes).filter(|(_, inner)| inner.is_required() && inner.profiles.is_empty());
    Object {
        name: name.to_owned(),
        prefix: prefix(name),
        children: Vec::new(),
        at_least_one: object.map(|object| object.constraints.at_least_one.clone()).unwrap_or_default(),
        fill: required.filter_map(|(name, inner)| Some((name.clone(), filler(name, inner)?))).collect(),
        literals_count: true,
    }
}

/// What stands for a required attribute that the record does not tell.
fn filler(name: &str, attribute: &Attribute) -> Option<Vec<u8>> {
    if attribute.is_object() || attribute.is_array() {
        return None;
    }
    let mut out = prefix(name);
    match Shape::of(attribute) {
        Shape::Text => out.extend_from_slice(b"\"unknown\""),
        Shape::Json => out.extend_from_slice(b"{}"),
        Shape::Integer if attribute.numbers.contains_key("0") => out.push(b'0'),
        _ => return None,
    }
    Some(out)
}

/// The children of the objects on the way, made where they are not there yet.
fn open<'o>(mut here: &'o mut Vec<Out>, way: &[(String, Option<usize>, &Attribute)]) -> Result<&'o mut Vec<Out>, String> {
    for (name, position, attribute) in way {
        if !attribute.is_object() {
            return Err(format!("`{name}` is not an object"));
        }
        let at = match here.iter().position(|child| child.name() == name) {
            Some(at) => at,
            None => {
                here.push(if attribute.is_array() {
                    Out::Items { prefix: prefix(name), objects: Vec::new() }
                } else {
                    Out::Object(object_of(name, attribute))
                });
                here.len() - 1
            }
        };
        here = match (here.get_mut(at), position) {
            (Some(Out::Object(object)), None) => &mut object.children,
            (Some(Out::Items { objects, .. }), position) => {
                let nth = position.unwrap_or(0);
                if nth > 15 {
                    return Err(format!("`{name}[{nth}]`: at most 16 elements are given one by one; use `each`"));
                }
                while objects.len() <= nth {
                    objects.push(Object { literals_count: false, ..object_of(name, attribute) });
                }
                &mut objects.get_mut(nth).ok_or("no such element")?.children
            }
            // A more special rule fills the array as a whole.
            (Some(Out::Each { object, .. }), _) => return Err(format!("`{}` is filled by `each` already", object.name)),
            _ => return Err(format!("`{name}` is not an array")),
        };
    }
    Ok(here)
}

fn place(
    roots: &mut Vec<Out>,
    way: &[(String, Option<usize>, &Attribute)],
    path: &str,
    candidate: Candidate,
    relative: bool,
) -> Result<(), String> {
    let ((name, _, attribute), around) = way.split_last().ok_or("an empty path")?;
    if attribute.is_object() && attribute.of != "object" {
        return Err(format!("`{path}` is an object: name one of its attributes"));
    }
    let children = match open(roots, around) {
        Ok(children) => children,
        // Overlays may fill an array that the shared fields fill with `each`, and win.
        Err(why) if why.contains("`each` already") => return Ok(()),
        Err(why) => return Err(why),
    };
    if let Some(Out::Leaf(leaf)) = children.iter_mut().find(|child| child.name() == name) {
        leaf.from.push(candidate);
        return Ok(());
    }
    let observable = SCHEMA.types.get(&attribute.of).and_then(|scalar| scalar.observable);
    children.push(Out::Leaf(Leaf {
        path: path.to_owned(),
        prefix: prefix(name),
        shape: Shape::of(attribute),
        array: attribute.is_array(),
        observable: observable.filter(|_| !relative && OBSERVED.contains(&attribute.of.as_str())),
        from: vec![candidate],
        numbers: numbers_of(attribute),
        sibling: attribute.sibling.as_deref().map(prefix),
    }));
    Ok(())
}

/// Types whose values become observables: what an investigator looks for first.
const OBSERVED: [&str; 4] = ["ip_t", "email_t", "username_t", "hostname_t"];

fn check_tables(kind: &Kind) -> Result<(), MapError> {
    let mut names = Vec::new();
    kind.expressions(&mut |expression| {
        let mut found = Vec::new();
        expression.tables(&mut found);
        names.extend(found.into_iter().map(|name| (expression.text.clone(), name.to_owned())));
    });
    match names.into_iter().find(|(_, name)| !kind.reading.tables.contains_key(name)) {
        Some((text, name)) => Err(wrong(format!("`{text}`"), format!("there is no [tables.{name}]"))),
        None => Ok(()),
    }
}
