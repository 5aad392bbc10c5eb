//! Where an address is: country and network of the sender, from databases in MaxMind's format, for records that do
//! not say it themselves.
//!
//! INVARIANT: what a record says stands. What a database says is added to the OCSF form, which is derived and
//! derived again with another database; the log never holds it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use evidence::canonical_json::write_string;
use maxminddb::{MaxMindDbError, PathElement, Reader};

use crate::intake::tape::{Node, NodeKind, Tape};

/// Databases asked for one address: a country or city database, one of networks, and another of each.
pub const DATABASES_MAX: usize = 8;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// It cannot be read, or is no database.
    #[error("{path}: {why}; --geoip needs a country, city or ASN database in MaxMind's format (.mmdb)", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: Box<MaxMindDbError>,
    },
    /// More than are asked.
    #[error(
        "{count} databases of addresses are more than {DATABASES_MAX}: each is asked for every event; give those that say country and network"
    )]
    TooMany {
        /// How many were given.
        count: usize,
    },
}

/// Databases of addresses, asked in their order.
pub struct Geo {
    databases: Vec<Reader<Vec<u8>>>,
    fingerprint: u64,
}

impl std::fmt::Debug for Geo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Geo").field("databases", &self.databases.len()).finish_non_exhaustive()
    }
}

/// What databases say of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// ISO 3166 code of the country.
    pub country: Option<String>,
    /// Number of the autonomous system.
    pub asn: Option<u32>,
    /// Who runs it.
    pub asn_name: Option<String>,
}

impl Geo {
    /// Reads the databases into memory.
    ///
    /// # Errors
    /// [`GeoError`] names the file.
    pub fn open<P: AsRef<Path>>(paths: &[P]) -> Result<Self, GeoError> {
        if paths.len() > DATABASES_MAX {
            return Err(GeoError::TooMany { count: paths.len() });
        }
        let mut geo = Self { databases: Vec::new(), fingerprint: 0 };
        for path in paths.iter().map(AsRef::as_ref) {
            let failed = |why: MaxMindDbError| GeoError::Unreadable { path: path.to_owned(), why: Box::new(why) };
            let bytes = std::fs::read(path).map_err(|why| failed(why.into()))?;
            // The bytes rather than the build that they name: whoever edits one need not think of it.
            geo.fingerprint = twox_hash::XxHash64::oneshot(geo.fingerprint, &bytes);
            geo.databases.push(Reader::from_source(bytes).map_err(failed)?);
        }
        Ok(geo)
    }

    /// Other databases, or the same in another order, have another one.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// What the databases say: of each thing, the first that says it.
    #[must_use]
    pub fn locate(&self, address: IpAddr) -> Located {
        let mut located = Located::default();
        for database in &self.databases {
            // A database that is damaged at this address, or of IPv4 alone, says nothing of it.
            let Ok(found) = database.lookup(address.to_canonical()) else { continue };
            let text = |path: &[&str]| {
                let path: Vec<_> = path.iter().map(|name| PathElement::Key(name)).collect();
                found.decode_path::<&str>(&path).ok().flatten().filter(|text| !text.is_empty()).map(str::to_owned)
            };
            let number = |name| found.decode_path::<u32>(&[PathElement::Key(name)]).ok().flatten();
            // As MaxMind and DB-IP name them, and as those who publish flat databases do.
            let country = || text(&["country", "iso_code"]).or_else(|| text(&["country_code"])).or_else(|| text(&["country"]));
            located.country = located.country.or_else(country);
            let spelled = || text(&["asn"]).and_then(|asn| asn.trim_start_matches("AS").parse().ok());
            let asn = number("autonomous_system_number").or_else(|| number("asn")).or_else(spelled);
            if located.asn.is_none() && asn.is_some() {
                located.asn = asn;
                located.asn_name = text(&["autonomous_system_organization"]).or_else(|| text(&["as_name"]));
            }
        }
        located
    }

    /// Adds to `src_endpoint` of an OCSF form what it does not say of its own address.
    pub fn fill(&self, ocsf: &mut Vec<u8>) {
        let Some(additions) = std::str::from_utf8(ocsf).ok().and_then(|text| self.additions(text)) else { return };
        // From the end, so that what comes before stays where it is.
        for (at, member) in additions.into_iter().rev() {
            let at = at.min(ocsf.len());
            ocsf.splice(at..at, member);
        }
    }

    /// What to put where, ascending.
    fn additions(&self, text: &str) -> Option<Vec<(usize, Vec<u8>)>> {
        let mut tape = Tape::default();
        tape.read(text).ok()?;
        let form = Form { text, tape: &tape };
        let (at, sender) = form.member(0, "src_endpoint").filter(|(_, node)| node.kind == NodeKind::Object)?;
        let (_, ip) = form.member(at, "ip")?;
        let located = self.locate(form.slice(ip.value).trim_matches('"').parse().ok()?);
        let mut additions = Vec::new();
        if let Some(country) = &located.country {
            let members = [("country", quoted(country))];
            additions.extend(form.addition((at, sender), "location", &members));
        }
        if let Some(number) = located.asn {
            let name = located.asn_name.as_deref().map(|name| ("name", quoted(name)));
            let members: Vec<_> = [("number", number.to_string().into_bytes())].into_iter().chain(name).collect();
            additions.extend(form.addition((at, sender), "autonomous_system", &members));
        }
        additions.sort_by_key(|(at, _)| *at);
        Some(additions)
    }
}

fn quoted(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(text, &mut out);
    out
}

/// An OCSF form with the place of each value.
struct Form<'a> {
    text: &'a str,
    tape: &'a Tape,
}

impl<'a> Form<'a> {
    fn slice(&self, (from, to): (u32, u32)) -> &'a str {
        self.text.get(from as usize..to as usize).unwrap_or_default()
    }

    fn member(&self, of: u32, name: &str) -> Option<(u32, &Node)> {
        self.tape.children(of).find(|(_, node)| self.slice(node.name) == name)
    }

    /// What makes the object `name` of `parent` say the first of `members`, and the others with it; nothing when it
    /// does. Ends of objects are places of their own, so additions do not meet.
    fn addition(&self, (at, parent): (u32, &Node), name: &str, members: &[(&str, Vec<u8>)]) -> Option<(usize, Vec<u8>)> {
        let (first, _) = members.first()?;
        let mut written = Vec::new();
        let (object, number) = match self.member(at, name) {
            None => (parent, at),
            Some((number, there)) if there.kind == NodeKind::Object && self.member(number, first).is_none() => (there, number),
            Some(_) => return None,
        };
        let missing: Vec<_> = members.iter().filter(|(member, _)| number == at || self.member(number, member).is_none()).collect();
        for (nth, (member, value)) in missing.into_iter().enumerate() {
            if nth > 0 {
                written.push(b',');
            }
            written.extend_from_slice(&quoted(member));
            written.push(b':');
            written.extend_from_slice(value);
        }
        if number == at {
            written = [quoted(name).as_slice(), b":{", &written, b"}"].concat();
        }
        if self.tape.children(number).next().is_some() {
            written.insert(0, b',');
        }
        Some(((object.value.1 as usize).saturating_sub(1), written))
    }
}

#[cfg(test)]
#[path = "../../tests/lake/mmdb.rs"]
mod mmdb;
#[cfg(test)]
mod tests;
