//! The cutter against one written from the blueprint's sentence, slowly and without sharing a line.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;

/// Depth before and after each byte, and whether it stands outside strings; in the order of the
/// sentence in docs/FORMAT.md.
fn slow_cut(raw: &[u8]) -> Vec<u32> {
    let white = |b: u8| [0x20, 0x09, 0x0a, 0x0d].contains(&b);
    let Some(first) = raw.iter().position(|b| !white(*b)) else {
        return vec![raw.len() as u32];
    };
    let last = raw.iter().rposition(|b| !white(*b)).unwrap();
    let (mut depth, mut in_string, mut skip) = (0i64, false, false);
    let mut depths = Vec::new();
    for &byte in raw {
        let mut comma_at = None;
        if skip {
            skip = false;
        } else if in_string && byte == b'\\' {
            skip = true;
        } else if byte == b'"' {
            in_string = !in_string;
        } else if !in_string {
            depth += i64::from(byte == b'{' || byte == b'[') - i64::from(byte == b'}' || byte == b']');
            comma_at = (byte == b',').then_some(depth);
        }
        depths.push((depth, comma_at));
    }
    let closes = (first..raw.len()).find(|at| depths[*at].0 == 0);
    if raw[first] != b'{' || closes != Some(last) {
        return vec![raw.len() as u32];
    }
    let cut_at = |from: usize, to: usize, level: i64| -> Vec<(usize, usize)> {
        let mut ends: Vec<usize> = (from..to).filter(|at| depths[*at].1 == Some(level)).map(|at| at + 1).collect();
        if ends.last() != Some(&to) {
            ends.push(to);
        }
        let starts = std::iter::once(from).chain(ends.iter().copied());
        starts.zip(ends.iter().copied()).collect()
    };
    let mut pieces = Vec::new();
    for (from, to) in cut_at(0, raw.len(), 1) {
        if to - from > 512 { pieces.extend(cut_at(from, to, 2)) } else { pieces.push((from, to)) }
    }
    let mut lengths: Vec<u32> = pieces.iter().map(|(from, to)| (to - from) as u32).collect();
    if lengths.len() > 253 {
        let rest = lengths.split_off(252);
        lengths.push(rest.iter().sum());
    }
    lengths
}

fn check(raw: &[u8]) {
    let mut fast = vec![77; 3];
    evidence::cut(raw, &mut fast);
    assert_eq!(fast, slow_cut(raw), "{:?}", String::from_utf8_lossy(raw));
    assert_eq!(fast.iter().map(|length| *length as usize).sum::<usize>(), raw.len());
    assert!((1..=253).contains(&fast.len()));
}

/// Text that looks like JSON, mostly: objects with long and short members, strings with escapes.
fn json_like() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1".to_owned()),
        Just("null".to_owned()),
        "[ -~]{0,12}".prop_map(|text| format!("{text:?}")),
        (0usize..700).prop_map(|length| format!("\"{}\"", "x,".repeat(length / 2))),
        Just(r#""\\\"{[,""#.to_owned()),
    ];
    let value = leaf.prop_recursive(4, 64, 12, |inner| {
        let member =
            (r#"("[a-z]{1,3}"|"\\\\")"#, inner.clone(), "[ \n]?").prop_map(|(name, value, space)| format!("{name}:{space}{value}"));
        prop_oneof![
            prop::collection::vec(member, 0..12).prop_map(|members| format!("{{{}}}", members.join(","))),
            prop::collection::vec(inner, 0..12).prop_map(|items| format!("[{}]", items.join(", "))),
        ]
    });
    let object = prop::collection::vec(value, 0..8).prop_map(|values| {
        let members: Vec<_> = values.iter().enumerate().map(|(at, value)| format!("\"m{at}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    });
    ("[ \t\n\r]{0,2}", object, "[ \t\n\rx]{0,2}").prop_map(|(before, object, after)| before + &object + &after)
}

proptest! {
    #[test]
    fn any_bytes_are_cut_as_the_slow_cutter_cuts_them(raw in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&raw);
        check(&[b"{", raw.as_slice(), b"}"].concat());
    }

    #[test]
    fn bytes_with_a_meaning_are_cut_as_the_slow_cutter_cuts_them(raw in prop::collection::vec(prop::sample::select(&b"{}[],\"\\ aYy_\x7f"[..]), 0..400)) {
        check(&raw);
        check(&[b"{", raw.as_slice(), b"}"].concat());
    }

    #[test]
    fn records_are_cut_as_the_slow_cutter_cuts_them(raw in json_like()) {
        check(raw.as_bytes());
    }

    #[test]
    fn many_and_long_members_are_cut_as_the_slow_cutter_cuts_them(counts in prop::collection::vec(0usize..260, 1..6), pad in 0usize..70) {
        let members: Vec<_> = counts.iter().map(|count| format!("\"m\":[{}]", vec!["12"; *count].join(","))).collect();
        check(format!("{{{}{}}}", " ".repeat(pad), members.join(",")).as_bytes());
        let flat = vec!["\"a\":1"; counts.iter().sum()];
        check(format!("{{{}}}", flat.join(",")).as_bytes());
    }
}

#[test]
fn the_bounds_of_the_rule_are_where_it_says() {
    for length in 500..520 {
        check(format!("{{\"s\":1,\"k\":{{\"a\":\"{}\",\"b\":1}},\"t\":2}}", "x".repeat(length)).as_bytes());
    }
    for members in 250..258 {
        check(format!("{{{}}}", vec!["\"a\":1"; members].join(",")).as_bytes());
    }
    for raw in ["", " ", "{", "}", "{}", "{]", "{}{}", "{,}", "{,,}", "[1,2]", "\"{\"", "{\"", "{\\\"a,b\\\"}", "{}\u{b}"] {
        check(raw.as_bytes());
    }
}

#[test]
fn a_commitment_to_cut_raw_is_the_commitment_to_its_parts() {
    let mut raw = b"{\"a\":1".to_vec();
    for round in 0..600 {
        raw.extend_from_slice(format!(",\"k{round}\":\"{}\"", "v".repeat(round % 41)).as_bytes());
        let whole = [raw.as_slice(), b"}"].concat();
        let mut cuts = Vec::new();
        evidence::cut(&whole, &mut cuts);
        let mut rest = whole.as_slice();
        let mut parts: Vec<&[u8]> = vec![b"{}", b"{\"id\":\"x\"}"];
        parts.extend(cuts.iter().map(|length| rest.split_off(..*length as usize).unwrap()));
        let salt = [round as u8; 16];
        let expected = plain_commitment(&salt, &parts);
        assert_eq!(evidence::commit(&salt, parts[0], parts[1], &whole, &cuts), expected);
        assert_eq!(evidence::commit_parts(&salt, &parts), expected);
    }
}

/// The blueprint's three lines.
fn plain_commitment(salt: &[u8; 16], parts: &[&[u8]]) -> [u8; 32] {
    let mut message = vec![0x43];
    message.extend((parts.len() as u16).to_be_bytes());
    for (i, part) in parts.iter().enumerate() {
        let pair = tlog::sha256(&[&[0x53], salt, &(i as u16 / 2).to_be_bytes()]);
        message.extend(tlog::sha256(&[&[0x50], &pair[i % 2 * 16..][..16], part]));
    }
    tlog::sha256(&[&message])
}
