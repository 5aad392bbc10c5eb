//! Acts: written, read back, and folded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::{Signer, SigningKey};
use evidence::act::{
    ConnectionAct, DescribeAct, IdsFile, KeptCheckpoint, KeyAct, LeavesPrefix, PayloadAct, PayloadFile, RotateAct, SECRETS_MAX,
    SETTINGS_BYTES_MAX, Scope, SealAct, SecretReference, Setting, SourceAct, TrailAct, parse_head,
};
use evidence::fold::hash_of_token;
use evidence::{Act, ActError, ActHead, FoldError, TrailState, parse_part2, rotation_text};
use proptest::prelude::*;
use tlog::VerifierKey;

const ORIGIN: &str = "example.com/log";

fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn vkey(seed: u8) -> VerifierKey {
    VerifierKey::new(ORIGIN, secret(seed).verifying_key().to_bytes()).unwrap()
}

fn head(prev: u64) -> ActHead {
    ActHead { origin: ORIGIN.into(), prev: Some(prev) }
}

fn trail() -> Act {
    Act::Trail(TrailAct { vkey: vkey(1), segment_leaves: 256, classes: BTreeMap::from([(1, "default".into())]) })
}

fn begun() -> TrailState {
    TrailState::begin(&ActHead { origin: ORIGIN.into(), prev: None }, &trail()).unwrap()
}

fn source(number: u32, name: &str) -> Act {
    Act::Source(SourceAct { number, name: name.into(), kind: "okta".into() })
}

fn key(id: &str, token: &str) -> KeyAct {
    KeyAct {
        id: id.into(),
        hash: hash_of_token(token),
        scopes: BTreeSet::from([Scope::Ingest]),
        sources: BTreeSet::from(["okta-prod".into()]),
        expires_at: Some(1_000),
        reset: false,
    }
}

fn rotation(old: u8, new: u8, index: u64) -> RotateAct {
    let text = rotation_text(ORIGIN, &vkey(old), &vkey(new), index);
    RotateAct {
        old: vkey(old),
        new: vkey(new),
        sig_old: secret(old).sign(text.as_bytes()).to_bytes(),
        sig_new: secret(new).sign(text.as_bytes()).to_bytes(),
    }
}

fn file(first: u64, count: u64, class: u16) -> PayloadFile {
    PayloadFile { sha256: [9; 32], bytes: 100, first, count, class, generation: 0 }
}

fn payload(files: Vec<PayloadFile>) -> Act {
    Act::Payload(PayloadAct { files, leaves: None, ids: None })
}

fn seal(segment: u64, size: u64, last_act: u64) -> Act {
    let checkpoint = KeptCheckpoint { size, sha256: [3; 32] };
    Act::Seal(SealAct { segment, leaves: [1; 32], tile: [2; 32], checkpoint, last_act: Some(last_act) })
}

fn describe(number: u32, kind: &str, heartbeat_s: Option<u32>) -> Act {
    Act::Describe(DescribeAct { number, kind: kind.into(), heartbeat_s })
}

fn connection(name: &str, source: u32) -> ConnectionAct {
    ConnectionAct {
        name: name.into(),
        kind: "poll.okta".into(),
        source,
        settings: BTreeMap::from([
            ("url".into(), Setting::Text("https://example.okta.com".into())),
            ("overlap_s".into(), Setting::Integer(300)),
            ("archived".into(), Setting::Switch(false)),
            ("filter".into(), Setting::List(vec!["user".into(), "é".into()])),
        ]),
        secrets: BTreeMap::from([
            ("token".into(), SecretReference::Env("OKTA_TOKEN".into())),
            ("key".into(), SecretReference::File("okta-prod.pem".into())),
        ]),
        enabled: true,
    }
}

