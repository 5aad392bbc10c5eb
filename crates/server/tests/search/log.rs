//! A small log with sealed segments, unsealed files and a tail, and the events in it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use indelible::clock::Clock;
use indelible::door::{Admission, Batch, By, Origin};
use indelible::intake::{Media as MediaType, SourceName, decode};
use indelible::search::{Ask, Budget, Cursor, Found, Index, Order, naive, parse, search};
use indelible::source::Catalog;
use indelible::source::directory::{Directory, People, add};
use indelible::store::media::{Disk, Media};
use indelible::store::seal::SealPolicy;
use indelible::store::trail::{Trail, TrailOptions};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// 2026-03-10T06:00:00Z
pub const NOW: u64 = 1_773_122_400_000;

pub struct Log {
    pub trail: Arc<Trail>,
    pub admission: Admission,
    pub catalog: Arc<Catalog>,
    pub directory: Directory,
    pub dir: tempfile::TempDir,
}

impl Log {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("trail")).unwrap();
        let media: Arc<dyn Media> = Arc::new(Disk::new(dir.path().join("trail")).unwrap());
        let clock = Clock::from_fn(|| NOW);
        let seal = SealPolicy { flush_bytes: u64::MAX, flush_age_ms: u64::MAX, look_ms: 10 };
        let options = TrailOptions { segment_leaves: 256, seal, threads: false, clock: clock.clone(), ..TrailOptions::main("/search") };
        let trail = Trail::open(media, &options).unwrap();
        let catalog = Arc::new(Catalog::built_in());
        let admission = Admission::knowing(Arc::clone(&trail), clock, Arc::clone(&catalog));
        let mut people = People::default();
        add(&mut people, "person0@corp.example", ["p0", "person0", "corp\\person0"], None, "here").unwrap();
        Self { trail, admission, catalog, directory: Directory::of(people), dir }
    }

    pub fn send(&self, source: &str, kind: &'static str, events: &[String]) {
        let origin = Origin { source: source.parse::<SourceName>().unwrap(), kind: Cow::Borrowed(kind), door: "test" };
        let body = events.join("\n");
        let decoded = decode(body.as_bytes(), MediaType::Any).unwrap();
        self.admission.admit_blocking(&origin, Batch::new(By::Local, None), body.as_bytes(), decoded).unwrap();
    }

    /// Two sealed segments, a payload file of an unsealed one, and a tail.
    pub fn filled(random: &mut TestRunner) -> Self {
        let log = Self::new();
        for round in 0..12 {
            log.send("aws", "aws_cloudtrail", &draw(random, cloudtrail(), 30));
            log.send("okta-prod", "okta", &draw(random, other(), 20));
            log.send("app", "unknown", &draw(random, other(), 10));
            log.trail.log().record_blocking(format!(r#"{{"record":"test.note","round":{round},"v":1}}"#).as_bytes()).unwrap();
            while log.trail.seal_due().unwrap() {}
            if round == 10 {
                log.trail.flush().unwrap();
            }
        }
        assert!(!log.trail.view().state.seals.is_empty());
        log
    }

    pub fn index(&self) -> Index {
        Index::kept_in(self.dir.path().join("derived"), Arc::clone(&self.catalog))
    }

    pub fn make_all(&self, index: &Index) -> usize {
        let state = Arc::clone(&self.trail.view().state);
        for file in state.payload_files.values() {
            index.make(&self.trail, file, &|| false).unwrap();
            assert!(index.is_made(file, &state), "{}", file.name());
        }
        state.payload_files.len()
    }

    pub fn ask(&self, index: &Index, ask: &Ask) -> Found {
        search(&self.trail, index, &self.directory, ask).unwrap()
    }

    pub fn naive(&self, line: &str) -> Vec<u64> {
        naive(&self.trail, &self.catalog, &self.directory, &parse(line).unwrap(), NOW as i64).unwrap()
    }

    /// All matches, page by page.
    pub fn all(&self, index: &Index, line: &str, order: Order, hits: usize) -> (Vec<u64>, u64) {
        let mut ask = asked(line, order, hits);
        let (mut found, mut ruled_out) = (Vec::new(), 0);
        loop {
            let page = self.ask(index, &ask);
            assert_eq!(page.unreadable, [], "{line}");
            assert!(page.hits.len() <= hits);
            found.extend(page.hits.iter().map(|hit| hit.index));
            ruled_out += page.ruled_out;
            assert_eq!(page.next.is_some(), page.stopped.is_some());
            match page.next {
                Some(next) => ask.cursor = Some(next.to_string().parse::<Cursor>().unwrap()),
                None => return (found, ruled_out),
            }
        }
    }
}

pub fn asked(line: &str, order: Order, hits: usize) -> Ask {
    let budget = Budget { hits, bytes: usize::MAX, time: Duration::from_secs(600), entries: u64::MAX };
    Ask { query: parse(line).unwrap(), order, cursor: None, now_ms: NOW, budget }
}

pub fn draw(random: &mut TestRunner, of: impl Strategy<Value = String>, count: usize) -> Vec<String> {
    (0..count).map(|_| of.new_tree(random).unwrap().current()).collect()
}

pub fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "person0",
            "p0",
            "Person1@corp.example",
            "CORP\\\\person0",
            "cross-account",
            "Admin",
            "failure",
            "Success"
        ])
        .prop_map(str::to_owned),
        "[a-c]{1,3}",
        "10\\.0\\.[0-3]\\.[0-9]",
    ]
}

