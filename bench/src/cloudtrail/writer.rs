//! One event of a session, written member by member.

use super::actions::{Action, ERRORS};
use super::ids::{IdForm, IdSlot, Ids, short_id, uuid};
use super::names::{TEAMS, THINGS, account_number, base64_like, bucket_name, fleet_id, key_id, person_name, pick, rfc3339, role_name};
use super::session::Session;
use super::{BUCKETS, FLEET, FUNCTIONS, KMS_KEYS, PEOPLE, ROLES};
use crate::seeded::{Seeded, spread};

/// Writes one event of a session.
pub(super) struct Writer<'a> {
    pub(super) random: &'a mut Seeded,
    pub(super) session: &'a Session,
    pub(super) now_ms: u64,
    pub(super) out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    /// Appends the event.
    pub(super) fn event(&mut self, action: &Action) -> Ids {
        let start = self.out.len();
        let time = rfc3339(self.now_ms / 1000);
        let region = self.session.region;
        let service = action.service;
        let request_id = self.request_id(action);
        let marks = Marks::draw(self.random, &request_id, &time);
        self.text(r#"{"eventVersion":"1.11","userIdentity":"#);
        self.text(&self.session.identity);
        self.text(&format!(
            r#","eventTime":"{time}","eventSource":"{service}.amazonaws.com","eventName":"{}","awsRegion":"{region}","sourceIPAddress":"{}","userAgent":"{}","#,
            action.name, self.session.address, self.session.agent
        ));
        let failed = self.random.chance(4);
        if failed {
            let (code, message) = self.random.one_of(ERRORS);
            self.text(&format!(r#""errorCode":"{code}","errorMessage":""#));
            self.template(message, &marks, action);
            self.text(r#"","#);
        }
        self.text(r#""requestParameters":"#);
        self.template(action.request, &marks, action);
        self.text(r#","responseElements":"#);
        self.template(if failed { "null" } else { action.response }, &marks, action);
        self.text(",");
        // AWS puts `additionalEventData` before the ids and `resources` after them; one template
        // keeps both here, which changes neither size nor members.
        self.template(action.extra, &marks, action);
        self.text(r#""requestID":""#);
        let request = IdSlot { at: self.out.len() - start, form: id_form(action) };
        self.text(&request_id);
        self.text(r#"","eventID":""#);
        let event = IdSlot { at: self.out.len() - start, form: IdForm::Uuid };
        let event_id = uuid(self.random.bits(), self.random.bits());
        self.text(&event_id);
        self.end(action, service, region);
        Ids { event, request }
    }

    fn end(&mut self, action: &Action, service: &str, region: &str) {
        let account = account_number(self.session.account);
        self.text(&format!(
            r#"","readOnly":{},"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"{account}","eventCategory":"Management","#,
            action.read_only
        ));
        // Calls from inside AWS name no TLS session.
        if self.session.agent.ends_with(".amazonaws.com") || self.session.agent == "AWS Internal" {
            if self.session.console {
                self.text(r#""sessionCredentialFromConsole":"true"}"#);
            } else {
                let shared = uuid(self.random.bits(), self.random.bits());
                self.text(&format!(r#""sharedEventID":"{shared}"}}"#));
            }
        } else {
            self.text(&format!(
                r#""tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{service}.{region}.amazonaws.com"}}"#
            ));
            self.text(if self.session.console { r#","sessionCredentialFromConsole":"true"}"# } else { "}" });
        }
    }

    fn request_id(&mut self, action: &Action) -> String {
        match id_form(action) {
            IdForm::Uuid => uuid(self.random.bits(), self.random.bits()),
            IdForm::Short => short_id(self.random.bits(), self.random.bits()),
        }
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Copies a template, with what each `$x` stands for.
    fn template(&mut self, template: &str, marks: &Marks<'_>, action: &Action) {
        let mut pieces = template.split('$');
        self.text(pieces.next().unwrap_or(""));
        for piece in pieces {
            let mut rest = piece.chars();
            let mark = rest.next().unwrap_or('$');
            self.mark(mark, marks, action);
            self.text(rest.as_str());
        }
    }

    fn mark(&mut self, mark: char, marks: &Marks<'_>, action: &Action) {
        let account = self.session.account;
        let value = match mark {
            'a' => account_number(account),
            'b' => bucket_name(marks.bucket),
            'd' => uuid(self.random.bits(), self.random.bits()),
            'e' => uuid(spread(marks.kms_key), spread(marks.kms_key + 1)),
            'f' => format!("{}-{}", pick(TEAMS, marks.function), pick(THINGS, marks.function / 10 + 7 * marks.function)),
            'g' => self.session.region.to_owned(),
            'h' => fleet_id(self.random.zipf(FLEET)),
            'H' => fleet_id(self.random.bits()),
            'i' => self.session.arn.clone(),
            'k' => format!(
                "{}/2026/03/{:02}/part-{:05}.parquet",
                pick(TEAMS, marks.bucket),
                self.random.below(28) + 1,
                self.random.below(100_000)
            ),
            'n' => self.random.below(256).to_string(),
            'o' => format!("{}:{}", action.service, action.name),
            'q' => marks.request_id.to_owned(),
            'r' => role_name(marks.role),
            's' => format!("ASIA{}", key_id(self.random.bits(), 16)),
            'S' => key_id(spread(marks.role), 17),
            't' => marks.time.to_owned(),
            'u' => person_name(marks.person),
            'v' => (self.random.below(9) + 1).to_string(),
            'w' => format!("{:016x}", spread(marks.function)),
            'x' => base64_like(self.random, 76),
            'y' => format!("{:016x}{:016x}", self.random.bits(), self.random.bits()),
            'z' => format!("arn:aws:{}:{}:{}:*", action.service, self.session.region, account_number(account)),
            other => format!("${other}"),
        };
        self.text(&value);
    }
}

/// What one event is about: the same bucket or role in each place it is named.
struct Marks<'a> {
    bucket: u64,
    function: u64,
    kms_key: u64,
    person: u64,
    role: u64,
    request_id: &'a str,
    time: &'a str,
}

impl<'a> Marks<'a> {
    fn draw(random: &mut Seeded, request_id: &'a str, time: &'a str) -> Self {
        Self {
            bucket: random.zipf(BUCKETS),
            function: random.zipf(FUNCTIONS),
            kms_key: random.zipf(KMS_KEYS),
            person: random.zipf(PEOPLE),
            role: random.zipf(ROLES),
            request_id,
            time,
        }
    }
}

fn id_form(action: &Action) -> IdForm {
    if action.service == "s3" { IdForm::Short } else { IdForm::Uuid }
}
