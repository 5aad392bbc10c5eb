//! A watched directory and the real binary, killed again and again while files are written, renamed,
//! copied and truncated, and compressed: each line is in the log once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

#[path = "cli/binary.rs"]
#[allow(dead_code, reason = "the other tests of the binary use the rest")]
mod binary;
#[path = "syslog_clients/held.rs"]
#[allow(dead_code, reason = "the tests of syslog clients use the rest")]
mod held;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use binary::{Place, Running};
use flate2::Compression;
use flate2::write::GzEncoder;
use held::{Held, held_when, losses, of};

const KILLS: u64 = 12;

/// Writes lines and rotates, as a program and its logrotate do.
struct Writer {
    dir: PathBuf,
    written: Vec<String>,
    rotations: usize,
}

impl Writer {
    fn write(&mut self, count: usize) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.dir.join("app.log")).unwrap();
        for _ in 0..count {
            let line = format!("{{\"n\":{},\"text\":\"{}\"}}", self.written.len(), "x".repeat(self.written.len() % 90));
            // Half a line first: it must wait for the other half.
            let (begin, end) = line.split_at(line.len() / 2);
            file.write_all(begin.as_bytes()).unwrap();
            file.write_all(format!("{end}\n").as_bytes()).unwrap();
            self.written.push(line);
        }
    }

    fn rotate(&mut self) {
        self.rotations += 1;
        let (log, old) = (self.dir.join("app.log"), self.dir.join(format!("app.log.{}", self.rotations)));
        match self.rotations % 3 {
            0 => std::fs::rename(&log, &old).unwrap(),
            1 => {
                std::fs::copy(&log, &old).unwrap();
                OpenOptions::new().write(true).truncate(true).open(&log).unwrap();
            }
            _ => {
                std::fs::rename(&log, &old).unwrap();
                self.compress(&old);
            }
        }
    }

    fn compress(&self, path: &Path) {
        let mut to = path.as_os_str().to_owned();
        to.push(".gz");
        let mut encoder = GzEncoder::new(File::create(to).unwrap(), Compression::fast());
        encoder.write_all(&std::fs::read(path).unwrap()).unwrap();
        encoder.finish().unwrap().sync_all().unwrap();
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn every_line_is_kept_once_over_rotations_and_kills() {
    let place = Place::new();
    let dir = place.beside("watched");
    std::fs::create_dir(&dir).unwrap();
    let watch = format!("{}:files", dir.display());
    let mut writer = Writer { dir, written: Vec::new(), rotations: 0 };
    for round in 0..KILLS {
        let running = Running::start(&place.data(), &["--watch", &watch], &place.admin_key);
        for step in 0..4 {
            writer.write(40 + (round * 7 % 30) as usize);
            std::thread::sleep(Duration::from_millis(40 + round * 53 % 170));
            if (round + step) % 3 == 2 {
                writer.rotate();
            }
        }
        running.kill();
        // While nobody looks: a rotation, more lines, another rotation.
        if round % 4 == 1 {
            writer.rotate();
            writer.write(10);
            writer.rotate();
            writer.write(3);
        }
    }
    let running = Running::start(&place.data(), &["--watch", &watch], &place.admin_key);
    let held = held_when(&running, "files", writer.written.len());
    let (mut kept, mut written) = (held.texts, writer.written);
    kept.sort();
    written.sort();
    assert!(kept == written);
    assert_eq!(running.stop(), 0);
    assert_eq!(losses(&place), [serde_json::Value::Null; 0]);
}

#[test]
fn objects_of_cloudtrail_are_taken_apart_when_they_are_complete_and_removed_when_asked() {
    let place = Place::new();
    let config = format!(
        "[[door]]\nkind = \"files\"\ndirectory = {:?}\nsource = \"aws\"\nrecursive = true\nremove = true\nstable-seconds = 1\n\
         patterns = [\"*.json.gz\", \"*.log\"]\n",
        place.beside("spool")
    );
    let config = place.write("settings.toml", config);
    let mut object = GzEncoder::new(Vec::new(), Compression::fast());
    object.write_all(b"{\"Records\":[{\"a\":1},{\"a\":2}]}").unwrap();
    let object = place.write("spool/AWSLogs/1/CloudTrail/one.json.gz", object.finish().unwrap());
    let text = place.write("spool/other.txt", "not asked for\n");
    place.write("spool/app.log", "a line\nand half a");
    std::os::unix::fs::symlink("/etc/passwd", place.beside("spool/link.log")).unwrap();
    let running = Running::start(&place.data(), &["--config", config.to_str().unwrap()], &place.admin_key);
    let mut texts = held_when(&running, "aws", 3).texts;
    texts.sort();
    assert_eq!(texts, ["a line", "{\"a\":1}", "{\"a\":2}"]);
    std::thread::sleep(Duration::from_millis(200));
    assert!(!object.exists() && text.exists() && place.beside("spool/app.log").exists());
    assert_eq!(of(&running, "aws").facts[0]["door"], "files");
    assert_eq!(running.stop(), 0);
    assert_eq!(Held::offline(&place, "aws").texts.len(), 3);
}