fn all() -> Vec<Act> {
    vec![
        trail(),
        source(1, "okta-prod"),
        Act::Key(key("k_0123456789abcdef", "token")),
        Act::KeyRevoked { id: "k_0123456789abcdef".into() },
        Act::Public { public: true },
        Act::Rotate(rotation(1, 2, 5)),
        Act::Payload(PayloadAct {
            files: vec![file(0, 4, 0), file(0, 4, 1)],
            leaves: Some(LeavesPrefix { segment: 0, count: 3, sha256: [4; 32] }),
            ids: Some(IdsFile { sha256: [5; 32], first: 0, count: 6 }),
        }),
        payload(vec![]),
        seal(0, 256, 7),
        describe(1, "okta", Some(900)),
        describe(1, "okta", None),
        Act::Connection(connection("okta-poll", 1)),
        Act::ConnectionRemoved { name: "okta-poll".into() },
    ]
}

#[test]
fn every_act_reads_back_and_has_golden_bytes() {
    let mut lines = String::new();
    for (index, act) in all().into_iter().enumerate() {
        let head = ActHead { origin: ORIGIN.into(), prev: index.checked_sub(1).map(|prev| prev as u64) };
        let part2 = act.to_part2(&head);
        assert_eq!(parse_part2(&part2).unwrap(), (head.clone(), act.clone()));
        assert_eq!(parse_head(&part2).unwrap(), (head, act.name().to_owned()));
        lines += std::str::from_utf8(&part2).unwrap();
        lines.push('\n');
    }
    assert_eq!(lines, include_str!("golden/acts.ndjson"));
}

#[test]
fn a_member_too_many_missing_or_of_another_type_is_refused() {
    for act in all() {
        let part2 = act.to_part2(&head(3));
        let good: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&part2).unwrap();
        let refused = |map: &serde_json::Map<String, serde_json::Value>, why: &str| {
            let bytes = serde_json::to_vec(map).unwrap();
            assert!(evidence::is_canonical(&bytes), "serde_json's map is sorted");
            assert!(parse_part2(&bytes).is_err(), "{} with {why}", act.name());
        };
        let mut more = good.clone();
        more.insert("zzz".into(), 1.into());
        refused(&more, "a member too many");
        for name in good.keys() {
            let mut less = good.clone();
            less.remove(name);
            refused(&less, &format!("{name} missing"));
            let mut other = good.clone();
            other.insert(name.clone(), serde_json::json!([[]]));
            refused(&other, &format!("{name} of another type"));
        }
    }
}

