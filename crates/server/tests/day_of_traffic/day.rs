//! A day of six sources, made from a seed, in the shapes their vendors send.

use indelible::door::poll::moment::{from_rfc3339, rfc3339};

pub const BEGINS: &str = "2025-06-03T00:00:00.000Z";
const DAY_MS: u64 = 86_400_000;

/// SplitMix64: the same day on every machine.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }

    fn uuid(&mut self) -> String {
        let (high, low) = (self.roll(), self.roll());
        format!("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", high >> 32, high >> 16 & 0xffff, high & 0xfff, low >> 52, low & 0xffff_ffff_ffff)
    }

    /// White space where JSON allows it: whoever reads and writes again does not keep it.
    fn space(&mut self) -> &'static str {
        self.one(&["", "", " ", "  ", "\t"])
    }

    /// A JSON value with more than one spelling.
    fn odd(&mut self) -> &'static str {
        self.one(&["1.50", "1e2", "\"caf\\u00e9\"", "\"café\"", "\"a\\/b\"", "[ ]", "{ }", "-0.0", "12345678901234567890123"])
    }

    fn user(&mut self) -> &'static str {
        self.one(&["ana@corp.example", "bea@corp.example", "chu@corp.example", "dov@corp.example", "eve@corp.example"])
    }
}

/// One event: when, under which id of its vendor, and its bytes.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub at_ms: u64,
    pub raw: String,
}

/// `count` events over the day, each a moment after the one before, written by `write`.
fn over_the_day(seed: u64, count: u64, write: impl Fn(&mut Dice, u64, &str) -> (String, String)) -> Vec<Event> {
    let mut dice = Dice::new(seed);
    let (begin, step) = (from_rfc3339(BEGINS).unwrap(), DAY_MS / count);
    let event = |n| {
        let at_ms = begin + n * step + dice.below(step);
        let (id, raw) = write(&mut dice, n + 1, &rfc3339(at_ms));
        Event { id, at_ms, raw }
    };
    (0..count).map(event).collect()
}

pub fn okta(seed: u64, count: u64) -> Vec<Event> {
    over_the_day(seed, count, |dice, n, at| {
        let (uuid, user, space, odd) = (dice.uuid(), dice.user(), dice.space(), dice.odd());
        let (kind, result) =
            (dice.one(&["user.session.start", "user.session.end", "policy.evaluate_sign_on"]), dice.one(&["SUCCESS", "FAILURE"]));
        let raw = format!(
            r#"{{"actor":{space}{{"id":"00u1","type":"User","alternateId":"{user}"}},"client":{{"ipAddress":"198.51.100.34"}},"eventType":"{kind}","outcome":{{"result":"{result}"}},"published":"{at}","debugContext":{{"debugData":{{"sequence":{n},"odd":{odd}}}}},"legacyEventType":"core.{kind}","uuid":"{uuid}","version":"0"{space}}}"#
        );
        (uuid, raw)
    })
}

pub fn cloudtrail(seed: u64, count: u64) -> Vec<Event> {
    over_the_day(seed, count, |dice, n, at| {
        let (id, space, odd) = (dice.uuid(), dice.space(), dice.odd());
        let (service, name) =
            [("iam", "CreateUser"), ("sts", "AssumeRole"), ("kms", "Decrypt"), ("s3", "PutBucketPolicy")][dice.below(4) as usize];
        let at = format!("{}Z", &at[..19]);
        let raw = format!(
            r#"{{"eventVersion":"1.09","userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::444455556666:user/ana","accountId":"444455556666","userName":"ana"}},"eventTime":{space}"{at}","eventSource":"{service}.amazonaws.com","eventName":"{name}","awsRegion":"eu-central-1","sourceIPAddress":"192.0.2.7","requestParameters":{{"n":{n},"odd":{odd}}},"eventID":"{id}","eventType":"AwsApiCall","recipientAccountId":"444455556666"{space}}}"#
        );
        (id, raw)
    })
}

pub fn github(seed: u64, count: u64) -> Vec<Event> {
    over_the_day(seed, count, |dice, n, at| {
        let (delivery, space, odd) = (dice.uuid(), dice.space(), dice.odd());
        let action = dice.one(&["member_added", "member_removed", "member_invited"]);
        let raw = format!(
            r#"{{"action":{space}"{action}","membership":{{"state":"active","role":"member","user":{{"login":"octo-{n}","id":{n}}}}},"organization":{{"login":"corp","id":88120}},"sender":{{"login":"ana","id":7}},"n":{n},"at":"{at}","odd":{odd}{space}}}"#
        );
        (delivery, raw)
    })
}

pub fn kubernetes(seed: u64, count: u64) -> Vec<Event> {
    over_the_day(seed, count, |dice, n, at| {
        let (id, user, space, odd) = (dice.uuid(), dice.user(), dice.space(), dice.odd());
        let (verb, resource) = (dice.one(&["create", "get", "delete"]), dice.one(&["secrets", "pods", "rolebindings"]));
        let raw = format!(
            r#"{{"level":"Metadata","auditID":"{id}",{space}"stage":"ResponseComplete","requestURI":"/api/v1/{resource}","verb":"{verb}","user":{{"username":"{user}"}},"sourceIPs":["192.0.2.44"],"objectRef":{{"resource":"{resource}","name":"n{n}"}},"responseStatus":{{"code":200}},"requestReceivedTimestamp":"{at}","stageTimestamp":"{at}","annotations":{{"n":"{n}","odd":{odd}}}}}"#
        );
        (id, raw)
    })
}

/// Auth0's log stream to Splunk.
pub fn auth0(seed: u64, count: u64) -> Vec<Event> {
    over_the_day(seed, count, |dice, n, at| {
        let (user, space, odd) = (dice.user(), dice.space(), dice.odd());
        let (id, kind) =
            (format!("9002025060300000{n:08}{:016}", dice.below(1 << 50)), dice.one(&["s", "f", "fp", "slo", "gd_auth_failed"]));
        let raw = format!(
            r#"{{"log_id":"{id}",{space}"data":{{"date":"{at}","type":"{kind}","client_id":"Xk3vR7mQ2pL9","ip":"192.0.2.44","user_name":"{user}","user_id":"auth0|66aa","details":{{"n":{n},"odd":{odd}}},"log_id":"{id}"}}}}"#
        );
        (id, raw)
    })
}

/// Lines of one host's sshd, numbered by it (RFC 5424, 7.3.1).
pub fn linux(seed: u64, count: u64) -> Vec<Event> {
    over_the_day(seed, count, |dice, n, at| {
        let (user, port) = (dice.one(&["ana", "bea", "root"]), 1_024 + dice.below(60_000));
        let said = dice.one(&["Accepted publickey for", "Failed password for", "Failed password for invalid user"]);
        let raw = format!(r#"<38>1 {at} bastion sshd 777 - [meta sequenceId="{n}"] {said} {user} from 203.0.113.78 port {port} ssh2"#);
        (n.to_string(), raw)
    })
}
