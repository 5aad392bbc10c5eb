//! Writes a small database in MaxMind's format: https://maxmind.github.io/MaxMind-DB/

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use std::net::{IpAddr, Ipv6Addr};

use serde_json::{Value, json};

/// Between the tree and the data.
const SEPARATOR: usize = 16;

enum Record {
    Nothing,
    Node(usize),
    Data(usize),
}

/// A database that says `data` of each network, `address/length`.
pub fn database(networks: &[(&str, Value)]) -> Vec<u8> {
    let mut nodes = vec![[Record::Nothing, Record::Nothing]];
    let mut data = Vec::new();
    for (network, value) in networks {
        let (address, length) = network.split_once('/').unwrap();
        let (bits, length) = match address.parse().unwrap() {
            // IPv4 lies at ::/96.
            IpAddr::V4(address) => (u128::from(u32::from(address)), length.parse::<usize>().unwrap() + 96),
            IpAddr::V6(address) => (u128::from(address), length.parse().unwrap()),
        };
        let mut at = 0;
        for depth in 0..length {
            let side = (bits >> (127 - depth) & 1) as usize;
            if depth + 1 == length {
                nodes[at][side] = Record::Data(data.len());
            } else if let Record::Node(next) = nodes[at][side] {
                at = next;
            } else {
                nodes.push([Record::Nothing, Record::Nothing]);
                let new = nodes.len() - 1;
                nodes[at][side] = Record::Node(new);
                at = new;
            }
        }
        encode("", value, &mut data);
    }
    let mut file = Vec::new();
    for record in nodes.iter().flatten() {
        let number = match record {
            Record::Nothing => nodes.len(),
            Record::Node(number) => *number,
            Record::Data(at) => nodes.len() + SEPARATOR + at,
        };
        file.extend_from_slice(&u32::try_from(number).unwrap().to_be_bytes()[1..]);
    }
    file.extend_from_slice(&[0; SEPARATOR]);
    file.extend_from_slice(&data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let about = json!({
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1_790_000_000, "database_type": "Test",
        "description": {"en": "made by a test"}, "ip_version": 6, "languages": ["en"], "node_count": nodes.len(), "record_size": 24,
    });
    encode("", &about, &mut file);
    file
}

/// Readers want each number in the width that its name has.
fn encode(name: &str, value: &Value, out: &mut Vec<u8>) {
    let head = |kind: u8, size: usize, out: &mut Vec<u8>| {
        if size < 29 {
            out.push(kind << 5 | size as u8);
        } else {
            out.extend_from_slice(&[kind << 5 | 29, u8::try_from(size - 29).unwrap()]);
        }
    };
    match value {
        Value::String(text) => {
            head(2, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Number(number) => {
            let bytes = number.as_u64().unwrap().to_be_bytes();
            match name {
                // A kind beyond seven stands in a byte of its own.
                "build_epoch" => out.extend_from_slice(&[&[8, 9 - 7], &bytes[..]].concat()),
                "node_count" | "asn" | "autonomous_system_number" => {
                    head(6, 4, out);
                    out.extend_from_slice(&bytes[4..]);
                }
                _ => {
                    head(5, 2, out);
                    out.extend_from_slice(&bytes[6..]);
                }
            }
        }
        Value::Object(members) => {
            head(7, members.len(), out);
            for (name, value) in members {
                encode("", &Value::from(name.as_str()), out);
                encode(name, value, out);
            }
        }
        Value::Array(items) => {
            out.extend_from_slice(&[items.len() as u8, 11 - 7]);
            items.iter().for_each(|item| encode("", item, out));
        }
        _ => panic!("{value} is not written here"),
    }
}

/// Country of the stranger's network and of one of IPv6, and the networks of both.
pub fn places() -> Vec<u8> {
    assert_eq!("2001:db8::1".parse::<Ipv6Addr>().unwrap().segments()[0], 0x2001);
    database(&[
        (
            "203.0.113.0/24",
            json!({"country": {"iso_code": "NL"}, "autonomous_system_number": 64_500, "autonomous_system_organization": "Canal \"Net\""}),
        ),
        ("198.51.100.0/25", json!({"country_code": "BR", "asn": "AS64501"})),
        ("2001:db8::/32", json!({"country": "IS", "asn": 64_502, "as_name": "Fjord"})),
    ])
}
