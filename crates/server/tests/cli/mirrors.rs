use std::path::Path;

use tlog::tile::{decode_bundle, decode_hashes};
use tlog::{Frontier, Hash, VerifierKey, open_checkpoint};

use crate::binary::{Place, indelible, run, run_with_input};

fn read(dir: &Path, name: &str) -> Vec<u8> {
    std::fs::read(dir.join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// Rebuilds the root from the bundles of a small mirror and holds it against its checkpoint.
fn check(dir: &Path, vkey: &str) -> u64 {
    let key: VerifierKey = vkey.parse().unwrap();
    let note = String::from_utf8(read(dir, "checkpoint")).unwrap();
    let checkpoint = open_checkpoint(&note, &[key]).unwrap().checkpoint;
    let mut frontier = Frontier::new();
    for first in (0..checkpoint.size.0).step_by(256) {
        let width = (checkpoint.size.0 - first).min(256) as u16;
        let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
        let bundle = read(dir, &format!("tile/entries/{:03}{partial}", first / 256));
        let tile = decode_hashes(&read(dir, &format!("tile/0/{:03}{partial}", first / 256))).unwrap();
        let leaves: Vec<Hash> = decode_bundle(&bundle, width).unwrap().into_iter().map(Hash::leaf).collect();
        assert_eq!(tile, leaves);
        leaves.into_iter().for_each(|leaf| frontier.push(leaf));
    }
    assert_eq!(frontier.root(), checkpoint.root);
    checkpoint.size.0
}

#[test]
fn a_mirror_holds_the_tree_grows_with_it_and_never_goes_back() {
    let place = Place::new();
    let running = place.serve();
    let import = |first: u64, count: u64| {
        let events: String = (first..first + count).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        run_with_input(&mut running.command(["import", "--source", "app", "-"]), events.as_bytes()).ok();
        // The newest checkpoint is written beside the log within a second.
        std::thread::sleep(std::time::Duration::from_millis(1_600));
    };
    let dir = place.beside("mirror");
    let mirror = |data: &Path| run(indelible().args(["mirror", "--json", "--data"]).arg(data).arg(&dir));
    import(0, 300);
    let old = place.beside("old");
    run(indelible().args(["backup", "--data"]).arg(place.data()).arg("--to").arg(&old)).ok();
    let first = mirror(&place.data()).ok().json();
    assert_eq!(first["size"], check(&dir, &place.vkey));
    assert_eq!(mirror(&place.data()).ok().json()["written"], 0);
    import(300, 300);
    let second = mirror(&place.data()).ok().json();
    assert_eq!(second["size"], check(&dir, &place.vkey));
    assert!(second["size"].as_u64() > first["size"].as_u64());
    mirror(&old).refused("does not extend");
    let other = Place::new();
    mirror(&other.data()).refused("not of this log");
}
