//! Grants of several sources: what hangs together, and what only looks so.

use indelible::investigate::Deed;
use indelible::investigate::how::{Group, Holder};
use indelible::source::directory::People;

use crate::log::{Log, asked};

fn aws(id: u32, time: &str, actor: &str, action: &str, parameters: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.09","userIdentity":{{"type":"IAMUser","userName":"{actor}@corp.example","accountId":"1"}},"eventTime":"{time}","eventSource":"iam.amazonaws.com","eventName":"{action}","sourceIPAddress":"198.51.100.23","userAgent":"aws-cli/2.15","requestParameters":{{{parameters}}},"eventID":"{id}","eventType":"AwsApiCall"}}"#
    )
}

fn okta(id: u32, time: &str, actor: &str, to: &str, group: &str) -> String {
    format!(
        r#"{{"actor":{{"id":"00u{actor}","type":"User","alternateId":"{actor}@corp.example","displayName":"{actor}"}},"displayMessage":"Add user to group membership","eventType":"group.user_membership.add","outcome":{{"result":"SUCCESS"}},"published":"{time}","severity":"INFO","transaction":{{"type":"WEB","id":"t{id}","detail":{{}}}},"uuid":"{id}","version":"0","target":[{{"id":"00u{to}","type":"User","alternateId":"{to}@corp.example","displayName":"{to}"}},{{"id":"00g{group}","type":"UserGroup","alternateId":"unknown","displayName":"{group}"}}]}}"#
    )
}

fn google(id: u32, action: &str) -> String {
    format!(
        r#"{{"kind":"admin#reports#activity","id":{{"time":"2026-02-03T04:09:06.789Z","uniqueQualifier":"{id}","applicationName":"admin","customerId":"C"}},"actor":{{"callerType":"USER","email":"root@corp.example","profileId":"1"}},"ipAddress":"192.0.2.60","events":[{{"type":"USER_SETTINGS","name":"{action}","parameters":[{{"name":"USER_EMAIL","value":"ana@corp.example"}}]}}]}}"#
    )
}

fn told(log: &Log, who: &str, privilege: &str) -> Vec<(usize, String)> {
    let steps = log.how(who, privilege).tree.steps;
    steps.into_iter().map(|step| (step.depth, step.event.says)).collect()
}

#[test]
fn a_group_has_what_its_own_source_gave_it_and_not_what_another_gave_one_of_that_name() {
    let log = Log::new(People::default());
    let events = [
        aws(
            1,
            "2026-02-06T07:11:01Z",
            "root",
            "AttachGroupPolicy",
            r#""groupName":"Admins","policyArn":"arn:aws:iam::aws:policy/Everything""#,
        ),
        aws(2, "2026-02-06T07:12:01Z", "ana", "AddUserToGroup", r#""groupName":"Admins","userName":"bob@corp.example""#),
    ];
    log.send("aws", "aws_cloudtrail", events.join("\n").as_bytes());
    log.send("okta", "okta", okta(3, "2026-02-06T07:12:01.500Z", "ana", "carl", "Admins").as_bytes());
    let bob = log.how("bob@corp.example", "everything").tree.steps;
    let group = Holder::Group(Group { source: Some("aws".into()), name: "Admins".into() });
    assert_eq!(bob.iter().map(|step| (step.depth, &step.holder)).collect::<Vec<_>>()[1..], [(1, &group)], "{bob:?}");
    assert_eq!(told(&log, "carl@corp.example", "everything"), []);
    assert_eq!(told(&log, "carl@corp.example", "admins").len(), 1);
}

#[test]
fn what_happened_in_the_second_of_a_source_that_writes_whole_seconds_explains_what_followed() {
    let log = Log::new(People::default());
    log.send("okta", "okta", okta(1, "2026-02-06T07:11:42.481Z", "root", "ana", "AWS-Administrators").as_bytes());
    let gift =
        aws(2, "2026-02-06T07:11:42Z", "ana", "AttachUserPolicy", r#""userName":"bob@corp.example","policyArn":"a/AdministratorAccess""#);
    log.send("aws", "aws_cloudtrail", gift.as_bytes());
    let chain = [
        (0, "ana@corp.example gave bob@corp.example: AdministratorAccess".to_owned()),
        (1, "root@corp.example put ana@corp.example into the group AWS-Administrators".to_owned()),
    ];
    assert_eq!(told(&log, "bob@corp.example", "administrator"), chain);
}

/// Somebody takes on the role `Admin` under a name of their choice, and is given a key.
fn takes_on(id: u32, time: &str, actor: &str, name: &str, key: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.09","userIdentity":{{"type":"IAMUser","userName":"{actor}@corp.example","accountId":"1"}},"eventTime":"{time}","eventSource":"sts.amazonaws.com","eventName":"AssumeRole","requestParameters":{{"roleArn":"arn:aws:iam::1:role/Admin","roleSessionName":"{name}"}},"responseElements":{{"credentials":{{"accessKeyId":"{key}"}},"assumedRoleUser":{{"assumedRoleId":"AROA1:{name}","arn":"arn:aws:sts::1:assumed-role/Admin/{name}"}}}},"eventID":"{id}","eventType":"AwsApiCall"}}"#
    )
}

/// And gives somebody a policy by it.
fn gives_in_session(id: u32, time: &str, name: &str, key: &str, to: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.09","userIdentity":{{"type":"AssumedRole","principalId":"AROA1:{name}","arn":"arn:aws:sts::1:assumed-role/Admin/{name}","accountId":"1","accessKeyId":"{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","arn":"arn:aws:iam::1:role/Admin","userName":"Admin"}}}}}},"eventTime":"{time}","eventSource":"iam.amazonaws.com","eventName":"AttachUserPolicy","requestParameters":{{"userName":"{to}@corp.example","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}},"eventID":"{id}","eventType":"AwsApiCall"}}"#
    )
}

