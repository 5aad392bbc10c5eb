//! The synthetic trail: the same bytes everywhere, records that our own maps know, and an incident in it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use aws_lc_rs::digest::{Context, SHA256};
use indelible::source::{Catalog, Scratch};
use indelible::synth::{EVENTS_MIN, IDENTITIES, Plan, Source, Synth, SynthError};
use proptest::prelude::*;
use serde_json::Value;

const EVENTS: u64 = 10_000;

fn synth(events: u64, seed: u64) -> Synth {
    Synth::new(Plan::new(events, seed)).unwrap()
}

fn record(synth: &Synth, number: u64) -> (Source, u64, Vec<u8>) {
    let mut record = Vec::new();
    let made = synth.event(number, &mut record).unwrap();
    (made.source, made.time_ms, record)
}

fn records(synth: &Synth) -> impl Iterator<Item = (Source, u64, Vec<u8>)> + '_ {
    (0..synth.plan().events).map(|number| record(synth, number))
}

fn hash(bodies: impl IntoIterator<Item = Vec<u8>>) -> String {
    let mut hash = Context::new(&SHA256);
    for body in bodies {
        hash.update(&body);
    }
    tlog::canonical::hex(hash.finish().as_ref())
}

/// Changes only on purpose: measurements of different days are of the same bytes.
#[test]
fn the_same_seed_gives_the_same_bytes_on_every_machine() {
    let trail = synth(3_000, 1);
    assert_eq!(
        hash(trail.slice(0..3_000).unwrap().into_iter().map(|(_, body)| body)),
        "df343b253d8547de6b3d9ccbcb14fc98dd23dfda929a5865140a670ae1cbc032"
    );
    assert_eq!(hash([trail.directory().unwrap()]), "591d763d789c49df1600f85536ff86f7633c5f62d8b66878833985c255ce88fe");
}

#[test]
fn another_seed_gives_another_trail() {
    let (one, two) = (synth(EVENTS_MIN, 1), synth(EVENTS_MIN, 2));
    let same = (0..EVENTS_MIN).filter(|number| record(&one, *number) == record(&two, *number)).count();
    assert_eq!(same, 0);
    assert_ne!(one.people()[7].email, two.people()[7].email);
}

#[test]
fn a_trail_in_shards_is_the_trail() {
    let trail = synth(5_000, 9);
    let whole = trail.slice(0..5_000).unwrap();
    let mut parts: Vec<_> = whole.iter().map(|(source, _)| (*source, Vec::new())).collect();
    for (from, to) in [(0, 1), (1, 1_500), (1_500, 1_500), (1_500, 5_000)] {
        for ((_, part), (_, more)) in parts.iter_mut().zip(trail.slice(from..to).unwrap()) {
            part.extend(more);
        }
    }
    assert!(whole == parts);
}

#[test]
fn every_record_is_known_as_its_kind_and_becomes_an_event_of_a_class() {
    let (catalog, mut scratch) = (Catalog::built_in(), Scratch::default());
    let trail = synth(EVENTS, 3);
    let people: HashSet<&str> = trail.people().iter().flat_map(|person| [person.email.as_str(), person.login.as_str()]).collect();
    let mut classes = BTreeMap::<(Source, String), u64>::new();
    for (source, time_ms, record) in records(&trail) {
        let text = String::from_utf8_lossy(&record).into_owned();
        let known = catalog.recognise(&record).unwrap_or_else(|| panic!("not recognised: {text}"));
        assert_eq!(known.kind.name, source.name(), "{text}");
        let mapped = catalog.map(&record, Some(source.name()), 0, &mut scratch);
        let ocsf: Value = serde_json::from_slice(&mapped.ocsf).unwrap();
        assert_ne!(ocsf["class_uid"], 0, "{text}");
        // GitHub does not say how a single sign-on ended.
        assert!(ocsf["status_id"] == 1 || ocsf["status_id"] == 2 || text.contains("org.sso_response"), "{text}\n{ocsf}");
        // CloudTrail writes whole seconds.
        let rounded = if source == Source::AwsCloudtrail { time_ms / 1_000 * 1_000 } else { time_ms };
        assert_eq!(ocsf["time"], rounded, "{text}");
        let actor = mapped.actor.unwrap_or_default();
        assert!(people.contains(actor.as_str()) || actor.ends_with(".amazonaws.com"), "{actor}: {text}");
        *classes.entry((source, ocsf["class_name"].as_str().unwrap().to_owned())).or_default() += 1;
    }
    println!("{classes:#?}");
    for source in Source::ALL {
        let of_source: BTreeSet<_> = classes.keys().filter(|(known, _)| *known == source).collect();
        assert!(of_source.len() >= 3, "{source}: {of_source:?}");
    }
}

