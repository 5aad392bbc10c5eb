//! The published cases for the frozen formats, from an implementation that shares no code with this
//! one. They lie outside the repository: `INDELIBLE_SHARED` names their directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use serde_json::Value;
use tlog::canonical::{base64, from_base64};

fn vectors(file: &str) -> Option<Vec<Value>> {
    let Some(shared) = std::env::var_os("INDELIBLE_SHARED") else {
        eprintln!("not run: INDELIBLE_SHARED is not set");
        return None;
    };
    let path = std::path::Path::new(&shared).join("vectors").join(file);
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

fn bytes(value: &Value) -> Vec<u8> {
    from_base64(value.as_str().unwrap()).unwrap()
}

fn list(value: &Value) -> Vec<Vec<u8>> {
    value.as_array().unwrap().iter().map(bytes).collect()
}

#[test]
fn every_commitment_is_the_published_one_byte_for_byte() {
    let Some(cases) = vectors("commitment-v1.json") else {
        return;
    };
    for (at, case) in cases.iter().enumerate() {
        let salt = evidence::Salt(bytes(&case["salt"]).try_into().unwrap());
        let parts = list(&case["parts"]);
        if case["raw"].is_string() {
            let raw = bytes(&case["raw"]);
            let mut cuts = Vec::new();
            evidence::cut(&raw, &mut cuts);
            let mut rest = raw.as_slice();
            let cut_parts: Vec<_> = cuts.iter().map(|length| rest.split_off(..*length as usize).unwrap()).collect();
            assert_eq!(cut_parts, parts[2..], "parts of case {at}");
            let commitment = evidence::commit(&salt.0, &parts[0], &parts[1], &raw, &cuts);
            assert_eq!(base64(&commitment), case["commitment"], "commitment of case {at}");
        }
        let salts = evidence::commitment::part_salts(&salt, parts.len());
        assert_eq!(salts.iter().map(|salt| salt.0.to_vec()).collect::<Vec<_>>(), list(&case["salts"]), "salts of case {at}");
        let digests: Vec<[u8; 32]> = salts.iter().zip(&parts).map(|(salt, part)| evidence::commitment::digest(salt, part)).collect();
        assert_eq!(digests.iter().map(|digest| digest.to_vec()).collect::<Vec<_>>(), list(&case["digests"]), "digests of case {at}");
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let commitment = evidence::commit_parts(&salt.0, &slices);
        assert_eq!(base64(&commitment), case["commitment"], "commitment of case {at}");
        assert_eq!(evidence::commitment::commitment_of(&digests), commitment);

        let leaf = evidence::Leaf::decode(&bytes(&case["leaf"])).unwrap();
        assert_eq!(u64::from(leaf.kind.byte()), case["kind"].as_u64().unwrap());
        assert_eq!(leaf.commitment, commitment);
        assert_eq!(leaf.encode().to_vec(), bytes(&case["leaf"]));
        assert_eq!(leaf.hash().to_string(), case["leaf_hash"].as_str().unwrap());
    }
    assert!(cases.len() >= 26, "the file was cut short");
}

#[test]
fn every_verdict_on_an_event_file_is_the_published_one() {
    let Some(cases) = vectors("event-files-v1.json") else {
        return;
    };
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        // One of the keys is none: its id is another key's. Nothing holds under it.
        let Ok(vkey) = case["vkey"].as_str().unwrap().parse() else {
            assert_eq!((name, &case["holds"]), ("vkey of another log", &Value::Bool(false)));
            continue;
        };
        let verdict =
            evidence::EventFile::parse(case["event"].as_str().unwrap().as_bytes()).map_err(evidence::Wrong::from).and_then(|file| {
                assert_eq!(evidence::EventFile::parse(&file.to_json()).unwrap(), file, "{name}");
                file.verify(&vkey, &[])
            });
        match &verdict {
            Ok(event) => println!("{name}: holds, index {}, hidden {:?}", event.index, event.hidden),
            Err(wrong) => println!("{name}: {}: {wrong}", wrong.place()),
        }
        assert_eq!(verdict.is_ok(), case["holds"].as_bool().unwrap(), "{name}");
    }
    assert!(cases.len() >= 35, "the file was cut short");
}
