#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

use std::collections::BTreeMap;

use evidence::act::Setting;

use super::*;

fn act(kind: &str, settings: &[(&str, Setting)], secrets: &[&str]) -> ConnectionAct {
    ConnectionAct {
        name: "c".into(),
        kind: kind.into(),
        source: 1,
        settings: settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        secrets: secrets.iter().map(|name| ((*name).to_owned(), "env:X".parse().unwrap())).collect(),
        enabled: true,
    }
}

fn text(text: &str) -> Setting {
    Setting::Text(text.to_owned())
}

fn good() -> Vec<ConnectionAct> {
    vec![
        act("poll.okta", &[("url", text("https://x.okta.com"))], &["token"]),
        act("poll.entra", &[("tenant", text("contoso.example")), ("client_id", text("a"))], &["client_secret"]),
        act("poll.github", &[("organization", text("acme"))], &["token"]),
        act("poll.cloudtrail", &[("bucket", text("logs")), ("region", text("eu-central-1"))], &[]),
        act(
            "poll.cloudtrail",
            &[
                ("bucket", text("logs")),
                ("region", text("eu-central-1")),
                ("queue_url", text("https://sqs.eu-central-1.amazonaws.com/1/q")),
                ("accounts", Setting::List(vec!["111122223333".into()])),
                ("public_keys", Setting::List(vec!["ab12:AAAA".into()])),
            ],
            &["access_key_id", "secret_access_key"],
        ),
    ]
}

fn said(act: &ConnectionAct) -> String {
    Wanted::read(act).unwrap_err().to_string()
}

#[test]
fn the_least_settings_of_each_kind_are_enough() {
    for act in good() {
        Wanted::read(&act).unwrap_or_else(|why| panic!("{}: {why}", act.kind));
    }
}

#[test]
fn a_missing_setting_or_secret_is_named_with_what_it_is() {
    for act in good() {
        for name in
            act.settings.keys().filter(|name| ["url", "tenant", "client_id", "organization", "bucket", "region"].contains(&name.as_str()))
        {
            let mut less = act.clone();
            less.settings.remove(name);
            assert!(said(&less).contains(&format!("`{name}`")), "{}", said(&less));
        }
        for name in act.secrets.keys() {
            let mut less = act.clone();
            less.secrets.remove(name);
            assert!(said(&less).contains(&format!("needs the secret `{name}`")), "{}", said(&less));
        }
    }
}

#[test]
fn a_setting_that_does_nothing_is_refused_with_those_that_do() {
    for act in good() {
        let mut more = act.clone();
        more.settings.insert("intervall".into(), Setting::Integer(5));
        assert!(said(&more).contains("no setting `intervall`: it has ") && said(&more).contains("interval_s"), "{}", said(&more));
        let mut more = act;
        more.secrets.insert("tokken".into(), "env:X".parse().unwrap());
        assert!(said(&more).contains("`tokken`"), "{}", said(&more));
    }
}

#[test]
fn a_wrong_value_says_what_to_write_instead() {
    let wrong = |kind: usize, name: &str, value: Setting, because: &str| {
        let mut act = good().remove(kind);
        act.settings.insert(name.to_owned(), value);
        assert!(said(&act).contains(because), "{name}: {}", said(&act));
    };
    wrong(0, "url", text("http://x.okta.com"), "https");
    wrong(0, "url", Setting::Integer(3), "must be a text");
    wrong(0, "token_type", text("basic"), "neither `ssws`");
    wrong(0, "interval_s", Setting::Integer(1), "from 5 to 3600");
    wrong(0, "late_minutes", Setting::Integer(5_000), "from 0 to 1380");
    wrong(0, "start", text("yesterday"), "2026-01-31T00:00:00Z");
    wrong(1, "tenant", text("a/b"), "neither a directory id");
    wrong(1, "logs", Setting::List(vec!["signins".into()]), "there are signIns");
    wrong(1, "login_url", text("http://login.example"), "https");
    wrong(2, "organization", text("a/../b"), "letters, digits");
    wrong(2, "enterprise", text("e"), "one of the two");
    wrong(3, "bucket", text("s3://logs"), "without s3://");
    wrong(3, "region", text("Frankfurt"), "no region");
    wrong(3, "accounts", Setting::List(vec!["12".into()]), "12 digits");
    wrong(3, "queue_url", text("http://sqs.example/1/q"), "https");
    wrong(3, "public_keys", text("x"), "FINGERPRINT:VALUE");
    wrong(3, "check_digests", text("yes"), "true or false");
}

#[test]
fn a_kind_that_does_not_poll_is_refused_with_those_that_do() {
    assert!(said(&act("poll.myspace", &[], &[])).contains("poll.okta, poll.entra, poll.github, poll.cloudtrail, kafka"));
}

#[test]
fn a_cursor_belongs_to_the_source_that_the_settings_name() {
    let of = |act: &ConnectionAct| Wanted::read(act).unwrap().of;
    let okta = good().remove(0);
    let mut slower = okta.clone();
    slower.settings.insert("interval_s".into(), Setting::Integer(60));
    slower.secrets = BTreeMap::from([("token".to_owned(), "file:other".parse().unwrap())]);
    assert_eq!(of(&okta), of(&slower));
    let mut other = okta.clone();
    other.settings.insert("url".into(), text("https://y.okta.com"));
    assert_ne!(of(&okta), of(&other));
}

#[test]
#[cfg(feature = "kafka")]
fn kafka_needs_brokers_and_a_topic_and_says_how_it_is_secured() {
    let least = [("brokers", text("a:9093,b:9093")), ("topic", text("t"))];
    assert!(Wanted::read(&act("kafka", &least, &[])).is_ok());
    let with = |more: &[(&str, Setting)], secrets: &[&str]| {
        Wanted::read(&act("kafka", &[&least[..], more].concat(), secrets)).map(drop).map_err(|why| why.to_string())
    };
    let hub = [("security", text("password")), ("username", text("$ConnectionString"))];
    assert_eq!(with(&hub, &["password"]), Ok(()));
    assert!(with(&hub, &[]).unwrap_err().contains("needs the secret `password`"));
    assert!(with(&[("security", text("ssl"))], &[]).unwrap_err().contains("none of plaintext, tls, password"));
    let token =
        [("security", text("token")), ("token_url", text("http://login.example/t")), ("client_id", text("c")), ("scope", text("s"))];
    assert!(with(&token, &["client_secret"]).unwrap_err().contains("https"));
}

#[test]
#[cfg(not(feature = "kafka"))]
fn without_the_feature_kafka_is_refused_with_how_to_get_it() {
    assert!(said(&act("kafka", &[], &[])).contains("--features kafka"));
}
