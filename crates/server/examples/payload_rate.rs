//! What payload files cost and give: rows a second written and scanned, the time of one row, and
//! bytes on disk for bytes of raw.
//!
//! `cargo run --release -p indelible --example payload_rate [DIR]` with generated CloudTrail-like
//! events of 1 KB, or with the files of a directory, repeated with fresh ids and times.

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use indelible::store::payload_file::{PayloadFile, PayloadMeta, PayloadRow, PayloadWriter};

const ROWS: usize = 65_536;

fn main() -> Result<(), Box<dyn Error>> {
    let mut random = Random(0x1db0_97a1_55ee_3c0d);
    let events = match std::env::args().nth(1) {
        Some(dir) => repeated(&read_dir(&dir)?, &mut random),
        None => (0..ROWS).map(|number| generated(number, &mut random)).collect(),
    };
    let raw_bytes: usize = events.iter().map(Vec::len).sum();
    let mean = raw_bytes / ROWS;
    let envelopes: Vec<_> = (0..ROWS).map(|number| envelope(number, &mut random)).collect();
    println!("{ROWS} rows, {mean} bytes of raw each");

    let start = cpu_time();
    let mut writer = PayloadWriter::new(meta())?;
    for (index, (raw, (salt, facts, people))) in (0..).zip(events.iter().zip(&envelopes)) {
        writer.push(&PayloadRow { index, salts: salt, facts, people, raw, parts: None })?;
    }
    let bytes = writer.finish()?;
    rate("written", start);
    let salts = ROWS * 16;
    let share = |bytes: usize| 100.0 * bytes as f64 / raw_bytes as f64;
    println!("file     {} bytes, {:.1} % of raw; without the salts {:.1} %", bytes.len(), share(bytes.len()), share(bytes.len() - salts));

    let start = Instant::now();
    let file = PayloadFile::open(Bytes::from(bytes))?;
    println!("opened   in {:.3} ms", start.elapsed().as_secs_f64() * 1e3);
    for _ in 0..3 {
        let start = cpu_time();
        let (mut rows, mut seen) = (0, 0);
        file.for_each(&mut |row| {
            rows += 1;
            seen += row.raw.len();
        })?;
        assert_eq!((rows, seen), (ROWS, raw_bytes), "a scan sees every row");
        rate("scanned", start);
    }
    let start = cpu_time();
    assert_eq!(file.rows(0..ROWS as u64).count(), ROWS, "the range holds every row");
    rate("streamed", start);
    single_rows(&file, &events, &mut random)
}

fn single_rows(file: &PayloadFile<Bytes>, events: &[Vec<u8>], random: &mut Random) -> Result<(), Box<dyn Error>> {
    let mut times = Vec::with_capacity(2000);
    for _ in 0..2000 {
        let index = random.next() % ROWS as u64;
        let start = Instant::now();
        let row = file.row(index)?.ok_or("a row is missing")?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        let expected = usize::try_from(index).ok().and_then(|at| events.get(at));
        assert_eq!(Some(&row.raw[..]), expected.map(Vec::as_slice), "the row of the entry asked for");
    }
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    println!("one row  {:.3} ms median, {:.3} ms p99", at(50), at(99));
    Ok(())
}

fn meta() -> PayloadMeta {
    PayloadMeta { origin: "example.com/log".into(), segment: 0, class: 1, generation: 0, first: 0, count: ROWS as u64 }
}

fn rate(what: &str, start: Duration) {
    let spent = cpu_time().saturating_sub(start);
    println!("{what:8} {:.0} rows/s of one core", ROWS as f64 / spent.as_secs_f64());
}

/// Time this program was on a core, so that others on the machine do not count; where the kernel
/// does not tell, the time since the first call.
fn cpu_time() -> Duration {
    static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let begin = BEGIN.get_or_init(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| begin.elapsed(), Duration::from_nanos)
}

/// Deterministic, so that two runs compare (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

fn envelope(number: usize, random: &mut Random) -> ([u8; 16], Vec<u8>, Vec<u8>) {
    let salt = (u128::from(random.next()) << 64 | u128::from(random.next())).to_be_bytes();
    let facts = br#"{"cut":1,"door":"http","map":0,"source":"aws-prod","v":1}"#.to_vec();
    let people = format!(
        r#"{{"id":"{:08x}-{:04x}-4{:03x}-9{:03x}-{:012x}","key":"k_5f2c8a901b3d4e67","peer":"10.0.3.17"}}"#,
        random.below(1 << 32),
        random.below(1 << 16),
        number & 0xfff,
        random.below(1 << 12),
        random.below(1 << 48)
    );
    (salt, facts, people.into_bytes())
}

