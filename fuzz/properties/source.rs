//! What holds for any bytes given to a source's map: there is always one valid OCSF event, the same
//! for the same bytes.
#![allow(dead_code, reason = "each fuzz target calls one of them")]

use std::sync::LazyLock;

use indelible::ocsf;
use indelible::source::directory::{Directory, parse_csv, parse_scim};
use indelible::source::identity::canonical;
use indelible::source::inner::{auditd, jwt, key_value, pairs, sections, syslog, xml};
use indelible::source::{Catalog, Scratch};
use serde_json::Value;

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::built_in);

/// The record is mapped, as the kind it looks like and as any kind (the first byte chooses it).
pub fn map(data: &[u8]) {
    let Some((&choice, raw)) = data.split_first() else { return };
    let kinds = CATALOG.kinds();
    let forced = kinds.get(usize::from(choice) % kinds.len().max(1)).map(|kind| kind.name.as_str());
    for name in [None, forced] {
        let map = || CATALOG.map(raw, name, 1_767_225_600_000, &mut Scratch::default());
        let mapped = map();
        assert_eq!(mapped, map(), "the same bytes, twice");
        let event: Value =
            serde_json::from_slice(&mapped.ocsf).unwrap_or_else(|why| panic!("{name:?}: {why}: {}", String::from_utf8_lossy(&mapped.ocsf)));
        let faults = ocsf::check(&event);
        assert!(faults.is_empty(), "{name:?}: {faults:?}\n{event:#}");
        assert!(mapped.unmapped <= mapped.values, "{name:?}");
    }
}

/// Whatever a decoder gives is a JSON object.
pub fn decoders(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let decoders = [auditd::decode, jwt::decode, key_value::decode, pairs::decode, sections::decode, syslog::decode, xml::decode];
    for decoded in decoders.iter().filter_map(|decode| decode(&text)) {
        assert!(serde_json::from_str::<serde_json::Map<String, Value>>(&decoded).is_ok(), "{decoded}");
    }
}

/// A directory is taken or refused; who is taken has canonical names, and nothing changes the second time.
pub fn directory(data: &[u8]) {
    for people in [parse_csv(data), parse_scim(data)].into_iter().flatten() {
        for identity in people.keys() {
            assert_eq!(canonical(identity).as_ref(), Some(identity));
        }
        if let Ok(change) = Directory::default().with(people.clone()) {
            let again = change.directory.with(people).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!((again.new.len(), again.changed.len()), (0, 0));
        }
    }
}