/// Or binds somebody to a role in a cluster.
fn binds_in_session(id: u32, time: &str, name: &str, key: &str, to: &str) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"{id}","stage":"ResponseComplete","requestURI":"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings","verb":"create","user":{{"username":"admins","groups":["system:authenticated"],"extra":{{"accessKeyId":["{key}"],"arn":["arn:aws:sts::1:assumed-role/Admin/{name}"],"sessionName":["{name}"]}}}},"objectRef":{{"resource":"clusterrolebindings","name":"b{id}","apiGroup":"rbac.authorization.k8s.io","apiVersion":"v1"}},"responseStatus":{{"code":201}},"requestObject":{{"kind":"ClusterRoleBinding","subjects":[{{"kind":"User","name":"{to}@corp.example"}}],"roleRef":{{"kind":"ClusterRole","name":"cluster-admin"}}}},"requestReceivedTimestamp":"{time}"}}"#
    )
}

#[test]
fn what_was_done_in_a_session_leads_to_who_opened_it_whatever_they_called_it() {
    let log = Log::new(People::default());
    let events = [
        takes_on(1, "2026-02-06T07:11:01Z", "eve", "backup", "ASIAEVE"),
        // Called the same, and later: only the key says that it is not the one.
        takes_on(2, "2026-02-06T07:12:01Z", "ana", "backup", "ASIAANA"),
        gives_in_session(3, "2026-02-06T07:13:01Z", "backup", "ASIAEVE", "bob"),
    ];
    log.send("aws", "aws_cloudtrail", events.join("\n").as_bytes());
    log.send("eks", "kubernetes_audit", binds_in_session(4, "2026-02-06T07:14:01Z", "backup", "ASIAANA", "carl").as_bytes());
    let says = |log: &Log, who: &str, privilege: &str| told(log, who, privilege).into_iter().map(|(_, says)| says).collect::<Vec<_>>();
    for settled in [false, true] {
        let bob = log.how("bob@corp.example", "administrator").tree;
        assert_eq!(says(&log, "bob@corp.example", "administrator")[1..], ["eve@corp.example took on Admin"], "{settled} {bob:?}");
        let ends: Vec<_> = bob.roots.iter().map(|root| &root.holder).collect();
        assert_eq!(ends, [&Holder::Identity("eve@corp.example".into())], "the session's name is nobody");
        assert_eq!(says(&log, "carl@corp.example", "cluster-admin")[1..], ["ana@corp.example took on Admin"], "{settled}");
        log.settle();
    }
}

#[test]
fn a_change_of_what_an_account_proves_itself_with_is_one_by_whatever_word_a_vendor_has_for_it() {
    let log = Log::new(People::default());
    let words = ["CHANGE_RECOVERY_EMAIL", "ADD_RECOVERY_PHONE", "IMPORT_SSH_PUBLIC_KEY", "CHANGE_PASSWORD", "MOVE_USER_TO_ORG_UNIT"];
    let events: Vec<_> = (0..).zip(words).map(|(id, word)| google(id, word)).collect();
    log.send("google", "google_workspace", events.join("\n").as_bytes());
    let words = ["UpdateAccessKey", "UploadSSHPublicKey", "UploadSigningCertificate", "DeleteLoginProfile", "TagUser"];
    let events: Vec<_> =
        (10..).zip(words).map(|(id, word)| aws(id, "2026-02-06T07:11:42Z", "root", word, r#""userName":"ana@corp.example""#)).collect();
    log.send("aws", "aws_cloudtrail", events.join("\n").as_bytes());
    let mut lines = log.timeline(&asked("ana@corp.example", 100)).lines;
    lines.sort_by_key(|line| line.index);
    let deeds: Vec<_> = lines.iter().map(|line| (line.action.as_deref().unwrap(), line.deed)).collect();
    let others: Vec<_> = deeds.iter().filter(|(_, deed)| *deed != Deed::Credential).copied().collect();
    assert_eq!(deeds.len(), 10, "{deeds:?}");
    assert_eq!(others, [("MOVE_USER_TO_ORG_UNIT", Deed::Account), ("TagUser", Deed::Account)]);
}

#[test]
fn the_first_is_that_which_happened_first_however_late_it_was_imported() {
    let log = Log::new(People::default());
    let send = |ids: std::ops::Range<u32>, month: u32| {
        let events: Vec<_> = ids
            .map(|id| aws(id, &format!("2026-{month:02}-06T07:{:02}:11Z", id % 60), "ana", "GetUser", r#""userName":"ana@corp.example""#))
            .collect();
        log.send("aws", "aws_cloudtrail", events.join("\n").as_bytes());
    };
    send(100..110, 4);
    send(0..10, 2);
    send(200..210, 5);
    log.settle();
    let all = log.naive();
    let few = indelible::investigate::Bounds { matches: 4, ..crate::log::BOUNDS };
    let summary = indelible::investigate::timeline::timeline(&mut log.inquiry(few), &asked("ana@corp.example", 10)).unwrap().summary;
    assert_eq!((summary.events, summary.more), (4, true));
    assert_eq!(summary.first.unwrap().time_ms, all[0].time_ms);
    assert_eq!(summary.last.unwrap().index, all[29].index);
    let habits = log.routine(all[29].index, few).identity.unwrap().habits;
    assert!(habits.iter().filter(|habit| habit.among.is_none()).all(|habit| habit.first.unwrap().time_ms == all[0].time_ms), "{habits:?}");
}