fn generated(number: usize, random: &mut Random) -> Vec<u8> {
    const CALLS: [(&str, &str); 8] = [
        ("iam", "AttachRolePolicy"),
        ("sts", "AssumeRole"),
        ("signin", "ConsoleLogin"),
        ("s3", "GetObject"),
        ("ec2", "DescribeInstances"),
        ("kms", "Decrypt"),
        ("iam", "CreateAccessKey"),
        ("lambda", "Invoke"),
    ];
    let (service, call) = CALLS.get(random.below(8) as usize).copied().unwrap_or_default();
    let (account, user) = (210_987_654_321 + random.below(12), random.below(400));
    let (hour, minute, second) = (number / 7200 % 24, number / 120 % 60, number / 2 % 60);
    format!(
        concat!(
            r#"{{"eventVersion":"1.09","userIdentity":{{"type":"AssumedRole","principalId":"AROA{user:016X}:user{user}@example.com","#,
            r#""arn":"arn:aws:sts::{account}:assumed-role/Operations/user{user}@example.com","accountId":"{account}","#,
            r#""accessKeyId":"ASIA{key:016X}","sessionContext":{{"sessionIssuer":{{"type":"Role","arn":"arn:aws:iam::{account}:role/Operations","#,
            r#""accountId":"{account}","userName":"Operations"}},"attributes":{{"creationDate":"2026-03-02T{hour:02}:00:00Z","mfaAuthenticated":"true"}}}}}},"#,
            r#""eventTime":"2026-03-02T{hour:02}:{minute:02}:{second:02}Z","eventSource":"{service}.amazonaws.com","eventName":"{call}","#,
            r#""awsRegion":"eu-central-1","sourceIPAddress":"198.51.{a}.{b}","userAgent":"aws-cli/2.15.30 Python/3.11.8 Linux/5.15 exe/x86_64","#,
            r#""requestParameters":{{"roleName":"service-{role}","policyArn":"arn:aws:iam::aws:policy/ReadOnlyAccess"}},"responseElements":null,"#,
            r#""requestID":"{r1:08x}-{r2:04x}-4{r3:03x}-8{r4:03x}-{r5:012x}","eventID":"{e1:08x}-{e2:04x}-4{e3:03x}-a{e4:03x}-{e5:012x}","#,
            r#""readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"{account}","eventCategory":"Management"}}"#
        ),
        user = user, account = account, key = user.wrapping_mul(0x9e37_79b9_7f4a_7c15), hour = hour, minute = minute, second = second,
        service = service, call = call, a = user % 7, b = user % 251, role = random.below(60),
        r1 = random.below(1 << 32), r2 = random.below(1 << 16), r3 = random.below(1 << 12), r4 = random.below(1 << 12), r5 = random.below(1 << 48),
        e1 = random.below(1 << 32), e2 = random.below(1 << 16), e3 = random.below(1 << 12), e4 = random.below(1 << 12), e5 = random.below(1 << 48),
    ).into_bytes()
}

fn read_dir(dir: &str) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut paths: Vec<_> = std::fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    let files: Vec<_> = paths.iter().map(std::fs::read).collect::<Result<_, _>>()?;
    if files.is_empty() {
        return Err(format!("{dir} holds no files").into());
    }
    Ok(files)
}

/// The samples in random order, every run of 8 or more hex digits and dashes in them drawn anew.
fn repeated(samples: &[Vec<u8>], random: &mut Random) -> Vec<Vec<u8>> {
    let mut draw = || {
        let mut event = samples.get(random.below(samples.len() as u64) as usize).cloned().unwrap_or_default();
        let id = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
        for run in event.chunk_by_mut(|left, right| id(left) == id(right)) {
            if run.len() >= 8 && run.iter().all(id) {
                for byte in run.iter_mut().filter(|byte| **byte != b'-') {
                    *byte = *b"0123456789abcdef".get(random.below(16) as usize).unwrap_or(&b'0');
                }
            }
        }
        event
    };
    (0..ROWS).map(|_| draw()).collect()
}
