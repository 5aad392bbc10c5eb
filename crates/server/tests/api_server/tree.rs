//! The C2SP read API, read the way a monitor does: everything from the bytes of bundles.

use std::time::{Duration, Instant};

use evidence::event_file::EventFile;
use tlog::tile::{decode_bundle, decode_hashes};
use tlog::{Frontier, Hash, TileId, TileKind, TreeSize, open_checkpoint};

use crate::client::{Ask, Reply};
use crate::server::{Server, Setup};

fn path(kind: TileKind, n: u64, width: u64) -> String {
    format!("/trails/main/tile/{}", TileId { kind, n, width: width as u16 })
}

/// All tiles of a level of `count` hashes: number and width.
fn tiles(count: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..count.div_ceil(256)).map(move |n| (n, (count - n * 256).min(256)))
}

fn filled(server: &Server) {
    for _ in 0..3 {
        server.events(200, (0..300).map(|n| format!("{n}\n")).collect::<String>());
    }
}

#[test]
fn the_tree_is_rebuilt_from_bundles_and_agrees_with_every_tile() {
    let server = Server::start();
    filled(&server);
    agrees(&server);
}

#[test]
fn a_tree_of_sealed_segments_reads_the_same() {
    let server = Server::with(Setup { segment_leaves: Some(256), ..Setup::default() });
    filled(&server);
    let began = Instant::now();
    while server.trail.view().state.seals.len() < 3 {
        assert!(began.elapsed() < Duration::from_secs(15), "segments are not sealed");
        std::thread::sleep(Duration::from_millis(20));
    }
    let vkey = server.vkey();
    for index in [0, 5, 255, 256, 700] {
        let file = server.get(&format!("/v1/events/{index}?proof=1")).expect(200);
        let verified = EventFile::parse(&file.body).unwrap().verify(&vkey, &[]).unwrap();
        assert_eq!(verified.index.0, index);
    }
    agrees(&server);
}

fn agrees(server: &Server) {
    server.make_public(true);
    let get = |path: &str| -> Reply { server.send(Ask::new("GET", path)).expect(200) };
    let note = get("/trails/main/checkpoint");
    assert_eq!(note.header("content-type"), Some("text/plain; charset=utf-8"));
    let checkpoint = open_checkpoint(&note.text(), &[server.vkey()]).unwrap().checkpoint;
    let size = checkpoint.size.0;
    assert!(size > 3 * 256);
    let (mut tree, mut leaves) = (Frontier::new(), Vec::new());
    for (n, width) in tiles(size) {
        let bundle = get(&path(TileKind::Entries, n, width));
        assert_eq!(bundle.header("content-type"), Some("application/octet-stream"));
        assert!(bundle.header("cache-control").unwrap().contains("immutable"));
        for entry in decode_bundle(&bundle.body, width as u16).unwrap() {
            leaves.push(Hash::leaf(entry));
            tree.push(Hash::leaf(entry));
        }
    }
    assert_eq!((tree.size(), tree.root()), (TreeSize(size), checkpoint.root));
    let level_0: Vec<_> =
        tiles(size).flat_map(|(n, width)| decode_hashes(&get(&path(TileKind::Hashes(0), n, width)).body).unwrap()).collect();
    assert_eq!(level_0, leaves);
    let level_1 = decode_hashes(&get(&path(TileKind::Hashes(1), 0, size / 256)).body).unwrap();
    let expected: Vec<_> = leaves.chunks_exact(256).map(|chunk| tlog::tile::subtree_root(chunk).unwrap()).collect();
    assert_eq!(level_1, expected);
}

#[test]
fn tiles_that_are_not_in_the_tree_are_404() {
    let server = Server::start();
    server.events(200, (0..300).map(|n| format!("{n}\n")).collect::<String>());
    let size = server.trail.view().size;
    let partial = size % 256;
    server.get(&path(TileKind::Hashes(0), 1, partial)).expect(200);
    server.get(&path(TileKind::Entries, 1, partial - 1)).expect(200);
    let missing = [
        path(TileKind::Hashes(0), 1, partial + 1),
        path(TileKind::Entries, 1, 256),
        path(TileKind::Hashes(1), 0, 2),
        path(TileKind::Hashes(2), 0, 1),
        path(TileKind::Hashes(0), 2, 1),
    ];
    for path in missing.iter().map(String::as_str).chain([
        "/trails/main/tile/0/000.p/0",
        "/trails/main/tile/0/0",
        "/trails/main/tile/64/000",
        "/trails/main/tile/entries",
        "/trails/main/tile/0/001.p/256",
        "/trails/main/tile/0/x000/000",
        "/trails/main/tile/0/..%2f000",
    ]) {
        assert_eq!(server.get(path).expect(404).error(), "no_such_tile", "{path}");
    }
}

#[test]
fn a_private_tree_is_for_keys_and_never_for_shared_caches() {
    let server = Server::start();
    let ask = || Ask::new("GET", "/trails/main/tile/entries/000.p/1");
    assert_eq!(server.send(ask()).expect(401).error(), "key_missing");
    let private = server.send(ask().key(&server.admin)).expect(200);
    assert!(private.header("cache-control").unwrap().starts_with("private"));
    server.make_public(true);
    assert!(server.send(ask()).expect(200).header("cache-control").unwrap().starts_with("public"));
    server.make_public(false);
    server.send(ask()).expect(401);
    server.send(Ask::new("GET", "/trails/main/checkpoint")).expect(401);
}
