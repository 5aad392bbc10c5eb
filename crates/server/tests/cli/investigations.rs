use crate::binary::{Place, Running, run_with_input};

fn event(second: u32, actor: &str, action: &str, target: &str) -> String {
    format!(
        "{{\"eventVersion\":\"1.09\",\"userIdentity\":{{\"type\":\"IAMUser\",\"userName\":\"{actor}\",\"accountId\":\"1\"}},\"eventTime\":\"2026-02-06T07:11:{second:02}Z\",\"eventSource\":\"iam.amazonaws.com\",\"eventName\":\"{action}\",\"sourceIPAddress\":\"198.51.100.23\",\"userAgent\":\"aws-cli/2.15\",\"requestParameters\":{{\"userName\":\"{target}\",\"policyArn\":\"arn:aws:iam::aws:policy/AdministratorAccess\"}},\"eventID\":\"{second}\",\"eventType\":\"AwsApiCall\"}}\n"
    )
}

fn fill(running: &Running) {
    let events = event(1, "root@corp.example", "AttachUserPolicy", "ana@corp.example")
        + &event(2, "ana@corp.example", "AttachUserPolicy", "carl@corp.example").replace("policy/", r"policy/\u001b[2J")
        + &event(3, "ana@corp.example", "AttachUserPolicy", "bob@corp.example");
    run_with_input(&mut running.command(["import", "--source", "aws", "-"]), events.as_bytes()).ok();
}

/// What the log has of questions: name, matches and line of each.
fn questions(place: &Place) -> Vec<(String, u64, String)> {
    let found = place.offline(["search", "entry:record action:(who OR routine)", "--oldest", "--json"]).ok().json();
    let text = |record: &serde_json::Value, name: &str| record[name].as_str().unwrap().to_owned();
    let records = found["events"].as_array().unwrap().iter().map(|event| &event["raw"]);
    records.map(|record| (text(record, "record"), record["hits"].as_u64().unwrap(), text(record, "query"))).collect()
}

#[test]
fn an_identity_is_told_the_same_from_a_server_and_a_directory_and_each_question_is_recorded() {
    let place = Place::new();
    let running = place.serve();
    fill(&running);
    let ask: [&[&str]; 3] = [&["who", "Ana@corp.example"], &["who", "bob@corp.example", "--how", "ADMIN"], &["routine", "4"]];
    let index =
        running.run(["search", "action:AttachUserPolicy target:bob@corp.example", "--json"]).ok().json()["events"][0]["index"].to_string();
    let asked = |args: &[&str]| args.iter().map(|arg| if *arg == "4" { index.clone() } else { (*arg).to_owned() }).collect::<Vec<_>>();
    let told: Vec<_> = ask.iter().map(|args| running.run(asked(args)).ok().out).collect();
    assert!(told[0].contains("ana@corp.example gave bob@corp.example: AdministratorAccess"), "{}", told[0]);
    assert!(told[0].contains("3 events") && told[0].contains("1 addresses: 198.51.100.23 (2)"), "{}", told[0]);
    let reached = told[0].split("\nhow they were reached").nth(1).unwrap().split("\nevents, newest first").next().unwrap();
    assert!(reached.contains("root@corp.example gave ana@corp.example: AdministratorAccess"), "{}", told[0]);
    assert!(reached.contains("= root@corp.example: the log shows nothing given to it before"), "{}", told[0]);
    let nobody = running.run(["who", "nobody@corp.example"]).ok();
    assert!(nobody.out.contains("nobody@corp.example\nno event of it in this log"), "{}", nobody.out);
    assert!(nobody.err.contains("covers a log of"), "{}", nobody.err);
    assert!(told[1].contains("   = root@corp.example: the log shows nothing given to it before"), "{}", told[1]);
    assert!(told[2].contains("never_before") && told[2].contains("1 other did AttachUserPolicy before, 1 time."), "{}", told[2]);
    for told in &told {
        assert!(!told.contains('\u{1b}'), "{told}");
    }
    running.run(["who", "ana", "--since", "yesterday"]).refused("yesterday");
    running.run(["who", "ana", "--how", " "]).refused("name a part");
    running.run(["routine", "0"]).refused("no event");
    assert_eq!(running.stop(), 0);

    let again: Vec<_> = ask.iter().map(|args| place.offline(asked(args)).ok().out).collect();
    assert_eq!(again, told);
    place.offline(["routine", "0"]).refused("no event");
    let mut questions = questions(&place);
    assert_eq!(questions.len(), 7, "what was refused is not recorded: {questions:?}");
    let nobody = questions.remove(3);
    assert_eq!((nobody.0.as_str(), nobody.1), ("who", 0));
    assert_eq!(questions[..3], questions[3..]);
    assert_eq!(questions[0], ("who".into(), 3, "actor:ana@corp.example OR target:ana@corp.example".into()));
    assert_eq!((questions[1].0.as_str(), questions[1].1), ("who", 2));
    assert!(questions[1].2.starts_with(&format!("index:({index} OR ")), "{questions:?}");
    assert_eq!(questions[2], ("routine".into(), 1, format!("index:{index}")));
}
