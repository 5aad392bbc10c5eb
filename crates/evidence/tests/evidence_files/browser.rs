//! What a reader sees: the page in a real browser, from disk, without a network.
//!
//! Needs Debian's `chromium`, which `./test` installs. Without it these tests pass over, but not in CI.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use evidence::canonical_json::{self, Value};
use evidence::{EvidenceFile, Part, page};

use crate::log::vkey;
use crate::{evidence, evidence_with};

const CHROMIUM: &str = "/usr/bin/chromium";
/// No background requests, which would only be refused, and a clock that waits for the page's own work.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=60000",
    "--dump-dom",
];
/// How long a browser may take on a machine that is busy.
const PATIENCE: &str = "120";

fn installed() -> bool {
    let there = Path::new(CHROMIUM).exists();
    assert!(there || std::env::var_os("CI").is_none(), "chromium is not installed: apt-get install chromium");
    there
}

/// What the page has become once it has checked itself.
struct Seen(String);

impl Seen {
    /// Opens `html` under a name of the test's own.
    fn of(name: &str, html: &[u8]) -> Self {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("browser-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("case.html"), html).unwrap();
        // `timeout` ends the browser it started, and no other.
        let ran = Command::new("timeout")
            .args(["--kill-after=10", PATIENCE, CHROMIUM])
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", dir.join("profile").display()))
            .arg(format!("file://{}", dir.join("case.html").display()))
            .stderr(Stdio::null())
            .output()
            .unwrap();
        // The browser's last processes may still be writing their profile.
        for _ in 0..50 {
            if std::fs::remove_dir_all(&dir).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(ran.status.success(), "{name}: the browser ended with {}", ran.status);
        Seen(String::from_utf8(ran.stdout).unwrap())
    }

    fn of_file(name: &str, file: &EvidenceFile) -> Self {
        Self::of(name, &page::write(&file.to_json()))
    }

    /// What stands in front of the script, which has all sentences in it.
    fn shown(&self) -> &str {
        self.0.split("<script type=\"application/json\"").next().unwrap()
    }

    fn verdict(&self) -> &str {
        self.0.split("data-verdict=\"").nth(1).unwrap().split('"').next().unwrap()
    }

    fn subjects(&self) -> BTreeSet<String> {
        self.shown().split("data-subject=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    }

    /// Entries with the mark they have.
    fn entries(&self) -> Vec<String> {
        let marks = self.shown().split("<details data-state=\"").skip(1);
        marks.map(|rest| rest.split('>').next().unwrap().replace("\" data-index=\"", " ").split('"').next().unwrap().to_owned()).collect()
    }
}

#[test]
fn a_browser_finds_that_good_evidence_holds_and_shows_it() {
    if !installed() {
        return;
    }
    let seen = Seen::of_file("good", &evidence());
    assert_eq!((seen.verdict(), seen.entries()), ("holds", ["holds 1", "holds 2", "holds 9"].map(str::to_owned).to_vec()));
    for said in [
        "Computed with Web Crypto",
        "Not witnessed",
        "no policy: nothing ends the keeping",
        "hidden; only its digest is in this file",
        "entries 5 to 6 could not be read: a file is gone",
        "3 records of what somebody was shown (searches, exports, forwards, followers, evidence); the lines of 1 match an entry shown here",
        "The log changed its key at entry 4, entry 8",
        &vkey(3).to_string(),
    ] {
        assert!(seen.shown().contains(said), "{said}");
    }
}

/// The file with one byte of a shown part, or of a text, changed, or more of it hidden.
fn altered() -> Vec<(&'static str, EvidenceFile)> {
    let change = |change: fn(&mut EvidenceFile)| {
        let mut file = evidence();
        change(&mut file);
        file
    };
    let flip = |part: &mut Part| match part {
        Part::Shown { bytes, .. } => bytes[1] ^= 1,
        Part::Hidden { .. } => panic!("nothing is shown there"),
    };
    let part = |list: fn(&mut EvidenceFile) -> &mut Part| {
        let mut file = evidence();
        flip(list(&mut file));
        file
    };
    vec![
        ("entry-9", part(|file| &mut file.events[2].parts[2])),
        ("entry-2", part(|file| &mut file.events[1].parts[4])),
        ("access", part(|file| &mut file.access[0].parts[3])),
        ("record", part(|file| &mut file.record.parts[3])),
        ("title", change(|file| file.case = file.case.replace("Case 17", "Case 18"))),
        ("size", change(|file| file.checkpoint = file.checkpoint.replace("\n14\n", "\n15\n"))),
        ("received", change(|file| file.events[0].leaf.received_at += 1)),
        ("rotation", part(|file| &mut file.keys[1].parts[2])),
        ("left-out", change(|file| drop(file.events.remove(1)))),
        ("hidden-later", change(|file| file.events[0].parts[2] = file.events[0].parts[2].hide())),
        ("access-hidden-later", change(|file| file.access[0].parts[2] = file.access[0].parts[2].hide())),
    ]
}

#[test]
fn a_browser_turns_red_at_every_change_and_names_what_this_library_names() {
    if !installed() {
        return;
    }
    for (name, file) in altered() {
        let seen = Seen::of_file(name, &file);
        assert_eq!(seen.verdict(), "wrong", "{name}");
        let faults = file.verify(&file.vkey, &[]).unwrap_err();
        assert_eq!(seen.subjects(), faults.iter().map(|fault| fault.subject.to_string()).collect(), "{name}");
        if name == "entry-9" {
            assert_eq!(seen.entries(), ["holds 1", "holds 2", "wrong 9"], "only that entry is marked");
        }
    }
}

/// The page without its policy, so that a test can change its script or add one.
fn unguarded(file: &EvidenceFile) -> String {
    let html = String::from_utf8(page::write(&file.to_json())).unwrap();
    let (before, rest) = html.split_once("<meta http-equiv=").unwrap();
    format!("{before}{}", rest.split_once(">\n").unwrap().1)
}

#[test]
fn a_browser_without_web_crypto_comes_to_the_same() {
    if !installed() {
        return;
    }
    let without = |file: &EvidenceFile| unguarded(file).replacen("globalThis.crypto?.subtle", "undefined", 1);
    let seen = Seen::of("arithmetic", without(&evidence()).as_bytes());
    assert_eq!(seen.verdict(), "holds");
    assert!(seen.shown().contains("Computed with arithmetic in this page"));
    for (name, file) in altered().into_iter().filter(|(name, _)| ["entry-9", "size"].contains(name)) {
        assert_eq!(Seen::of(&format!("arithmetic-{name}"), without(&file).as_bytes()).verdict(), "wrong", "{name}");
    }
}

#[test]
fn the_key_that_the_reader_has_from_elsewhere_decides() {
    if !installed() {
        return;
    }
    let with = |key: &str| {
        let typed = format!("const box = document.getElementById('vkey'); box.value = '{key}'; box.dispatchEvent(new Event('input'));");
        unguarded(&evidence()).replacen("</body>", &format!("<script>addEventListener('load', () => {{ {typed} }});</script></body>"), 1)
    };
    // Rotations lead from the first key to the one that signed.
    let pinned = Seen::of("pinned", with(&vkey(1).to_string()).as_bytes());
    assert_eq!(pinned.verdict(), "holds");
    assert!(pinned.shown().contains("Everything in this file holds") && pinned.shown().contains("agree with the key you gave"));
    let stranger = Seen::of("stranger", with(&vkey(9).to_string()).as_bytes());
    assert_eq!((stranger.verdict(), stranger.subjects()), ("wrong", BTreeSet::from(["checkpoint".to_owned()])));
    assert_eq!(Seen::of("no-key", with("not a key").as_bytes()).verdict(), "wrong");
}

#[test]
fn a_changed_byte_of_the_page_itself_is_no_longer_run() {
    if !installed() {
        return;
    }
    let html = String::from_utf8(page::write(&evidence().to_json())).unwrap();
    let seen = Seen::of("script", html.replacen("result.faults.length === 0", "result.faults.length <= 0", 1).as_bytes());
    assert_eq!(seen.verdict(), "none");
    assert!(seen.shown().contains("Not checked yet"));
}

/// What an attacker would have the page do: say so in the verdict.
const ATTACK: &str = "document.documentElement.dataset.verdict='attacked'";

#[test]
fn hostile_text_is_shown_as_text() {
    if !installed() {
        return;
    }
    let hostile = format!("</script><script>{ATTACK}</script><!--<script><img src=x onerror=\"{ATTACK}\">\u{2028}\u{202e}]]>&lt;b&gt;");
    let member = String::from_utf8(canonical_json::to_bytes(&Value::from(hostile.as_str()))).unwrap();
    let file = evidence_with(&hostile, Some(format!("{{\"id\":\"e-1\",\"user\":{member}}}").as_bytes()));
    let json = file.to_json();
    assert!(!json.contains(&b'<'));
    let seen = Seen::of("hostile", &page::write(&json));
    assert_eq!(seen.verdict(), "holds");
    assert!(seen.shown().contains("&lt;/script&gt;&lt;script&gt;") && seen.shown().contains("&amp;lt;b&amp;gt;"));
    assert!(seen.shown().contains("\\u{2028}\\u{202e}"), "characters that act on the reader are written out");
    for element in ["<img", "<script", "<b>attacked"] {
        assert!(!seen.shown().contains(element), "{element}");
    }
}