#[test]
fn a_trail_is_as_mixed_as_a_real_one() {
    let trail = synth(EVENTS, 5);
    let (mut sources, mut actors, mut ids) = (HashMap::<Source, u64>::new(), HashMap::<String, u64>::new(), HashSet::new());
    let (mut bytes, mut last_ms, mut failures) = (0, 0, 0);
    let mut countries = HashMap::<String, u64>::new();
    for (source, time_ms, record) in records(&trail) {
        assert!(time_ms >= last_ms, "times increase");
        last_ms = time_ms;
        bytes += record.len();
        *sources.entry(source).or_default() += 1;
        let value: Value = serde_json::from_slice(&record).unwrap();
        let text = |path: &str| value.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let (id, actor, country, failed) = match source {
            Source::AwsCloudtrail => (text("/eventID"), text("/userIdentity/userName"), None, text("/errorMessage").is_some()),
            Source::Okta => {
                let country = text("/client/geographicalContext/country");
                (text("/uuid"), text("/actor/alternateId"), country, text("/outcome/result").unwrap() == "FAILURE")
            }
            Source::EntraId => (
                text("/id"),
                text("/userPrincipalName"),
                text("/location/countryOrRegion"),
                value["status"]["errorCode"].as_u64() > Some(0),
            ),
            Source::GoogleWorkspace => (
                text("/id/uniqueQualifier"),
                text("/actor/email"),
                text("/networkInfo/regionCode"),
                text("/events/0/name").unwrap() == "login_failure",
            ),
            Source::GithubAudit => (
                text("/_document_id"),
                text("/external_identity_nameid"),
                text("/actor_location/country_code"),
                text("/action").unwrap().contains("failed"),
            ),
        };
        assert!(ids.insert((source, id.unwrap())), "an id is met once");
        if let Some(actor) = actor {
            *actors.entry(actor).or_default() += 1;
        }
        if let Some(country) = country {
            *countries.entry(country).or_default() += 1;
        }
        failures += u64::from(failed);
    }
    println!("{sources:?}, {} bytes each, {failures} failures, {} actors, {countries:?}", bytes / EVENTS as usize, actors.len());
    assert_eq!(sources.len(), 5);
    assert!((950..1_150).contains(&(bytes / EVENTS as usize)), "{} bytes each", bytes / EVENTS as usize);
    assert!((150..750).contains(&failures), "{failures} failures");
    assert!(countries.len() >= 15 && countries.values().max() < Some(&(EVENTS / 2)), "{countries:?}");
    let mut counts: Vec<u64> = actors.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let sum: u64 = counts.iter().sum();
    let busiest: u64 = counts.iter().take(counts.len() / 10).sum();
    assert!(busiest * 10 > sum * 4 && counts[0] * 20 < sum, "a tenth of {} does {busiest} of {sum}, the first {}", counts.len(), counts[0]);
}

#[test]
fn someone_is_mostly_where_they_always_are() {
    let trail = Synth::new(Plan { sources: vec![Source::Okta], ..Plan::new(8_000, 11) }).unwrap();
    let mut places = HashMap::<String, HashMap<String, u64>>::new();
    for (_, _, record) in records(&trail) {
        let value: Value = serde_json::from_slice(&record).unwrap();
        if value["outcome"]["result"] == "SUCCESS" {
            let text = |path: &str| value.pointer(path).unwrap().as_str().unwrap().to_owned();
            *places.entry(text("/actor/alternateId")).or_default().entry(text("/client/geographicalContext/city")).or_default() += 1;
        }
    }
    let (mut usual, mut all) = (0, 0);
    for cities in places.values().filter(|cities| cities.values().sum::<u64>() >= 10) {
        usual += cities.values().max().unwrap();
        all += cities.values().sum::<u64>();
    }
    assert!(all > 300 && usual * 100 > all * 97 && usual < all, "{usual} of {all}");
}

