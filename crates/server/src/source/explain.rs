//! Says of one record what matched and where each attribute came from.

use crate::source::catalog::Catalog;
use crate::source::emit::Leaf;
use crate::source::kind::Kind;
use crate::source::map::{Scratch, Taken};
use crate::source::reader::Reader;

/// One attribute of the event.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Field {
    /// OCSF path.
    pub attribute: String,
    /// Its value, as text.
    pub value: String,
    /// The expression it came from.
    pub from: String,
}

/// What a record means and why.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Explanation {
    /// Kind.
    pub kind: String,
    /// 0 when the kind was given, not recognised.
    pub certainty: u8,
    /// Other kinds it looks like, less.
    pub also_like: Vec<(String, u8)>,
    /// The record in short.
    pub reading: Reading,
    /// Attributes.
    pub fields: Vec<Field>,
    /// Scalar values in the record, and how many of them are unmapped.
    pub values: (usize, usize),
    /// The event.
    pub ocsf: serde_json::Value,
}

/// A record in short, in words that do not depend on OCSF.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Reading {
    /// When, RFC 3339.
    pub time: Option<String>,
    /// The vendor's word for what happened.
    pub action: Option<String>,
    /// Who.
    pub actor: Option<String>,
    /// To whom.
    pub target: Option<String>,
    /// From where.
    pub src_ip: Option<String>,
    /// Success, Failure, Unknown or Other.
    pub outcome: String,
    /// Canonical ids of actor and target.
    pub identity: (Option<String>, Option<String>),
    /// Record id.
    pub id: Option<String>,
    /// Producer's counter.
    pub sequence: Option<u64>,
}

/// Explains a record, of the kind given or of the one it looks most like.
#[must_use]
pub fn explain(catalog: &Catalog, raw: &[u8], kind: Option<&str>, received_at: i64) -> Explanation {
    let recognised = catalog.recognise(raw);
    let name = kind.map(str::to_owned).or_else(|| recognised.as_ref().map(|found| found.kind.name.clone()));
    let mut scratch = Scratch::default();
    let mapped = catalog.map(raw, name.as_deref(), received_at, &mut scratch);
    let ocsf: serde_json::Value = serde_json::from_slice(&mapped.ocsf).unwrap_or_default();
    let mut fields = Vec::new();
    if let Some(kind) = name.as_deref().and_then(|name| catalog.kind(name)) {
        let inner = catalog.best(raw, 2, std::slice::from_ref(kind)).map(|(_, text)| text.into_owned().into_bytes());
        kind.with_reader(Taken::Readable, inner.as_deref().unwrap_or(raw), received_at, &mut scratch, &mut |reader| {
            fields = fields_of(kind, reader)
        });
    }
    let text = |path: &str| path.split('.').try_fold(&ocsf, |at, name| at.get(name)).and_then(|value| value.as_str()).map(str::to_owned);
    let certainty_of = |name: &str| recognised.as_ref().filter(|found| found.kind.name == name).map_or(0, |found| found.certainty);
    Explanation {
        certainty: certainty_of(&mapped.kind),
        also_like: also_like(catalog, raw, &mapped.kind),
        reading: Reading {
            time: mapped.time_ms.map(crate::source::time::write),
            action: mapped.action.clone(),
            actor: ["actor.user.name", "actor.user.email_addr", "actor.user.uid", "actor.app_name"].into_iter().find_map(text),
            target: ["user.name", "user.email_addr", "user.uid", "entity.name", "group.name"].into_iter().find_map(text),
            src_ip: text("src_endpoint.ip"),
            outcome: text("status").unwrap_or_else(|| "Unknown".into()),
            identity: (mapped.actor.clone(), mapped.target.clone()),
            id: mapped.id.clone(),
            sequence: mapped.sequence,
        },
        kind: mapped.kind,
        fields,
        values: (mapped.values, mapped.unmapped),
        ocsf,
    }
}

fn also_like(catalog: &Catalog, raw: &[u8], best: &str) -> Vec<(String, u8)> {
    let others = catalog.kinds().iter().filter(|kind| kind.name != best);
    let mut like: Vec<_> = others
        .filter_map(|kind| catalog.best(raw, 2, std::slice::from_ref(kind)))
        .map(|(found, _)| (found.kind.name.clone(), found.certainty))
        .collect();
    like.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    like
}

fn fields_of<'d>(kind: &'d Kind, reader: &Reader<'d>) -> Vec<Field> {
    let writer = reader.writer();
    let mut leaves: Vec<&Leaf> = Vec::new();
    reader.class.tree.iter().chain(&reader.class.rules.metadata).for_each(|out| out.leaves(&mut leaves));
    let mapped = leaves.into_iter().filter_map(|leaf| {
        let (nth, value) = writer.value(leaf)?;
        let from = leaf.from.get(nth)?.expression.text.clone();
        Some(Field { attribute: leaf.path.clone(), value: value.as_text().into_owned(), from })
    });
    let record = [("time", &kind.record.time), ("metadata.uid", &kind.record.id), ("metadata.event_code", &kind.record.action)];
    let own = record.into_iter().filter_map(|(attribute, expressions)| {
        let (expression, value) = expressions.iter().find_map(|expression| Some((expression, reader.context.value(expression)?)))?;
        Some(Field { attribute: attribute.to_owned(), value: value.as_text().into_owned(), from: expression.text.clone() })
    });
    own.chain(mapped).collect()
}
