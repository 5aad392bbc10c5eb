#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{DATABASES_MAX, Geo, GeoError, Located, mmdb};
use crate::ocsf::check::check;
use crate::source::catalog::BUILT_IN;
use crate::source::{Catalog, Scratch};

fn geo(databases: &[Vec<u8>]) -> Geo {
    let dir = tempfile::tempdir().unwrap();
    let write = |(nth, bytes): (usize, &Vec<u8>)| {
        let path = dir.path().join(format!("{nth}.mmdb"));
        std::fs::write(&path, bytes).unwrap();
        path
    };
    Geo::open(&databases.iter().enumerate().map(write).collect::<Vec<_>>()).unwrap()
}

fn filled(geo: &Geo, form: &Value) -> Value {
    let mut bytes = form.to_string().into_bytes();
    geo.fill(&mut bytes);
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn country_and_network_are_read_as_the_usual_databases_name_them() {
    let geo = geo(&[mmdb::places()]);
    let located = |address: &str| {
        let Located { country, asn, asn_name } = geo.locate(address.parse().unwrap());
        (country.unwrap_or_default(), asn.unwrap_or_default(), asn_name.unwrap_or_default())
    };
    assert_eq!(located("203.0.113.66"), ("NL".to_owned(), 64_500, "Canal \"Net\"".to_owned()));
    assert_eq!(located("::ffff:203.0.113.66").0, "NL");
    assert_eq!(located("198.51.100.127"), ("BR".to_owned(), 64_501, String::new()));
    assert_eq!(located("2001:db8::7"), ("IS".to_owned(), 64_502, "Fjord".to_owned()));
    for nowhere in ["198.51.100.128", "10.0.0.1", "::1"] {
        assert_eq!(geo.locate(nowhere.parse().unwrap()), Located::default(), "{nowhere}");
    }
}

#[test]
fn of_several_databases_the_first_that_says_something_is_believed() {
    let countries = mmdb::database(&[("192.0.2.0/24", json!({"country": {"iso_code": "AR"}}))]);
    let both = mmdb::database(&[("192.0.2.0/24", json!({"country": {"iso_code": "XX"}, "autonomous_system_number": 64_503}))]);
    let located = geo(&[countries, both]).locate("192.0.2.9".parse().unwrap());
    assert_eq!((located.country.unwrap(), located.asn.unwrap()), ("AR".to_owned(), 64_503));
}

#[test]
fn what_a_record_says_stands_and_what_it_leaves_open_is_added() {
    let geo = geo(&[mmdb::places()]);
    let sender = |rest: Value| {
        let mut sender = json!({"ip": "203.0.113.66"});
        sender.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        filled(&geo, &json!({"class_uid": 3002, "src_endpoint": sender, "user": {"name": "ana"}}))["src_endpoint"].clone()
    };
    let network = json!({"number": 64_500, "name": "Canal \"Net\""});
    let nothing = sender(json!({}));
    assert_eq!(nothing, json!({"ip": "203.0.113.66", "location": {"country": "NL"}, "autonomous_system": network}));
    assert_eq!(sender(json!({"location": {"country": "DE"}}))["location"], json!({"country": "DE"}));
    assert_eq!(sender(json!({"location": {"city": "Delft"}}))["location"], json!({"city": "Delft", "country": "NL"}));
    assert_eq!(sender(json!({"location": {}}))["location"], json!({"country": "NL"}));
    assert_eq!(sender(json!({"autonomous_system": {"name": "own"}}))["autonomous_system"], json!({"name": "own", "number": 64_500}));
    assert_eq!(sender(json!({"autonomous_system": {"number": 1}}))["autonomous_system"], json!({"number": 1}));
}

#[test]
fn a_form_without_a_known_sender_stays_as_it_is() {
    let geo = geo(&[mmdb::places()]);
    for form in [
        json!({}),
        json!({"src_endpoint": {}}),
        json!({"src_endpoint": "203.0.113.66"}),
        json!({"src_endpoint": {"ip": "10.1.2.3"}}),
        json!({"src_endpoint": {"ip": "no address"}}),
        json!({"src_endpoint": {"ip": ["203.0.113.66"]}}),
        json!({"dst_endpoint": {"ip": "203.0.113.66"}}),
    ] {
        assert_eq!(filled(&geo, &form), form);
    }
}

#[test]
fn what_is_added_is_what_the_schema_allows() {
    let address = |network: &str| mmdb::database(&[(network, json!({"country": {"iso_code": "NL"}, "autonomous_system_number": 64_500}))]);
    let geo = geo(&[address("0.0.0.0/1"), address("128.0.0.0/1"), address("2000::/3")]);
    let catalog = Catalog::built_in();
    let mut located = 0;
    for built_in in BUILT_IN {
        for sample in built_in.samples.lines() {
            let mut mapped = catalog.map(sample.as_bytes(), Some(built_in.kind), 0, &mut Scratch::default()).ocsf;
            let before: Value = serde_json::from_slice(&mapped).unwrap();
            geo.fill(&mut mapped);
            let after: Value = serde_json::from_slice(&mapped).unwrap();
            assert_eq!(check(&after), check(&before), "{}: {after}", built_in.kind);
            located += usize::from(before != after);
        }
    }
    assert!(located > 100, "{located}");
}

#[test]
fn a_file_that_is_no_database_is_refused_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("places.mmdb");
    let refused = || Geo::open(&[&path]).unwrap_err().to_string();
    assert!(refused().contains("places.mmdb"));
    let whole = mmdb::places();
    for bytes in [&b"country,code\n"[..], &[], &whole[..whole.len() - 60]] {
        std::fs::write(&path, bytes).unwrap();
        assert!(refused().contains("--geoip"), "{}", refused());
    }
    std::fs::write(&path, whole).unwrap();
    assert!(Geo::open(&[&path; DATABASES_MAX]).is_ok());
    assert!(matches!(Geo::open(&[&path; DATABASES_MAX + 1]), Err(GeoError::TooMany { .. })));
}

#[test]
fn another_database_is_noticed() {
    let one = mmdb::places();
    let other = mmdb::database(&[("203.0.113.0/24", json!({"country_code": "BE"}))]);
    let fingerprints = [vec![], vec![one.clone()], vec![other.clone()], vec![one.clone(), other.clone()], vec![other, one]];
    let fingerprints: std::collections::BTreeSet<_> = fingerprints.iter().map(|databases| geo(databases).fingerprint()).collect();
    assert_eq!(fingerprints.len(), 5);
}

proptest! {
    #[test]
    fn a_damaged_database_is_refused_or_answers(at: prop::sample::Index, with: u8, bits: u128) {
        let mut bytes = mmdb::places();
        let at = at.index(bytes.len());
        bytes[at] = with;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("places.mmdb");
        std::fs::write(&path, bytes).unwrap();
        if let Ok(geo) = Geo::open(&[&path]) {
            for address in ["203.0.113.66", "198.51.100.1", "2001:db8::1"] {
                filled(&geo, &json!({"src_endpoint": {"ip": address}}));
            }
            let _ = geo.locate(std::net::Ipv6Addr::from(bits).into());
        }
    }

    #[test]
    fn any_bytes_stay_as_they_are_or_become_json(text in ".*") {
        let geo = geo(&[mmdb::places()]);
        let mut bytes = text.clone().into_bytes();
        geo.fill(&mut bytes);
        prop_assert_eq!(bytes, text.into_bytes());
    }
}