#[test]
fn forms_and_ranges_of_members_are_checked() {
    let bad = |act: Act| assert!(parse_part2(&act.to_part2(&head(0))).is_err(), "{act:?}");
    bad(source(0, "okta"));
    for name in ["", "Okta", "-okta", "ok ta", "ok/ta", &"a".repeat(64), "ökta", "okta\u{1b}"] {
        bad(source(1, name));
    }
    bad(Act::KeyRevoked { id: "k_0123".into() });
    bad(Act::KeyRevoked { id: "k_0123456789ABCDEF".into() });
    bad(Act::Key(KeyAct { scopes: BTreeSet::new(), ..key("k_0123456789abcdef", "t") }));
    bad(payload(vec![file(0, 0, 1)]));
    let text = |text: &str| parse_part2(text.as_bytes()).unwrap_err();
    let members = r#""hash":"0000000000000000000000000000000000000000000000000000000000000000","id":"k_0123456789abcdef","origin":"o","prev":1,"reset":false"#;
    let with = |scopes: &str| format!(r#"{{"act":"key","expires_at":null,{members},"scopes":{scopes},"sources":[],"v":1}}"#);
    assert!(parse_part2(with(r#"["admin","read"]"#).as_bytes()).is_ok());
    text(&with(r#"["read","admin"]"#));
    text(&with(r#"["read","read"]"#));
    text(&with(r#"["write"]"#));
    assert!(matches!(text(r#"{"act":"key.create","origin":"o","prev":null,"v":1,"x":{}}"#), ActError::Unknown { .. }));
    assert!(matches!(text(r#"{"act":"public","origin":"o","prev":null,"public":true,"v":2}"#), ActError::Version(2)));
    text(r#"{"act":"public","origin":"o","prev":-1,"public":true,"v":1}"#);
    text(r#"{"act":"public","origin":"o","prev":null,"public":true,"v":1} "#);
    text(r#"[]"#);
}

#[test]
fn a_connection_holds_no_more_than_it_may_and_no_secret() {
    let bad = |connection: ConnectionAct| assert!(parse_part2(&Act::Connection(connection).to_part2(&head(0))).is_err());
    let good = || connection("okta-poll", 1);
    bad(ConnectionAct { name: "Okta".into(), ..good() });
    bad(ConnectionAct { kind: "poll okta".into(), ..good() });
    bad(ConnectionAct { source: 0, ..good() });
    bad(ConnectionAct { settings: BTreeMap::from([("n".into(), Setting::Integer(1 << 54))]), ..good() });
    bad(ConnectionAct { settings: BTreeMap::from([("Base URL".into(), Setting::Switch(true))]), ..good() });
    // {"a":"…"} is 8 bytes longer than the text.
    let of = |bytes: usize| ConnectionAct { settings: BTreeMap::from([("a".into(), Setting::Text("x".repeat(bytes - 8)))]), ..good() };
    assert!(parse_part2(&Act::Connection(of(SETTINGS_BYTES_MAX)).to_part2(&head(0))).is_ok());
    bad(of(SETTINGS_BYTES_MAX + 1));
    let secrets = |count: usize| (0..count).map(|n| (format!("s{n}"), SecretReference::Env("A".into()))).collect();
    assert!(parse_part2(&Act::Connection(ConnectionAct { secrets: secrets(SECRETS_MAX), ..good() }).to_part2(&head(0))).is_ok());
    bad(ConnectionAct { secrets: secrets(SECRETS_MAX + 1), ..good() });
    for text in ["s3cret", "env:", "env:A B", "file:../keys/signing.key", "file:.", "file:..", "file:.x", "vault:a", "env:é", ""] {
        assert!(text.parse::<SecretReference>().is_err(), "{text}");
    }
    assert!(format!("env:{}", "A".repeat(65)).parse::<SecretReference>().is_err());
    for text in ["env:OKTA_TOKEN", "file:okta-prod.pem"] {
        assert_eq!(text.parse::<SecretReference>().unwrap().to_string(), text);
    }
    for (from, to) in
        [(r#""overlap_s":300"#, r#""overlap_s":null"#), (r#"["user","é"]"#, r#"["user",1]"#), ("env:OKTA_TOKEN", "OKTA_TOKEN")]
    {
        let text = String::from_utf8(Act::Connection(good()).to_part2(&head(0))).unwrap();
        assert!(text.contains(from) && parse_part2(text.replace(from, to).as_bytes()).is_err(), "{to}");
    }
}

#[test]
fn a_source_is_described_and_connections_come_and_go() {
    let mut state = begun();
    assert!(matches!(state.apply(1, &head(0), &describe(1, "okta", None)), Err(FoldError::Missing(..))));
    assert!(matches!(state.apply(1, &head(0), &Act::Connection(connection("poll", 1))), Err(FoldError::Missing(..))));
    state.apply(1, &head(0), &source(1, "okta-prod")).unwrap();
    assert_eq!(state.sources[&1].heartbeat_s, None);
    state.apply(2, &head(1), &describe(1, "entra", Some(900))).unwrap();
    let entry = &state.sources[&1];
    assert_eq!((entry.kind.as_str(), entry.heartbeat_s, entry.index), ("entra", Some(900), 1));
    state.apply(3, &head(2), &Act::Connection(connection("poll", 1))).unwrap();
    let off = ConnectionAct { enabled: false, ..connection("poll", 1) };
    state.apply(4, &head(3), &Act::Connection(off.clone())).unwrap();
    assert_eq!((state.connections["poll"].index, &state.connections["poll"].act), (4, &off), "the later one replaces the earlier");
    state.apply(5, &head(4), &Act::ConnectionRemoved { name: "poll".into() }).unwrap();
    assert!(state.connections.is_empty());
    assert!(matches!(state.apply(6, &head(5), &Act::ConnectionRemoved { name: "poll".into() }), Err(FoldError::Missing(..))));
    let malformed = ConnectionAct { name: "A B".into(), ..connection("poll", 1) };
    assert!(state.apply(6, &head(5), &Act::Connection(malformed)).is_err());
    for heartbeat_s in ["0", "4294967296", "-1"] {
        let text = format!(r#"{{"act":"describe","heartbeat_s":{heartbeat_s},"kind":"okta","number":1,"origin":"o","prev":1,"v":1}}"#);
        assert!(parse_part2(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn acts_form_one_chain() {
    let mut state = begun();
    let act = source(1, "okta-prod");
    let other = ActHead { origin: "example.com/other".into(), prev: Some(0) };
    assert!(matches!(state.apply(1, &other, &act), Err(FoldError::Origin { .. })));
    assert!(matches!(state.apply(0, &head(0), &act), Err(FoldError::Order { .. })));
    assert!(matches!(state.apply(9, &head(3), &act), Err(FoldError::Chain { .. })));
    assert_eq!(state, begun(), "a refused act changes nothing");
    state.apply(9, &head(0), &act).unwrap();
    state.pass_over(11, &head(9)).unwrap();
    assert_eq!((state.last_act, state.next_head()), (11, head(11)));
    assert_eq!(state.apply(12, &head(11), &trail()), Err(FoldError::SecondTrail(12)));
    assert_eq!(TrailState::fold(&mut None, 0, &ActHead { origin: ORIGIN.into(), prev: None }, &act), Err(FoldError::NotATrail));
    let stranger = ActHead { origin: "example.com/other".into(), prev: None };
    assert!(matches!(TrailState::begin(&stranger, &trail()), Err(FoldError::Origin { .. })));
}

#[test]
fn numbers_names_ids_and_tokens_are_never_reused() {
    let mut state = begun();
    state.apply(1, &head(0), &source(1, "okta-prod")).unwrap();
    assert_eq!((state.source_number("okta-prod"), state.next_source_number()), (Some(1), 2));
    assert!(matches!(state.apply(2, &head(1), &source(1, "other")), Err(FoldError::Reused(..))));
    assert!(matches!(state.apply(2, &head(1), &source(2, "okta-prod")), Err(FoldError::Reused(..))));
    let id = "k_0123456789abcdef";
    state.apply(2, &head(1), &Act::Key(key(id, "token"))).unwrap();
    assert!(matches!(state.apply(3, &head(2), &Act::Key(key(id, "second"))), Err(FoldError::Reused(..))));
    state.apply(3, &head(2), &Act::KeyRevoked { id: id.into() }).unwrap();
    assert!(matches!(state.apply(4, &head(3), &Act::KeyRevoked { id: id.into() }), Err(FoldError::Missing(..))));
    let same_token = Act::Key(key("k_fedcba9876543210", "token"));
    assert!(matches!(state.apply(4, &head(3), &same_token), Err(FoldError::Reused(..))));
}

#[test]
fn a_token_opens_what_its_key_may_do_until_it_lapses_or_is_revoked() {
    let mut state = begun();
    state.apply(1, &head(0), &Act::Key(key("k_0123456789abcdef", "token"))).unwrap();
    let (id, entry) = state.key_of_token("token", 999).unwrap();
    assert_eq!(id, "k_0123456789abcdef");
    assert!(entry.allows(Scope::Ingest, "okta-prod"));
    assert!(!entry.allows(Scope::Ingest, "entra") && !entry.has(Scope::Read) && !entry.has(Scope::Admin));
    assert!(state.key_of_token("token", 1_000).is_none(), "lapsed");
    assert!(state.key_of_token("Token", 0).is_none());
    state.apply(2, &head(1), &Act::KeyRevoked { id: "k_0123456789abcdef".into() }).unwrap();
    assert!(state.key_of_token("token", 0).is_none(), "revoked");
    let admin = KeyAct { scopes: BTreeSet::from([Scope::Admin]), sources: BTreeSet::new(), ..key("k_0000000000000001", "root") };
    state.apply(3, &head(2), &Act::Key(admin)).unwrap();
    let (_, entry) = state.key_of_token("root", 0).unwrap();
    assert!(entry.allows(Scope::Ingest, "anything") && entry.has(Scope::Read));
}

#[test]
fn the_signing_key_changes_only_with_both_signatures_over_this_index() {
    let mut state = begun();
    assert_eq!(state.apply(5, &head(0), &Act::Rotate(rotation(1, 2, 6))), Err(FoldError::RotationSignature("old")));
    let mut half = rotation(1, 2, 5);
    half.sig_new[0] ^= 1;
    assert_eq!(state.apply(5, &head(0), &Act::Rotate(half)), Err(FoldError::RotationSignature("new")));
    assert!(matches!(state.apply(5, &head(0), &Act::Rotate(rotation(3, 2, 5))), Err(FoldError::Missing(..))));
    assert!(matches!(state.apply(5, &head(0), &Act::Rotate(rotation(1, 1, 5))), Err(FoldError::Reused(..))));
    state.apply(5, &head(0), &Act::Rotate(rotation(1, 2, 5))).unwrap();
    assert_eq!((state.vkey.clone(), state.rotations.len()), (vkey(2), 1));
    assert!(matches!(state.apply(6, &head(5), &Act::Rotate(rotation(2, 1, 6))), Err(FoldError::Reused(..))));
}

#[test]
fn payload_files_neither_overlap_nor_cross_segments_nor_reach_ahead() {
    let mut state = begun();
    state.apply(300, &head(0), &payload(vec![file(0, 10, 1), file(0, 10, 0), file(10, 5, 1)])).unwrap();
    for (bad, why) in [
        (vec![file(14, 1, 1)], "overlaps"),
        (vec![file(9, 20, 0)], "overlaps"),
        (vec![file(20, 5, 1), file(24, 5, 1)], "overlaps"),
        (vec![file(250, 7, 1)], "from one segment"),
        (vec![file(300, 2, 1)], "past the act"),
        (vec![file(20, 2, 2)], "class"),
    ] {
        let error = state.apply(301, &head(300), &payload(bad)).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(state.payload_files.len(), 3);
    let act = |leaves, ids| Act::Payload(PayloadAct { files: vec![], leaves, ids });
    let prefix = |segment, count| Some(LeavesPrefix { segment, count, sha256: [0; 32] });
    let ids = |first, count| Some(IdsFile { sha256: [0; 32], first, count });
    state.apply(301, &head(300), &act(prefix(0, 100), ids(0, 300))).unwrap();
    for bad in
        [act(prefix(0, 100), None), act(prefix(0, 256), None), act(prefix(1, 1), None), act(None, ids(299, 2)), act(None, ids(300, 3))]
    {
        assert!(matches!(state.apply(302, &head(301), &bad), Err(FoldError::Range { .. })), "{bad:?}");
    }
}

#[test]
fn segments_are_sealed_in_order_with_the_last_act_below_their_end() {
    let mut state = begun();
    let mut prev = 0;
    for (index, act) in [(255, source(1, "a")), (256, source(2, "b")), (600, source(3, "c"))] {
        state.apply(index, &head(prev), &act).unwrap();
        prev = index;
    }
    for bad in [seal(1, 512, 256), seal(0, 255, 255), seal(0, 602, 255), seal(0, 256, 256), seal(0, 256, 0)] {
        assert!(matches!(state.apply(601, &head(600), &bad), Err(FoldError::Seal { segment: 0 | 1, .. })), "{bad:?}");
    }
    state.apply(601, &head(600), &seal(0, 256, 255)).unwrap();
    state.apply(602, &head(601), &seal(1, 601, 256)).unwrap();
    assert_eq!(state.sealed_end(), 512);
    assert!(matches!(state.apply(603, &head(602), &seal(2, 603, 602)), Err(FoldError::Seal { .. })), "not full yet");
    // A segment without an act of its own: the last below its end lies further back.
    let mut quiet = begun();
    quiet.apply(512, &head(0), &seal(0, 256, 0)).unwrap();
    quiet.apply(513, &head(512), &seal(1, 512, 0)).unwrap();
}

proptest! {
    #[test]
    fn nothing_makes_the_reader_panic_and_what_it_reads_it_writes(at in 0usize..13, edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)) {
        let mut part2 = all()[at].to_part2(&head(2));
        for (place, byte) in edits {
            let place = place.index(part2.len());
            part2[place] = byte;
        }
        if let Ok((head, act)) = parse_part2(&part2) {
            prop_assert_eq!(act.to_part2(&head), part2);
        }
    }
}