#[test]
fn the_incident_is_told_in_order_by_events_of_their_time() {
    for events in [EVENTS_MIN, EVENTS] {
        let trail = synth(events, 1);
        let steps = trail.story();
        assert_eq!(steps.len(), 21);
        assert!(steps.is_sorted_by(|one, next| one.event < next.event));
        let told = |step: usize| String::from_utf8(record(&trail, steps[step].event).2).unwrap();
        for (step, words) in [
            (0, ["user.session.start", "INVALID_CREDENTIALS"]),
            (4, ["auth_via_mfa", "\"result\":\"SUCCESS\""]),
            (8, ["AWS-Administrators", "tobias.wren@corp.example"]),
            (15, ["CreateAccessKey", "svc-backup@corp.example"]),
            (16, ["AttachUserPolicy", "policy/AdministratorAccess"]),
            (18, ["PutBucketPolicy", "999988887777"]),
            (20, ["StopLogging", "svc-backup@corp.example"]),
        ] {
            assert!(words.iter().all(|word| told(step).contains(word)), "step {step}: {}", told(step));
        }
        assert!((0..21).all(|step| told(step).contains("\"203.0.113.66\"")), "all of it from one address");
        let others = records(&trail).enumerate().filter(|(number, _)| steps.iter().all(|step| step.event != *number as u64));
        assert_eq!(others.filter(|(_, (_, _, record))| String::from_utf8_lossy(record).contains("203.0.113.")).count(), 0);
        let begins = trail.plan().end_ms - 30 * 86_400_000;
        let minutes = (record(&trail, steps[20].event).1 - begins) / 60_000;
        assert!(events == EVENTS_MIN || (78..=78 + 24 * 60).contains(&minutes), "{minutes}");
    }
}

#[test]
fn identities_are_the_same_people_in_all_sources() {
    let trail = synth(EVENTS_MIN, 4);
    let emails: HashSet<_> = trail.people().iter().map(|person| &person.email).collect();
    let logins: HashSet<_> = trail.people().iter().map(|person| &person.login).collect();
    assert_eq!((emails.len(), logins.len()), (IDENTITIES as usize, IDENTITIES as usize));
    let directory = String::from_utf8(trail.directory().unwrap()).unwrap();
    let people = indelible::source::directory::parse_csv(directory.as_bytes()).unwrap();
    assert_eq!(people.len(), IDENTITIES as usize);
    assert!(people["rhea.castellan@corp.example"].names.iter().any(|name| name == "rhea-castellan"));
    // What the directory says of someone's id at Okta is what stands in records of Okta.
    let (_, _, told) = record(&trail, trail.story()[0].event);
    let value: Value = serde_json::from_slice(&told).unwrap();
    let id = format!("okta:{}", value["actor"]["id"].as_str().unwrap()).to_lowercase();
    assert!(people["rhea.castellan@corp.example"].names.contains(&id), "{id}: {:?}", people["rhea.castellan@corp.example"]);
}

#[test]
fn only_the_sources_asked_for_are_made() {
    let sources = vec![Source::Okta, Source::GithubAudit, Source::Okta];
    let trail = Synth::new(Plan { sources, ..Plan::new(2_000, 1) }).unwrap();
    let found: BTreeSet<Source> = records(&trail).map(|(source, ..)| source).collect();
    assert_eq!(found, BTreeSet::from([Source::Okta, Source::GithubAudit]));
    assert!(trail.story().iter().all(|step| found.contains(&step.source)) && !trail.story().is_empty());
}

#[test]
fn a_plan_that_makes_no_trail_is_refused_in_words() {
    let refused = |plan: Plan| Synth::new(plan).unwrap_err();
    assert!(matches!(refused(Plan::new(EVENTS_MIN - 1, 1)), SynthError::Events(99)));
    assert!(matches!(refused(Plan::new(u64::MAX, 1)), SynthError::Events(_)));
    assert!(matches!(refused(Plan { days: 0, ..Plan::new(1_000, 1) }), SynthError::Days(0)));
    assert!(matches!(refused(Plan { days: u64::MAX, ..Plan::new(1_000, 1) }), SynthError::Days(_)));
    assert!(matches!(refused(Plan { end_ms: 5, ..Plan::new(1_000, 1) }), SynthError::End(5)));
    assert!(matches!(refused(Plan { end_ms: u64::MAX, ..Plan::new(1_000, 1) }), SynthError::End(_)));
    assert!(refused(Plan::new(5, 1)).to_string().contains("100"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Of any plan: JSON, within the span, by the plan's own numbers alone.
    #[test]
    fn any_plan_gives_records_within_its_span(events in EVENTS_MIN..1_000_000_000, seed: u64, days in 1_u64..4_000, end_day in 4_000_u64..100_000, at in 0.0..1.0_f64) {
        let end_ms = end_day * 86_400_000 + seed % 86_400_000;
        let trail = Synth::new(Plan { days, end_ms, ..Plan::new(events, seed) }).unwrap();
        for number in [0, (events as f64 * at) as u64, events - 1] {
            let (_, time_ms, record) = record(&trail, number);
            prop_assert!(serde_json::from_slice::<Value>(&record).is_ok(), "{}", String::from_utf8_lossy(&record));
            prop_assert!((end_ms - days * 86_400_000..end_ms).contains(&time_ms));
        }
    }
}
