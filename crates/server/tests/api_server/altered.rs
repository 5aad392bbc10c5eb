//! Entries altered by somebody who knows the format of payload files: no route shows them.

use std::sync::Arc;

use indelible::store::media::disk::Disk;
use tempfile::TempDir;

use crate::server::{Server, Setup};

/// Whose number stands in what is said of an altered entry.
fn altered(message: &str) -> Option<u64> {
    message.contains("were altered").then(|| message.strip_prefix("entry ")?.split(' ').next()?.parse().ok()).flatten()
}

#[test]
fn an_altered_entry_is_refused_by_every_route_that_shows_it() {
    let dir = TempDir::new().unwrap();
    let media = Some(Arc::new(Disk::new(dir.path()).unwrap()) as _);
    let server = Server::with(Setup { media, segment_leaves: Some(256), ..Setup::default() });
    let event = |nth: u32| {
        format!("{{\"actor\":\"person{}\",\"note\":\"{:016x}\"}}\n", nth % 7, u64::from(nth).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    };
    server.events(200, (0..300).map(event).collect::<String>());
    server.trail.flush().unwrap();
    let state = Arc::clone(&server.trail.view().state);
    let file = state.payload_files.values().max_by_key(|file| file.bytes).unwrap();
    let path = dir.path().join(file.name());
    let (whole, all) = (std::fs::read(&path).unwrap(), format!("/v1/events?from={}&limit={}", file.first, file.end() - file.first));
    let shown = server.get(&all).expect(200).json()["events"].clone();
    let mut refused = 0;
    for at in (4..whole.len()).step_by(whole.len() / 150) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let list = server.get(&all);
        if list.status == 200 {
            assert_eq!(list.json()["events"], shown, "byte {at}");
            continue;
        }
        let said = list.json()["error"]["message"].as_str().unwrap().to_owned();
        assert_eq!(list.expect(500).error(), "damaged", "byte {at}");
        let Some(index) = altered(&said) else { continue };
        for route in ["", "/raw", "/routine"] {
            let answer = server.get(&format!("/v1/events/{index}{route}")).expect(500);
            assert_eq!(altered(answer.json()["error"]["message"].as_str().unwrap()), Some(index), "byte {at}, {route}");
            assert_eq!(answer.error(), "damaged");
        }
        refused += 1;
    }
    assert!(refused > 3, "{refused} of the changes are in bytes that can be unpacked");
    std::fs::write(&path, whole).unwrap();
    assert_eq!(server.get(&all).expect(200).json()["events"], shown);
}
