//! Events whose record does not say how they ended: they are told as that, and make no stranger's address a usual one.

use indelible::investigate::routine::Verdict;
use indelible::source::directory::People;

use crate::log::{BOUNDS, Log, asked};

fn vault(day: u32, part: &str, more: &str) -> String {
    format!(
        r#"{{"time":"2026-02-{day:02}T10:00:00Z","type":"{part}","auth":{{"token_type":"default"}},"request":{{"id":"q{day}","operation":"update","mount_type":"userpass","path":"auth/userpass/login/walt","remote_address":"203.0.113.9"}}{more}}}"#
    )
}

fn binding(stage: &str, status: &str) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"z4","stage":"{stage}","requestURI":"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings","verb":"create","user":{{"username":"hal@corp.example"}},"sourceIPs":["203.0.113.5"],"objectRef":{{"resource":"clusterrolebindings","name":"ops2","apiGroup":"rbac.authorization.k8s.io"}},"requestObject":{{"kind":"ClusterRoleBinding","roleRef":{{"kind":"ClusterRole","name":"cluster-admin"}},"subjects":[{{"kind":"User","name":"hal@corp.example"}}]}},{status}"requestReceivedTimestamp":"2026-02-01T10:03:00Z","stageTimestamp":"2026-02-01T10:03:00Z"}}"#
    )
}

#[test]
fn passwords_that_were_tried_do_not_make_an_address_usual_whatever_their_requests_say() {
    let log = Log::new(People::default());
    let mut lines = Vec::new();
    for day in 1..6 {
        lines.extend([vault(day, "request", ""), vault(day, "response", r#","error":"invalid username or password""#)]);
    }
    lines.push(vault(6, "response", r#","response":{"mount_type":"userpass"}"#));
    log.send("vault", "hashicorp_vault", lines.join("\n").as_bytes());
    let all = log.naive();
    let last = all.iter().max_by_key(|line| line.time_ms).unwrap();
    assert!(!last.failed && !last.unsaid, "{last:?}");
    let told = log.routine(last.index, BOUNDS);
    assert_eq!((told.verdict, told.identity.unwrap().events), (Verdict::NeverBefore, 0), "{}", told.says);
    assert!(told.says.contains("is known to have done"), "{}", told.says);
    let summary = log.timeline(&asked("walt", 50)).summary;
    let sign_ins = &summary.deeds[0];
    assert_eq!((sign_ins.did, sign_ins.failed, sign_ins.unsaid), (11, 5, 5), "{summary:?}");
    assert_eq!(summary.addresses.values[0].count, 1);
}

#[test]
fn a_grant_whose_end_is_not_said_is_told_as_that() {
    let log = Log::new(People::default());
    let status = r#""responseStatus":{"status":"Failure","reason":"Forbidden","code":403},"#;
    log.send("k8s", "kubernetes_audit", [binding("RequestReceived", ""), binding("ResponseComplete", status)].join("\n").as_bytes());
    let steps = log.how("hal@corp.example", "cluster-admin").tree.steps;
    let said: Vec<_> = steps.iter().map(|step| step.event.says.as_str()).collect();
    assert_eq!(said, ["hal@corp.example gave themselves: ClusterRole/cluster-admin; how it ended is not said"]);
    let timeline = log.timeline(&asked("hal@corp.example", 50));
    assert!(timeline.lines.iter().any(|line| line.says.starts_with("in vain: ")), "{timeline:?}");
}
