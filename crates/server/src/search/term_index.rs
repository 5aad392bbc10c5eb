//! The index of one payload file: for each value of the fields that people filter by, its entries; and
//! columns to count and to draw from. Tantivy keeps both; this module says what goes in.
//!
//! ```text
//! DATA/derived/main/index/<payload file>/   files of one tantivy segment, one document an entry, in order
//!                         about.json        of what payload file and maps, and CRC-32C of each file
//! ```
//! INVARIANT: the terms of a field are exactly the values that
//! [`Document::values`](crate::search::document::Document::values) gives for it with an empty identity directory,
//! folded. What an address is spelled like otherwise, and texts too long to be terms, are there beside it, and
//! then an answer says that it is not exact.

mod count;
mod read;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tantivy::schema::{Field, IndexRecordOption, NumericOptions, Schema, SchemaBuilder, TextFieldIndexing, TextOptions};

use crate::search::compare::{address, fold};
use crate::search::field::Name;

pub use count::{Counted, First, MINUTE_MS};
pub use read::TermIndex;
pub use write::Builder;

/// Version of what is put in: goes up when a field gets other values.
const VERSION: u32 = 3;
/// The file that says of what the index is; written last.
const ABOUT: &str = "about.json";
/// Bytes of `about.json`: sources of one segment, and its few files.
const ABOUT_BYTES_MAX: u64 = 4 << 20;
/// Bytes of a term. What is longer stands for itself by its beginning and its hash.
const TERM_BYTES_MAX: usize = 256;
/// Between the beginning of a long text and its hash.
const CUT: char = '\0';

/// Fields with terms: what people filter by, and that is short. Those that can be counted come first.
pub const TERMS: [Name; 16] = [
    Name::Actor,
    Name::Target,
    Name::Action,
    Name::Outcome,
    Name::Ip,
    Name::Country,
    Name::Kind,
    Name::Class,
    Name::Activity,
    Name::Severity,
    Name::Api,
    Name::Account,
    Name::Region,
    Name::Session,
    Name::Resource,
    Name::Asn,
];

/// Fields that can be counted: the first value of each entry, as it is written.
pub const COUNTED: &[Name] = TERMS.split_at(13).0;

/// Names of the columns of numbers.
const INDEX: &str = "index";
const TIME: &str = "time_ms";
const RECEIVED: &str = "received_ms";
const ENTRY: &str = "entry_kind";
const SOURCE: &str = "source_number";
/// Of the record's ids: one of four thousand million says which entry it is, once the filter says about where.
const ID: &str = "id_hash";

/// The column of a field's first values.
fn first_of(name: Name) -> String {
    format!("{}_first", name.word())
}

/// What an index is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct About {
    version: u32,
    /// SHA-256 of the payload file, in hex.
    file: String,
    /// Of the maps that gave the values.
    maps: String,
    /// Whether an address stands in it in another spelling than its own.
    respelled: bool,
    /// CRC-32C of each file of the segment.
    sums: BTreeMap<String, u32>,
}

/// The handles of all fields.
struct Fields {
    schema: Schema,
    terms: Vec<(Name, Field)>,
    firsts: Vec<(Name, Field)>,
    index: Field,
    time: Field,
    received: Field,
    entry: Field,
    source: Field,
    id: Field,
}

impl Fields {
    fn new() -> Self {
        let mut schema = SchemaBuilder::new();
        let listed = TextFieldIndexing::default().set_tokenizer("raw").set_fieldnorms(false).set_index_option(IndexRecordOption::Basic);
        let terms = TextOptions::default().set_indexing_options(listed);
        let counted = TextOptions::default().set_fast("raw");
        let number = NumericOptions::default().set_fast();
        Self {
            terms: TERMS.map(|name| (name, schema.add_text_field(name.word(), terms.clone()))).into(),
            firsts: COUNTED.iter().map(|name| (*name, schema.add_text_field(&first_of(*name), counted.clone()))).collect(),
            index: schema.add_u64_field(INDEX, number.clone()),
            time: schema.add_i64_field(TIME, number.clone()),
            received: schema.add_i64_field(RECEIVED, number.clone()),
            entry: schema.add_u64_field(ENTRY, number.clone()),
            source: schema.add_u64_field(SOURCE, number.clone()),
            id: schema.add_u64_field(ID, number),
            schema: schema.build(),
        }
    }
}

/// The number that stands for an id.
fn id_hash(folded: &str) -> u64 {
    twox_hash::XxHash64::oneshot(0, folded.as_bytes()) & u64::from(u32::MAX)
}

/// The term of a folded text.
fn term(folded: &str) -> String {
    if folded.len() <= TERM_BYTES_MAX {
        return folded.to_owned();
    }
    let mut at = TERM_BYTES_MAX / 2;
    while !folded.is_char_boundary(at) {
        at -= 1;
    }
    let hash = twox_hash::XxHash64::oneshot(0, folded.as_bytes());
    format!("{}{CUT}{hash:016x}", folded.get(..at).unwrap_or_default())
}

/// The terms of a value: itself, and if it is an address spelled in another way, its own spelling.
pub(super) fn terms_of(value: &str) -> (String, Option<String>) {
    let folded = fold(value);
    let canonical = address(value).map(|address| address.to_string()).filter(|canonical| *canonical != folded);
    (term(&folded), canonical)
}
