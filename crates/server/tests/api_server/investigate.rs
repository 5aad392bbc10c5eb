//! `GET /v1/identities/{id}` and `GET /v1/events/{index}/routine`, asked over HTTP.

use evidence::act::Scope;
use serde_json::Value;

use crate::client::Ask;
use crate::server::Server;

fn event(second: u32, actor: &str, action: &str, target: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.09","userIdentity":{{"type":"IAMUser","userName":"{actor}","accountId":"1"}},"eventTime":"2026-02-06T07:11:{second:02}Z","eventSource":"iam.amazonaws.com","eventName":"{action}","sourceIPAddress":"198.51.100.23","userAgent":"aws-cli/2.15","requestParameters":{{"userName":"{target}","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}},"eventID":"{second}","eventType":"AwsApiCall"}}"#
    )
}

fn told(server: &Server) -> u64 {
    let events = [
        event(1, "root@corp.example", "AttachUserPolicy", "ana@corp.example"),
        event(2, "ana@corp.example", "CreateAccessKey", "ana@corp.example"),
        event(3, "ana@corp.example", "AttachUserPolicy", "bob@corp.example"),
    ];
    let kept = server.post("/v1/events?source=aws", events.join("\n")).expect(200).json();
    kept["results"][2]["index"].as_u64().unwrap()
}

#[test]
fn an_identity_is_told_page_by_page_with_what_the_answer_covers() {
    let server = Server::start();
    told(&server);
    let told = server.get("/v1/identities/Ana%40corp.example?limit=2").expect(200).json();
    assert_eq!((&told["identity"], &told["summary"]["events"]), (&"ana@corp.example".into(), &3.into()));
    assert_eq!(told["lines"][0]["says"], "ana@corp.example gave bob@corp.example: AdministratorAccess");
    assert_eq!(told["privileges"][0]["says"], "root@corp.example gave ana@corp.example: AdministratorAccess");
    let trail = server.get("/v1/trails/main").expect(200).json();
    assert_eq!((&told["tree"]["size"], &told["covered"]["complete"]), (&told["covered"]["to"], &true.into()));
    assert!(trail["size"].as_u64() >= told["tree"]["size"].as_u64());
    let next = told["next"].as_str().unwrap();
    let rest = server.get(&format!("/v1/identities/ana%40corp.example?behind={next}")).expect(200).json();
    assert_eq!((rest["lines"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    // How they were reached is told once.
    assert_eq!(told["reached"]["steps"][0]["event"]["index"], told["privileges"][0]["index"]);
    assert_eq!(told["reached"]["roots"][0]["holder"]["identity"], "root@corp.example");
    assert_eq!(rest.get("reached"), None);
}

#[test]
fn a_privilege_is_told_back_to_whom_the_log_shows_nothing_given() {
    let server = Server::start();
    told(&server);
    let told = server.get("/v1/identities/bob%40corp.example?how=ADMIN").expect(200).json();
    let steps: Vec<_> =
        told["steps"].as_array().unwrap().iter().map(|step| (step["depth"].clone(), step["event"]["actor"].clone())).collect();
    assert_eq!(steps, [(0.into(), "ana@corp.example".into()), (1.into(), "root@corp.example".into())]);
    assert_eq!(
        (&told["roots"][0]["why"], &told["roots"][0]["holder"]["identity"]),
        (&"nothing_before".into(), &"root@corp.example".into())
    );
}

#[test]
fn an_event_is_told_with_its_history() {
    let server = Server::start();
    let index = told(&server);
    let told = server.get(&format!("/v1/events/{index}/routine")).expect(200).json();
    assert_eq!((&told["verdict"], &told["event"]["index"]), (&"never_before".into(), &index.into()));
    assert!(told["says"].as_str().unwrap().starts_with("Never before for ana@corp.example."), "{}", told["says"]);
    assert_eq!((&told["identity"]["events"], &told["peers"]["events"], &told["peers"]["identities"]), (&1.into(), &1.into(), &1.into()));
}

#[test]
fn what_is_wrong_with_a_question_is_said() {
    let server = Server::start();
    let refused = |path: &str| server.get(path).expect(400).error();
    assert_eq!(refused("/v1/identities/ana?since=yesterday"), "time_invalid");
    assert_eq!(refused("/v1/identities/ana?since=2026-04-01&until=2026-03-01"), "time_invalid");
    assert_eq!(refused("/v1/identities/ana?limit=0"), "limit_invalid");
    assert_eq!(refused("/v1/identities/ana?limit=1001"), "limit_invalid");
    assert_eq!(refused("/v1/identities/ana?behind=5"), "behind_invalid");
    assert_eq!(refused("/v1/identities/ana?how="), "privilege_invalid");
    assert_eq!(refused(&format!("/v1/identities/ana?how={}", "x".repeat(257))), "privilege_invalid");
    assert_eq!(refused("/v1/identities/ana?how=admin&since=7d"), "bad_query");
    assert_eq!(refused("/v1/identities/%20"), "identity_invalid");
    assert_eq!(refused(&format!("/v1/identities/{}", "x".repeat(321))), "identity_invalid");
    assert_eq!(refused("/v1/events/x/routine"), "index_invalid");
    assert_eq!(refused("/v1/events/0/routine"), "not_an_event");
    server.get("/v1/events/999999/routine").expect(404);
    // Nobody of that name: an answer, and a complete one.
    let nobody = server.get("/v1/identities/nobody").expect(200).json();
    assert_eq!((&nobody["summary"]["events"], &nobody["covered"]["complete"]), (&0.into(), &true.into()));
}

#[test]
fn whoever_may_not_read_learns_nothing_by_asking_and_whoever_may_learns_what_a_search_shows() {
    let server = Server::start();
    let index = told(&server);
    let sends = [server.key(&[Scope::Ingest], &["aws"]), server.key(&[Scope::Ingest], &[])];
    let paths = ["/v1/identities/ana%40corp.example", "/v1/identities/nobody", "/v1/identities/bob%40corp.example?how=admin"];
    let events = [format!("/v1/events/{index}/routine"), "/v1/events/0/routine".into(), "/v1/events/999999/routine".into()];
    for path in paths.into_iter().chain(events.iter().map(String::as_str)) {
        for key in &sends {
            // The same for what is there and what is not.
            let refused = server.send(Ask::new("GET", path).key(key)).expect(403);
            assert_eq!(refused.error(), "scope_missing", "{path}");
            assert!(!refused.text().contains("corp.example"), "{}", refused.text());
        }
        server.send(Ask::new("GET", path)).expect(401);
    }
    let asked = server.get("/v1/search?q=entry%3Arecord+action%3A%28who+OR+routine%29").expect(200).json();
    assert_eq!(asked["events"].as_array().unwrap().len(), 0, "nothing was looked for");

    // The sources of a key bind what it may send.
    let reads = server.key(&[Scope::Read], &["app"]);
    let found = server.send(Ask::new("GET", "/v1/search?q=actor%3Aana%40corp.example+OR+target%3Aana%40corp.example").key(&reads));
    let found = found.expect(200).json()["events"].as_array().unwrap().len();
    let told = server.send(Ask::new("GET", paths[0]).key(&reads)).expect(200).json();
    assert_eq!((found, told["lines"].as_array().unwrap().len()), (3, 3));
    server.send(Ask::new("GET", &events[0]).key(&reads)).expect(200);
}
