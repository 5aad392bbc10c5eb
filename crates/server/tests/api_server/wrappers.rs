//! Pages and batches as vendors' own APIs hand them out: what is in them is kept, record by record.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use indelible::source::catalog::BUILT_IN;
use indelible::source::golden::raw_of;
use serde_json::Value;

use crate::client::Ask;
use crate::server::Server;

/// One documented wrapper.
struct Wrapper {
    kind: &'static str,
    /// Members that every record of this shape has.
    having: &'static [&'static str],
    /// The wrapper, with `RECORDS` where its records stand.
    around: &'static str,
}

const fn wrapper(kind: &'static str, having: &'static [&'static str], around: &'static str) -> Wrapper {
    Wrapper { kind, having, around }
}

const WRAPPERS: [Wrapper; 38] = [
    wrapper("app", &["action", "actor"], r#"{"events":[RECORDS]}"#),
    wrapper(
        "asana",
        &["event_type"],
        r#"{"data":[RECORDS],"next_page":{"offset":"eyJ0","path":"/workspaces/1/audit_log_events?offset=eyJ0"}}"#,
    ),
    wrapper(
        "atlassian",
        &["attributes"],
        r#"{"data":[RECORDS],"meta":{"next":"c1","page_size":2},"links":{"next":"https://api.atlassian.com/admin/v1"}}"#,
    ),
    wrapper("atlassian", &["objectItem"], r#"{"offset":0,"limit":1000,"total":2,"records":[RECORDS]}"#),
    wrapper(
        "atlassian",
        &["creationDate"],
        r#"{"results":[RECORDS],"start":0,"limit":100,"size":2,"_links":{"base":"https://x.atlassian.net/wiki"}}"#,
    ),
    wrapper("atlassian", &["affectedObjects"], r#"{"pagingInfo":{"lastPage":true,"size":2},"entities":[RECORDS]}"#),
    wrapper(
        "authentik",
        &["pk"],
        r#"{"pagination":{"next":0,"previous":0,"count":2,"current":1,"total_pages":1},"results":[RECORDS],"autocomplete":{}}"#,
    ),
    wrapper("aws_cloudtrail", &["eventVersion"], r#"{"Records":[RECORDS]}"#),
    wrapper("box", &["event_type"], r#"{"chunk_size":2,"next_stream_position":"1152922976252290886","entries":[RECORDS]}"#),
    wrapper(
        "cisco_duo",
        &["txid"],
        r#"{"stat":"OK","response":{"authlogs":[RECORDS],"metadata":{"next_offset":["1532951895000","af0ba235"]}}}"#,
    ),
    wrapper("cisco_duo", &["activity_id"], r#"{"response":{"items":[RECORDS],"metadata":{"next_offset":null}},"stat":"OK"}"#),
    wrapper("cisco_duo", &["telephony_id"], r#"{"response":{"items":[RECORDS],"metadata":{"next_offset":null}},"stat":"OK"}"#),
    wrapper("cisco_duo", &["timestamp", "action", "username", "description"], r#"{"stat":"OK","response":[RECORDS]}"#),
    wrapper("doppler", &["html"], r#"{"logs":[RECORDS],"page":1,"success":true}"#),
    wrapper(
        "entra_id",
        &["createdDateTime", "appId"],
        r#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#auditLogs/signIns","value":[RECORDS]}"#,
    ),
    wrapper(
        "entra_id",
        &["activityDisplayName"],
        r#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#auditLogs/directoryAudits","value":[RECORDS]}"#,
    ),
    wrapper("gcp_audit", &["insertId"], r#"{"entries":[RECORDS],"nextPageToken":"x"}"#),
    wrapper("google_workspace", &["id", "actor"], r#"{"kind":"admin#reports#activities","etag":"\"x\"","items":[RECORDS]}"#),
    wrapper("kubernetes_audit", &["auditID"], r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[RECORDS]}"#),
    wrapper(
        "mongodb_atlas",
        &["eventTypeName"],
        r#"{"links":[{"href":"https://cloud.mongodb.com","rel":"self"}],"results":[RECORDS],"totalCount":2}"#,
    ),
    wrapper("mongodb_atlas", &["authResult"], r#"{"accessLogs":[RECORDS]}"#),
    wrapper(
        "okta",
        &["eventType", "published"],
        r#"{"eventType":"com.okta.event_hook","eventTypeVersion":"1.0","data":{"events":[RECORDS]},"source":"https://x.okta.com"}"#,
    ),
    wrapper(
        "onelogin",
        &["event_type_id", "created_at"],
        r#"{"status":{"error":false,"code":200},"pagination":{"before_cursor":null,"after_cursor":"x"},"data":[RECORDS]}"#,
    ),
    wrapper("onepassword", &["target_user"], r#"{"cursor":"aGVsbG8","has_more":true,"items":[RECORDS]}"#),
    wrapper("onepassword", &["used_version"], r#"{"cursor":"aGVsbG8","has_more":false,"items":[RECORDS]}"#),
    wrapper("onepassword", &["actor_uuid"], r#"{"cursor":"aGVsbG8","has_more":false,"items":[RECORDS]}"#),
    wrapper(
        "ping",
        &["recordedAt"],
        r#"{"_links":{"self":{"href":"https://api.pingone.eu/v1"}},"_embedded":{"activities":[RECORDS]},"size":2}"#,
    ),
    wrapper("salesforce", &["attributes", "LoginTime"], r#"{"totalSize":2,"done":true,"records":[RECORDS]}"#),
    wrapper("salesforce", &["attributes", "Action"], r#"{"totalSize":2,"done":true,"records":[RECORDS]}"#),
    wrapper("slack", &["date_create"], r#"{"entries":[RECORDS],"response_metadata":{"next_cursor":""}}"#),
    wrapper("slack", &["date_last"], r#"{"ok":true,"logins":[RECORDS],"paging":{"count":100,"total":2,"page":1,"pages":1}}"#),
    wrapper("slack", &["change_type"], r#"{"ok":true,"logs":[RECORDS],"paging":{"count":100,"total":2,"page":1,"pages":1}}"#),
    wrapper("tailscale", &["eventGroupID"], r#"{"version":"1.1","tailnet":"example.com","logs":[RECORDS]}"#),
    wrapper("tailscale", &["eventGroupID"], r#"{"version":"1.1","tailnetId":"example.com","logs":[RECORDS]}"#),
    wrapper("tailscale", &["nodeId"], r#"{"logs":[RECORDS]}"#),
    wrapper("zendesk", &["action"], r#"{"audit_logs":[RECORDS],"next_page":null,"previous_page":null,"count":2}"#),
    wrapper("zoom", &["operator"], r#"{"page_size":30,"next_page_token":"x","operation_logs":[RECORDS]}"#),
    wrapper(
        "zoom",
        &["email", "time"],
        r#"{"from":"2024-11-01","to":"2024-11-24","page_size":300,"next_page_token":"","activity_logs":[RECORDS]}"#,
    ),
];

impl Wrapper {
    /// The kind's golden samples of this shape, each with a space that compact JSON does not have.
    fn records(&self) -> Vec<String> {
        let kind = BUILT_IN.iter().find(|built_in| built_in.kind == self.kind).unwrap();
        let lines = kind.samples.lines().filter(|line| !line.trim().is_empty());
        let raws = lines.filter_map(|line| String::from_utf8(raw_of(line)).ok());
        let has = |raw: &String| {
            serde_json::from_str::<Value>(raw).is_ok_and(|record| self.having.iter().all(|member| record.get(member).is_some()))
        };
        let mut records: Vec<String> = raws.filter(has).map(|raw| raw.replacen('{', "{ ", 1)).collect();
        records.dedup();
        records
    }
}

/// Posts `body` to a source of its own and gives what is kept of it, and the kind that the source has.
fn post(server: &Server, source: &str, query: &str, body: impl Into<Vec<u8>>) -> (Vec<String>, String) {
    let ask = Ask::new("POST", &format!("/v1/events?source={source}{query}")).header("content-type", "application/json");
    server.send(ask.key(&server.admin).body(body)).expect(200);
    let kept = server.kept().into_iter().filter(|(_, from, _)| from == source).map(|(raw, _, _)| raw).collect();
    let view = server.trail.view();
    (kept, view.state.sources[&view.state.source_number(source).unwrap()].kind.clone())
}

#[test]
fn the_records_of_every_documented_wrapper_are_kept_one_by_one_as_they_are() {
    let server = Server::start();
    let mut wrong = Vec::new();
    for (nth, wrapper) in WRAPPERS.iter().enumerate() {
        let records = wrapper.records();
        let body = wrapper.around.replace("RECORDS", &records.join(" ,\n"));
        for (source, query) in [(format!("told-{nth}"), format!("&kind={}", wrapper.kind)), (format!("seen-{nth}"), String::new())] {
            let (kept, kind) = post(&server, &source, &query, body.clone());
            // What an application of one's own sends may be anybody's: its kind has to be told.
            let kind_fits = kind == wrapper.kind || (wrapper.kind == "app" && query.is_empty());
            if kept != records || records.is_empty() || !kind_fits {
                let about = format!("{source} of {} {:?}", wrapper.kind, wrapper.having);
                wrong.push(format!("{about}: {} kept of {}, kind {kind}", kept.len(), records.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_page_of_graph_with_audit_records_of_microsoft_365_is_theirs() {
    let server = Server::start();
    let record = r#"{ "id":"1","createdDateTime":"2024-11-24T15:00:00Z","auditLogRecordType":"AzureActiveDirectory","operation":"UserLoggedIn","userId":"ana@corp.example","service":"AzureActiveDirectory","auditData":{"Operation":"UserLoggedIn"}}"#;
    let page = format!(r#"{{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#security/auditLog","value":[{record}]}}"#);
    for (source, query) in [("told", "&kind=m365_audit"), ("seen", "")] {
        assert_eq!(post(&server, source, query, page.clone()), (vec![record.to_owned()], "m365_audit".to_owned()), "{source}");
    }
}

#[test]
fn records_that_stand_as_texts_in_their_wrapper_are_kept_as_these_texts() {
    let server = Server::start();
    let record = |kind: &str, member: &'static [&'static str]| {
        Wrapper { kind: BUILT_IN.iter().find(|known| known.kind == kind).unwrap().kind, having: member, around: "" }.records().remove(0)
    };
    let (trail, audit, entry) =
        (record("aws_cloudtrail", &["eventVersion"]), record("kubernetes_audit", &["auditID"]), record("gcp_audit", &["insertId"]));
    let quoted = |text: &str| Value::from(text).to_string();
    let cloudwatch = |record: &str| {
        format!(
            r#"{{"messageType":"DATA_MESSAGE","logGroup":"g","logStream":"s","logEvents":[{{"id":"3","timestamp":1,"message":{}}}]}}"#,
            quoted(record)
        )
    };
    let pulled =
        format!(r#"{{"receivedMessages":[{{"ackId":"a","message":{{"data":"{}","messageId":"7"}}}}]}}"#, BASE64_STANDARD.encode(&entry));
    for (kind, record, body) in [
        ("aws_cloudtrail", &trail, cloudwatch(&trail)),
        ("aws_cloudtrail", &trail, format!(r#"{{"Events":[{{"EventId":"1","EventName":"x","CloudTrailEvent":{}}}]}}"#, quoted(&trail))),
        ("kubernetes_audit", &audit, cloudwatch(&audit)),
        ("gcp_audit", &entry, pulled),
    ] {
        for (source, query) in [(format!("told-{}", body.len()), format!("&kind={kind}")), (format!("seen-{}", body.len()), String::new())]
        {
            assert_eq!(post(&server, &source, &query, body.clone()), (vec![record.clone()], kind.to_owned()), "{body}");
        }
    }
}

#[test]
fn a_page_longer_than_an_event_may_be_is_opened_and_none_of_it_lost() {
    let server = Server::start();
    let record = |nth: usize| {
        format!(r#"{{ "eventType":"user.session.start","published":"2024-11-24T15:00:00Z","uuid":"{nth}","pad":"{}"}}"#, "x".repeat(1000))
    };
    let records: Vec<String> = (0..1500).map(record).collect();
    let page = format!(r#"{{"eventType":"com.okta.event_hook","data":{{"events":[{}]}}}}"#, records.join(","));
    assert!(page.len() > 1 << 20);
    let (kept, kind) = post(&server, "okta", "", page);
    assert_eq!((kept == records, kind.as_str()), (true, "okta"));
    let long = format!(r#"{{"eventType":"user.session.start","uuid":"long","pad":"{}"}}"#, "x".repeat(1 << 20));
    let (kept, _) = post(&server, "okta-long", "&kind=okta", format!(r#"{{"data":{{"events":[{long}]}}}}"#));
    assert_eq!(kept, [&long[..1 << 20]], "one that is itself too long is cut");
}

#[test]
fn the_id_of_a_wrapper_is_none_of_its_records_and_tells_them_apart_where_they_have_none() {
    let server = Server::start();
    let records = [r#"{"action":"a","actor":"eve"}"#, r#"{"action":"a","actor":"eve"}"#, r#"{"id":"own","action":"b","actor":"eve"}"#];
    let body = format!("{{\"create\":{{\"_index\":\"logs\",\"_id\":\"page-1\"}}}}\n{{\"events\":[{}]}}\n", records.join(","));
    for _ in 0..2 {
        let ask = Ask::new("POST", "/_bulk").header("content-type", "application/x-ndjson").key(&server.admin);
        server.send(ask.body(body.clone())).expect(200);
    }
    assert_eq!(server.raws(), records);
    let entries = server.trail.reader().entries(0, server.trail.view().size as usize).unwrap();
    let events = entries.iter().filter(|entry| entry.leaf.kind == evidence::leaf::Kind::Event);
    let ids: Vec<Value> = events.map(|entry| serde_json::from_slice::<Value>(&entry.people).unwrap()["id"].clone()).collect();
    assert_eq!(ids, ["logs/page-1/0", "logs/page-1/1", "own"]);
}