pub fn cloudtrail() -> impl Strategy<Value = String> {
    let call = prop::sample::select(vec![
        ("iam", "AttachUserPolicy"),
        ("iam", "CreateUser"),
        ("iam", "PutRolePolicy"),
        ("s3", "PutBucketPolicy"),
        ("signin", "ConsoleLogin"),
        ("sts", "AssumeRole"),
    ]);
    (call, 0_u8..4, 0_u8..4, 0_u32..20, any::<bool>(), word()).prop_map(|((service, name), person, net, day, fails, role)| {
        let error = if fails { r#""errorCode":"AccessDenied","errorMessage":"not \u0061llowed: cross-account","# } else { "" };
        format!(
            r#"{{"eventVersion":"1.09","userIdentity":{{"type":"IAMUser","principalId":"AIDA{person}","accountId":"44445555666{person}","userName":"person{person}"}},"eventTime":"2026-02-{:02}T07:11:42Z","eventSource":"{service}.amazonaws.com","eventName":"{name}","awsRegion":"eu-west-{net}","sourceIPAddress":"10.{net}.0.{day}","userAgent":"aws-cli/2.{net} Python","requestParameters":{{"roleName":"{role}"}},{error}"eventID":"id-{day}-{person}-{net}","eventType":"AwsApiCall"}}"#,
            day + 1
        )
    })
}

pub fn other() -> impl Strategy<Value = String> {
    prop_oneof![
        (word(), word(), 0_u32..30).prop_map(|(user, text, n)| format!(
            r#"{{"user":"{user}","text":"{text} said {user}","n":{n},"a.b":[{{"c":{n}}}],"none":null}}"#
        )),
        (word(), word()).prop_map(|(one, other)| format!("plain {one} text {other}")),
    ]
}

pub const LINES: &[&str] = &[
    "",
    "actor:person1",
    "actor:person0@corp.example",
    "actor:p0 OR actor:PERSON2",
    "action:iam.*Policy* outcome:failure",
    "action:iam.createuser",
    "ip:10.0.0.0/8 NOT source:okta-prod",
    "ip:10.1.0.3",
    "ip:[10.1.0.3 TO 10.1.0.9]",
    "\"cross-account\"",
    "allowed",
    "said -cross",
    "-cross",
    "since:20d until:2026-03-01",
    "time:2026-02-20 source:aws",
    "time:>2026-02-27",
    "received:>=2026-03-10",
    "received:<2026-03-10",
    "raw.requestParameters.roleName:Admin",
    "raw.a.b.c:>=28",
    "raw.a.b.c:[3 TO 4}",
    "raw.none:*",
    "src_endpoint.ip:10.2.0.1 OR ocsf.class_uid:3002",
    "source:a* kind:aws_cloudtrail session:*",
    "entry:record",
    "entry:(act OR record)",
    "NOT entry:event action:test.note",
    "index:[100 TO 300}",
    "index:77",
    "user_agent:\"aws cli\" region:eu-west-1",
    "user_agent:python (account:444455556661 OR account:444455556660)",
    "message:ConsoleLogin",
    "id:id-3-1-1",
    "class:Authentication severity:*",
    "time:*T07*",
    "NOT time:*T07*",
    "NOT time:*-02-2?T*",
    "received:*T06* NOT received:*T07*",
    "actor:p*",
    "NOT actor:person?",
    "actor:>=person1 target:*",
    "ip:::ffff:10.0.0.0/104",
    "actor:unknown",
    "NOT actor:*",
    "nowhere",
    "plain AND text",
    "adm*",
];
