//! Who acts: a session of a person, a user, a workload or a service, and how CloudTrail names it.

use super::names::{account_number, fleet_id, key_id, person_name, rfc3339, role_name};
use super::{ACCOUNTS, FLEET, PEOPLE, ROLES};
use crate::seeded::{Seeded, spread};

const REGIONS: &[&str] = &["us-east-1", "us-east-1", "us-east-1", "eu-west-1", "eu-west-1", "us-west-2", "eu-central-1", "ap-southeast-2"];
const PEOPLE_AGENTS: &[&str] = &[
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36",
    "aws-cli/2.33.5 md/awscrt#0.29.2 ua/2.1 os/macos#25.2.0 md/arch#arm64 lang/python#3.13.11",
    "AWS Internal",
    "console.amazonaws.com",
];
const ROLE_AGENTS: &[&str] = &[
    "APN/1.0 HashiCorp/1.0 Terraform/1.14.3 (+https://www.terraform.io) terraform-provider-aws/6.28.0 aws-sdk-go-v2/1.41.1",
    "Boto3/1.42.30 md/Botocore#1.42.30 ua/2.1 os/linux#6.1.159 md/arch#aarch64 lang/python#3.13.11",
    "aws-sdk-java/2.41.10 ua/2.1 os/Linux#5.10.247 lang/java#21.0.9 md/vendor#Amazon.com_Inc.",
    "aws-sdk-go-v2/1.41.1 os/linux lang/go#1.25.5 md/GOARCH#amd64",
    "amazon-ssm-agent/3.3.2299.0",
];
const SERVICES: &[&str] = &[
    "ec2.amazonaws.com",
    "lambda.amazonaws.com",
    "config.amazonaws.com",
    "autoscaling.amazonaws.com",
    "eks.amazonaws.com",
    "securityhub.amazonaws.com",
];

/// One identity at work.
pub(super) struct Session {
    pub(super) account: u64,
    pub(super) identity: String,
    pub(super) arn: String,
    pub(super) address: String,
    pub(super) agent: &'static str,
    pub(super) region: &'static str,
    pub(super) console: bool,
    pub(super) events_left: u64,
}

impl Session {
    /// A session that begins now.
    pub(super) fn open(random: &mut Seeded, now_ms: u64) -> Self {
        match random.below(100) {
            0..5 => Self::of_person(random, now_ms),
            5..40 => Self::of_user(random, now_ms),
            40..57 => Self::of_role(random, now_ms),
            _ => Self::of_service(random),
        }
    }

    /// A person who came through single sign-on.
    fn of_person(random: &mut Seeded, now_ms: u64) -> Self {
        let person = random.zipf(PEOPLE);
        let account = random.zipf(ACCOUNTS);
        let level = random.one_of(&["PowerUser", "ReadOnly", "Admin"]);
        let role = format!("AWSReservedSSO_{level}_{:016x}", spread(account * 7 + 3));
        let name = person_name(person);
        Self::assumed(random, account, &role, &name, now_ms, Origin::of_person(person))
    }

    /// An IAM user, in the console or with a long-lived key.
    fn of_user(random: &mut Seeded, now_ms: u64) -> Self {
        let person = random.zipf(PEOPLE);
        let account = random.zipf(ACCOUNTS);
        let (number, name) = (account_number(account), person_name(person));
        let arn = format!("arn:aws:iam::{number}:user/{name}");
        let principal = key_id(spread(person ^ account << 32), 17);
        let console = random.chance(50);
        let (prefix, context) = if console {
            let created = rfc3339(now_ms / 1000 - random.below(1800));
            ("ASIA", format!(r#","sessionContext":{{"attributes":{{"creationDate":"{created}","mfaAuthenticated":"true"}}}}"#))
        } else {
            ("AKIA", String::new())
        };
        let key = key_id(if console { random.bits() } else { spread(person) }, 16);
        let identity = format!(
            r#"{{"type":"IAMUser","principalId":"AIDA{principal}","arn":"{arn}","accountId":"{number}","accessKeyId":"{prefix}{key}","userName":"{name}"{context}}}"#
        );
        Self::with(random, account, identity, arn, Origin { console, ..Origin::of_person(person) })
    }

    /// A workload with a role.
    fn of_role(random: &mut Seeded, now_ms: u64) -> Self {
        let account = random.zipf(ACCOUNTS);
        let role = role_name(random.zipf(ROLES));
        let name = if random.chance(60) {
            format!("i-{}", fleet_id(random.zipf(FLEET)))
        } else {
            format!("botocore-session-{}", now_ms / 1000 - random.below(3600))
        };
        let address = if random.chance(60) {
            format!("10.{}.{}.{}", 16 + account, random.below(64), random.below(254) + 1)
        } else {
            format!("198.51.100.{}", random.below(254) + 1)
        };
        Self::assumed(random, account, &role, &name, now_ms, Origin { address, agents: ROLE_AGENTS, console: false })
    }

    /// A service of AWS that acts for itself.
    fn of_service(random: &mut Seeded) -> Self {
        let account = random.zipf(ACCOUNTS);
        let service = random.one_of(SERVICES);
        let identity = format!(r#"{{"type":"AWSService","invokedBy":"{service}"}}"#);
        let origin = Origin { address: service.to_owned(), agents: &[], console: false };
        Self { agent: service, ..Self::with(random, account, identity, service.to_owned(), origin) }
    }

    fn assumed(random: &mut Seeded, account: u64, role: &str, name: &str, now_ms: u64, origin: Origin) -> Self {
        let number = account_number(account);
        let seed = role.bytes().fold(account, |hash, byte| spread(hash ^ u64::from(byte)));
        let principal = key_id(seed, 17);
        let arn = format!("arn:aws:sts::{number}:assumed-role/{role}/{name}");
        let mfa = origin.console;
        let identity = format!(
            r#"{{"type":"AssumedRole","principalId":"AROA{principal}:{name}","arn":"{arn}","accountId":"{number}","accessKeyId":"ASIA{}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROA{principal}","arn":"arn:aws:iam::{number}:role/{role}","accountId":"{number}","userName":"{role}"}},"attributes":{{"creationDate":"{}","mfaAuthenticated":"{mfa}"}}}}}}"#,
            key_id(random.bits(), 16),
            rfc3339(now_ms / 1000 - random.below(1800)),
        );
        Self::with(random, account, identity, arn, origin)
    }

    fn with(random: &mut Seeded, account: u64, identity: String, arn: String, origin: Origin) -> Self {
        Self {
            account,
            identity,
            arn,
            address: origin.address,
            agent: if origin.agents.is_empty() { "" } else { random.one_of(origin.agents) },
            region: random.one_of(REGIONS),
            console: origin.console,
            events_left: 2 + random.zipf(400),
        }
    }
}

struct Origin {
    address: String,
    agents: &'static [&'static str],
    console: bool,
}

impl Origin {
    fn of_person(person: u64) -> Self {
        let address = format!("203.0.113.{}", spread(person) % 254 + 1);
        Self { address, agents: PEOPLE_AGENTS, console: true }
    }
}
