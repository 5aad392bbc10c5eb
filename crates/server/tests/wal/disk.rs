//! The same log on a real directory, with its background thread.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indelible::store::media::{Disk, Media};
use indelible::store::wal::{Wal, WalError, WalLimits, scan};
use proptest::prelude::*;

use crate::model::payload;

const LIMITS: WalLimits = WalLimits { file_bytes: 16 << 10, spare_files: 2 };

#[test]
fn a_log_on_disk_is_read_back_while_files_go_round() {
    let root = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::new(root.path()).unwrap());
    disk.create_dir_all("trails/main/wal").unwrap();
    let (mut wal, _) = Wal::open(disk.clone(), "trails/main/wal", LIMITS).unwrap();
    let (spares, stop) = (wal.spares(), Arc::new(AtomicBool::new(false)));
    let background = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            while !stop.load(Ordering::Relaxed) {
                spares.prepare_next().unwrap();
                spares.recycle().unwrap();
                std::thread::yield_now();
            }
        }
    });
    let mut frames = Vec::new();
    for id in 0..300 {
        let payload = payload(id, (id as usize * 97) % 9000);
        frames.push((wal.append(&[&payload]).unwrap(), payload));
        if id % 10 == 9 {
            let keep = wal.active_file().saturating_sub(3);
            wal.release_before(keep).unwrap();
            let reader = wal.reader();
            for (at, payload) in &frames {
                match reader.read(*at) {
                    Ok(read) => assert_eq!(read, *payload),
                    Err(WalError::Released { file }) => assert!(file < keep),
                    Err(e) => panic!("{e}"),
                }
            }
            frames.retain(|(at, _)| at.file >= keep);
        }
    }
    stop.store(true, Ordering::Relaxed);
    background.join().unwrap();
    drop(wal);
    let found = scan(&*disk, "trails/main/wal").unwrap();
    assert_eq!((found.damage, found.torn), (vec![], None));
    let (wal, recovered) = Wal::open(disk.clone(), "trails/main/wal", LIMITS).unwrap();
    assert_eq!(recovered.frames, frames.iter().map(|(at, _)| *at).collect::<Vec<_>>());
    for (at, payload) in &frames {
        assert_eq!(wal.reader().read(*at).unwrap(), *payload);
    }
    wal.recycle().unwrap();
    assert_eq!(scan(&*disk, "trails/main/wal").unwrap().leftovers, []);
    for name in disk.list("trails/main/wal").unwrap() {
        let mode = std::fs::metadata(root.path().join("trails/main/wal").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn the_disk_publishes_creates_only_once_and_stays_below_its_root() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::new(root.path()).unwrap();
    disk.create_dir_all("a/b").unwrap();
    disk.put("a/b/c", b"one").unwrap();
    disk.put("a/b/c", b"one").unwrap();
    assert_eq!(disk.put("a/b/c", b"two").unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(disk.create("a/b/c").err().unwrap().kind(), std::io::ErrorKind::AlreadyExists);
    disk.replace("a/b/c", b"three").unwrap();
    assert_eq!(disk.read("a/b/c").unwrap(), b"three");
    assert_eq!(disk.list("a/b").unwrap(), ["c"]);
    disk.put("top", b"in the root").unwrap();
    assert!(disk.rename_new("top", "a/b/c").is_err());
    for path in ["../x", "/etc/passwd", "a/../../x", "a//b", "a/.", "a\0b"] {
        assert_eq!(disk.read(path).unwrap_err().kind(), std::io::ErrorKind::InvalidInput, "{path}");
    }
    std::os::unix::fs::symlink("/etc/passwd", root.path().join("link")).unwrap();
    assert!(disk.read("link").is_err(), "links are not followed");
    assert!(Disk::new(root.path().join("top")).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_appended_in_whatever_parts_is_read_back(
        frames in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1300), 0..6), 1..12),
    ) {
        let media = Arc::new(indelible::store::media::SimMedia::new(0));
        let (mut wal, _) = Wal::open(media.clone(), "", LIMITS).unwrap();
        let mut written = Vec::new();
        for parts in &frames {
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            written.push((wal.append(&parts).unwrap(), parts.concat()));
        }
        let (wal, recovered) = Wal::open(media, "", LIMITS).unwrap();
        prop_assert_eq!(recovered.frames, written.iter().map(|(at, _)| *at).collect::<Vec<_>>());
        for (at, payload) in written {
            prop_assert_eq!(wal.reader().read(at).unwrap(), payload);
        }
    }
}
