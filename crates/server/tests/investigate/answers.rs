//! Of random events, what looking at each would tell; and what is said of what was not looked at.

use std::cmp::Reverse;
use std::time::Duration;

use indelible::intake::Network;
use indelible::investigate::how::how;
use indelible::investigate::moment::Moment;
use indelible::investigate::routine::{Habit, Verdict, What};
use indelible::investigate::timeline::{Asked, timeline};
use indelible::investigate::{Bounds, Line};
use indelible::source::directory::{People, add};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::log::{BOUNDS, DAY, Log, NOW, asked};

const PEOPLE: [&str; 3] = ["person0@corp.example", "person1@corp.example", "person2@corp.example"];

/// Events of a few people under several names, in no order of time.
fn cloudtrail() -> impl Strategy<Value = String> {
    let who = prop::sample::select(vec!["person0", "P0", "person1@corp.example", "person2@corp.example"]);
    let to = prop::sample::select(vec!["person0@corp.example", "p0", "person1@corp.example", "person2@corp.example"]);
    let what = prop::sample::select(vec![
        ("iam", "AttachUserPolicy"),
        ("iam", "DetachUserPolicy"),
        ("iam", "AddUserToGroup"),
        ("iam", "CreateAccessKey"),
        ("iam", "DeleteUser"),
        ("signin", "ConsoleLogin"),
        ("s3", "GetObject"),
        ("s3", "PutBucketPolicy"),
    ]);
    let agent = prop::sample::select(vec!["aws-cli/2.1", "aws-cli/2.2", "Boto3/1.9", "Mozilla/5.0 (X11; Linux) Firefox/9"]);
    (who, to, what, agent, 0..20_i64 * DAY, 0..3_u8, 0..4_u8, any::<u32>()).prop_map(|(who, to, (service, what), agent, ms, net, host, id)| {
        let time = indelible::search::instant::format(NOW as i64 - 30 * DAY + ms / 1000 * 1000);
        let failed = if id % 5 == 0 { r#","errorCode":"AccessDenied""# } else { "" };
        format!(
            r#"{{"eventVersion":"1.09","userIdentity":{{"type":"IAMUser","userName":"{who}","accountId":"1"}},"eventTime":"{time}","eventSource":"{service}.amazonaws.com","eventName":"{what}","sourceIPAddress":"10.0.{net}.{host}","userAgent":"{agent}","requestParameters":{{"userName":"{to}","groupName":"g","policyArn":"arn:aws:iam::aws:policy/Admin","bucketName":"b"}},"eventID":"{id}","eventType":"AwsApiCall"{failed}}}"#
        )
    })
}

fn drawn(count: usize, settled: bool) -> Log {
    let mut people = People::default();
    add(&mut people, "person0@corp.example", ["p0", "person0"], Some("Person Zero"), "here").unwrap();
    let log = Log::new(people);
    let mut random = TestRunner::deterministic();
    for part in 0..3 {
        let events: Vec<_> = (0..count / 3).map(|_| cloudtrail().new_tree(&mut random).unwrap().current()).collect();
        log.send("aws", "aws_cloudtrail", events.join("\n").as_bytes());
        log.trail.log().record_blocking(format!(r#"{{"record":"test.note","part":{part},"v":1}}"#).as_bytes()).unwrap();
        if settled && part == 1 {
            log.settle();
        }
    }
    log
}

#[test]
fn a_timeline_is_what_looking_at_every_event_would_tell_page_by_page_too() {
    for log in [drawn(240, false), drawn(240, true)] {
        let all = log.naive();
        for identity in PEOPLE {
            let concerns = |line: &&Line| [&line.actor, &line.target].into_iter().flatten().any(|name| name == identity);
            let mut naive: Vec<Line> = all.iter().filter(concerns).cloned().collect();
            naive.sort_by_key(|line| Reverse(Moment::of(line)));
            assert!(naive.len() > 20, "{identity}");
            let told = log.timeline(&asked(identity, 1_000));
            assert_eq!(told.lines, naive);
            let (first, last) = (naive.last().unwrap(), naive.first().unwrap());
            assert_eq!(told.summary.first.unwrap().index, first.index);
            assert_eq!(told.summary.last.unwrap().index, last.index);
            assert_eq!((told.summary.events, told.summary.more, told.next.as_deref()), (naive.len(), false, None));
            let did: u64 = told.summary.deeds.iter().map(|count| count.did + count.done_to_it).sum();
            assert_eq!(did, naive.len() as u64);
            let (mut pages, mut question) = (Vec::new(), asked(identity, 7));
            loop {
                let page = log.timeline(&question);
                pages.extend(page.lines);
                match page.next {
                    Some(next) => question.behind = Some(next.parse().unwrap()),
                    None => break,
                }
            }
            assert_eq!(pages, naive);
            let span = Asked { since: Some("25d".into()), until: Some("20d".into()), ..asked(identity, 1_000) };
            let within = |line: &Line| (NOW as i64 - 25 * DAY..NOW as i64 - 20 * DAY).contains(&line.time_ms);
            assert_eq!(log.timeline(&span).lines, naive.iter().filter(|line| within(line)).cloned().collect::<Vec<_>>());
        }
        // Any of its names will do.
        assert_eq!(log.timeline(&asked(" P0 ", 5)).identity, "person0@corp.example");
        assert_eq!(log.timeline(&asked("person0", 5)).display.as_deref(), Some("Person Zero"));
        assert_eq!(log.timeline(&asked("nobody@corp.example", 5)).summary.events, 0);
    }
}

fn naive_count(all: &[Line], of: &Line, what: What) -> Vec<Moment> {
    let net: Option<Network> = of.ip.as_deref().map(|ip| format!("{}.0/24", ip.rsplit_once('.').unwrap().0).parse().unwrap());
    let hour = |line: &Line| line.time_ms.rem_euclid(DAY) / 3_600_000;
    let target = of.target.clone().filter(|target| Some(target) != of.actor.as_ref());
    let same = |line: &&Line| match what {
        What::Action => line.action == of.action,
        What::ActionOnIt if target.is_some() => line.action == of.action && line.target == target,
        What::ActionOnIt => line.action == of.action && of.resource.is_some() && line.resource == of.resource,
        What::Network => line.ip.as_deref().is_some_and(|ip| net.unwrap().holds(ip.parse().unwrap())),
        What::Device => line.device == of.device,
        What::Hour => hour(line) == hour(of),
        What::Country | What::Asn => unreachable!("these events have none"),
    };
    let before = |line: &&Line| line.is_telling() && line.time_ms < of.time_ms;
    all.iter().filter(before).filter(same).map(Moment::of).collect()
}

fn is_naive(habit: &Habit, all: &[Line], of: &Line) {
    let naive = naive_count(all, of, habit.what);
    assert_eq!(habit.count, naive.len() as u64, "{habit:?} {of:?}");
    assert!(habit.exact);
    assert_eq!(habit.first.map(|seen| seen.index), naive.iter().min().map(|moment| moment.index), "{habit:?}");
    assert_eq!(habit.last.map(|seen| seen.index), naive.iter().max().map(|moment| moment.index), "{habit:?}");
    assert_eq!(habit.verdict == Verdict::NeverBefore, naive.is_empty(), "{habit:?}");
}

#[test]
fn a_history_is_what_counting_every_earlier_event_would_tell() {
    let log = drawn(240, true);
    let all = log.naive();
    for of in all.iter().step_by(7) {
        let told = log.routine(of.index, BOUNDS);
        let (own, others): (Vec<Line>, Vec<Line>) = all.iter().cloned().partition(|line| line.actor == of.actor);
        let identity = told.identity.unwrap();
        identity.habits.iter().for_each(|habit| is_naive(habit, &own, of));
        let earlier = own.iter().filter(|line| line.is_telling() && line.time_ms < of.time_ms).count();
        assert_eq!((identity.events, identity.exact), (earlier as u64, true));
        let peers = told.peers.unwrap();
        let others: Vec<Line> = others.into_iter().filter(|line| line.action == of.action).collect();
        assert_eq!(peers.events, naive_count(&others, of, What::Action).len() as u64);
        peers.habits.iter().for_each(|habit| is_naive(habit, &others, of));
    }
}

#[test]
fn what_is_not_looked_at_for_want_of_time_or_number_is_said() {
    let log = drawn(90, true);
    let last = log.naive().last().unwrap().index;
    let no_time = Bounds { time: Duration::ZERO, ..BOUNDS };
    let told = timeline(&mut log.inquiry(no_time), &asked(PEOPLE[0], 10)).unwrap();
    assert!(told.covered.out_of_time && !told.covered.complete && told.summary.more);
    let told = log.routine(last, no_time);
    assert_eq!(told.verdict, Verdict::Unknown);
    assert!(told.says.contains("not the time"), "{}", told.says);
    assert!(how(&mut log.inquiry(no_time), PEOPLE[0], "admin").unwrap().tree.more);

    let few_read = timeline(&mut log.inquiry(Bounds { entries: 1, ..BOUNDS }), &asked(PEOPLE[0], 10)).unwrap();
    assert!(few_read.covered.out_of_time);

    let few = Bounds { matches: 4, ..BOUNDS };
    let told = timeline(&mut log.inquiry(few), &asked(PEOPLE[0], 10)).unwrap();
    assert!((told.summary.events, told.summary.more, told.covered.complete) == (4, true, true));
    let of_all = log.timeline(&asked(PEOPLE[0], 1_000));
    assert_eq!((told.summary.first, told.summary.last), (of_all.summary.first, of_all.summary.last));
    let told = log.routine(last, few);
    let identity = told.identity.unwrap();
    assert_eq!((identity.events, identity.exact), (4, false));
    assert!(identity.habits.iter().any(|habit| habit.among == Some(4) && !habit.exact));
    assert!(told.says.contains("at least 4 earlier events"), "{}", told.says);
}

#[test]
fn what_cannot_be_read_is_listed_and_told() {
    let log = drawn(90, true);
    // The newest is not in a file yet.
    let last = log.naive().iter().map(|line| line.index).max().unwrap();
    let file = log.trail.view().state.payload_files.values().next().unwrap().clone();
    let path = log.dir.path().join("trail").join(file.name());
    std::fs::remove_file(path).unwrap();
    let told = log.timeline(&asked(PEOPLE[0], 10));
    assert!(!told.covered.complete && !told.covered.unreadable.is_empty());
    let told = log.routine(last, BOUNDS);
    assert!(!told.covered.complete && told.says.contains("could not be read"), "{}", told.says);
}
