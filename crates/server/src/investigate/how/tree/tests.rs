#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::investigate::how::{Group, is_before, is_gain_of};
use crate::investigate::session::Session;

/// A grant: who gave what to whom, or with a group.
#[derive(Clone, Debug)]
struct Grant {
    time_ms: i64,
    by: Option<String>,
    to: Option<String>,
    group: Option<String>,
    deed: Deed,
    source: &'static str,
}

/// One who is called like this acts in a session, which an assumption of the name opens.
fn session(name: &str) -> Session {
    Session { credential: None, uids: vec![name.to_owned()] }
}

fn line(index: u64, grant: &Grant) -> Line {
    Line {
        index,
        time_ms: grant.time_ms,
        source: Some(grant.source.to_owned()),
        deed: grant.deed,
        failed: false,
        unsaid: false,
        actor: grant.by.clone(),
        target: grant.to.clone(),
        action: None,
        privileges: Vec::new(),
        group: grant.group.clone(),
        resource: None,
        ip: None,
        country: None,
        session: None,
        acted_in: grant.by.as_deref().filter(|by| by.starts_with('s')).map(session),
        opened: grant.to.as_deref().filter(|to| grant.deed == Deed::Assumed && to.starts_with('s')).map(session),
        device: None,
        says: String::new(),
    }
}

/// The tree, and how often it was looked for something.
fn grown(lines: &[Line], holder: &Holder) -> (Tree, usize) {
    let gains = |Question { holder, event }: &Question| {
        let earlier = lines.iter().filter(|line| event.as_ref().is_none_or(|event| is_before(line, event)) && is_gain_of(holder, line));
        Gains::of(earlier.cloned().collect(), false)
    };
    let mut asked = 0;
    let mut lookup = |questions: &[Question]| {
        asked += 1;
        Ok::<_, Infallible>(questions.iter().map(gains).collect())
    };
    let tree = tree(holder, gains(&Question { holder: holder.clone(), event: None }), &mut lookup).unwrap();
    (tree, asked)
}

fn person(name: &str) -> Option<String> {
    Some(name.to_owned())
}

fn grants() -> impl Strategy<Value = Vec<Grant>> {
    let name = || prop_oneof![1 => Just(None), 9 => "[a-d]|s[12]".prop_map(Some)];
    let group = prop_oneof![4 => Just(None), 1 => "[gh]".prop_map(Some)];
    let deed = prop::sample::select(vec![Deed::Gained, Deed::Assumed, Deed::Credential]);
    let grant = (0..30_i64, name(), name(), group, deed, prop::sample::select(vec!["okta", "aws"]));
    let grant = grant.prop_map(|(tenth, by, to, group, deed, source)| {
        // One of the two writes whole seconds.
        let time_ms = if source == "aws" { tenth / 10 * 1_000 } else { tenth * 100 };
        Grant { time_ms, by, to, group, deed, source }
    });
    prop::collection::vec(grant, 0..120)
}

proptest! {
    #[test]
    fn a_tree_ends_is_bounded_and_goes_back_in_time_whatever_the_grants_are(grants in grants()) {
        let lines: Vec<_> = grants.iter().zip(0..).map(|(grant, index)| line(index, grant)).collect();
        let (tree, asked) = grown(&lines, &Holder::Identity("a".into()));
        prop_assert!(tree.steps.len() <= STEPS_MAX && asked <= DEPTH_MAX);
        let mut path: Vec<&Step> = Vec::new();
        let mut shown = HashSet::new();
        for step in &tree.steps {
            prop_assert!(step.depth < DEPTH_MAX && step.depth <= path.len());
            path.truncate(step.depth);
            if let Some(above) = path.last() {
                prop_assert!(is_before(&step.event, &above.event));
                let giver = above.event.actor.clone().map(Holder::Identity);
                let beside = joined(&above.event).map(Holder::Group);
                let role = above.event.target.clone().map(Holder::Identity);
                let session = above.event.acted_in.clone().map(Holder::Session);
                prop_assert!([giver, beside, role, session].contains(&Some(step.holder.clone())));
                prop_assert!(!above.again, "what explains an event stands there once");
            }
            prop_assert!(is_gain_of(&step.holder, &step.event));
            prop_assert!(step.again || shown.insert(step.event.index), "an event is explained once");
            path.push(step);
        }
        prop_assert!(tree.steps.iter().all(|step| shown.contains(&step.event.index)), "what stands elsewhere stands there");
        // Every branch that ends says why: it goes on, was told already, or has a root.
        for (nth, step) in tree.steps.iter().enumerate() {
            let goes_on = tree.steps.get(nth + 1).is_some_and(|next| next.depth > step.depth);
            let ends = tree.roots.iter().any(|root| root.behind == nth);
            prop_assert!(goes_on || ends || step.again || tree.more, "{:?}", step);
        }
        for root in tree.roots.iter().filter(|root| root.why == Ended::NothingBefore) {
            let event = &tree.steps[root.behind].event;
            prop_assert!(!lines.iter().any(|line| is_before(line, event) && is_gain_of(&root.holder, line)));
        }
    }
}

fn grant(time_ms: i64, by: &str, to: &str) -> Grant {
    Grant { time_ms, by: person(by), to: person(to), group: None, deed: Deed::Gained, source: "okta" }
}

fn person_a() -> Holder {
    Holder::Identity("a".into())
}

fn told(tree: &Tree) -> Vec<(usize, u64)> {
    tree.steps.iter().map(|step| (step.depth, step.event.index)).collect()
}

/// Their number in the log is their place.
fn in_order(grants: &[Grant]) -> Vec<Line> {
    grants.iter().zip(0..).map(|(grant, index)| line(index, grant)).collect()
}

#[test]
fn a_chain_is_told_from_the_last_grant_to_the_root() {
    let lines: Vec<_> = [grant(1, "root", "b"), grant(2, "b", "c"), grant(3, "c", "a")]
        .iter()
        .zip([7, 3, 5])
        .map(|(grant, index)| line(index, grant))
        .collect();
    let (tree, _) = grown(&lines, &person_a());
    assert_eq!(told(&tree), [(0, 5), (1, 3), (2, 7)]);
    assert_eq!((tree.roots.len(), tree.roots[0].behind, &tree.roots[0].holder), (1, 2, &Holder::Identity("root".into())));
    assert_eq!(tree.roots[0].why, Ended::NothingBefore);
}

#[test]
fn two_who_gave_each_other_what_they_have_end_at_the_first_gift() {
    let lines = in_order(&(0..80).map(|n| if n % 2 == 0 { grant(n, "a", "b") } else { grant(n, "b", "a") }).collect::<Vec<_>>());
    let (tree, _) = grown(&lines, &person_a());
    assert!(tree.steps.len() <= STEPS_MAX && tree.more);
    assert!(tree.roots.iter().any(|root| root.why == Ended::Bounded));
}

#[test]
fn many_groups_hide_no_password_that_somebody_else_set() {
    let joins = |time_ms, group: &str| Grant { group: person(group), ..grant(time_ms, "help", "b") };
    let sets = |time_ms| Grant { deed: Deed::Credential, ..grant(time_ms, "help", "b") };
    let mut grants: Vec<_> = (10..40).map(|n| joins(n, &format!("g{n}"))).collect();
    // Each of whom gave it has a long history of their own.
    grants.extend((0..9).map(|n| Grant { group: person(&format!("h{n}")), ..grant(n, "other", "help") }));
    grants.extend([sets(1), sets(2), sets(3), grant(50, "b", "a")]);
    let (tree, _) = grown(&in_order(&grants), &person_a());
    let second: Vec<_> = tree.steps.iter().filter(|step| step.depth == 1).map(|step| step.event.time_ms).collect();
    assert_eq!((second, tree.more), (vec![39, 38, 3, 2], true));
}

#[test]
fn what_is_near_has_its_place_before_what_is_far() {
    // Everybody of a long line had it from the one before, in three ways, twice: more explains it than is shown.
    let mut grants = vec![Grant { deed: Deed::Credential, ..grant(0, "z", "a") }];
    let names: Vec<_> = (0..9).map(|n| if n == 8 { "a".to_owned() } else { format!("p{n}") }).collect();
    for (pair, time_ms) in names.windows(2).zip((1_000..).step_by(10)) {
        for (n, deed) in (0..).zip([Deed::Gained, Deed::Gained, Deed::Assumed, Deed::Assumed, Deed::Credential, Deed::Credential]) {
            grants.push(Grant { deed, ..grant(time_ms + n, &pair[0], &pair[1]) });
        }
    }
    let (tree, _) = grown(&in_order(&grants), &person_a());
    let first: Vec<_> = tree.steps.iter().filter(|step| step.depth == 0).map(|step| Kind::of(&step.event)).collect();
    assert_eq!(first, [Kind::Given, Kind::Given, Kind::TakenOn, Kind::TakenOn, Kind::Credential, Kind::Credential]);
    assert!(tree.more);
}

#[test]
fn a_group_that_was_joined_is_explained_by_what_the_group_was_given() {
    let joins = Grant { group: person("Admins"), ..grant(5, "help", "a") };
    let given = Grant { to: None, group: person("admins"), ..grant(2, "root", "") };
    let (tree, _) = grown(&in_order(&[joins, given]), &person_a());
    assert_eq!(tree.steps[1].holder, Holder::Group(Group { source: person("okta"), name: "Admins".into() }));
    assert_eq!(tree.steps[1].event.index, 1);
}

#[test]
fn a_group_of_the_same_name_in_another_source_is_another() {
    let joins = Grant { group: person("admins"), ..grant(5, "help", "a") };
    let given = Grant { to: None, group: person("admins"), source: "aws", ..grant(0, "root", "") };
    let (tree, _) = grown(&in_order(&[joins, given]), &person_a());
    assert_eq!(told(&tree), [(0, 0)]);
}

#[test]
fn a_role_taken_on_is_explained_by_what_the_role_was_given() {
    let takes = Grant { deed: Deed::Assumed, ..grant(5, "a", "role") };
    let (tree, _) = grown(&in_order(&[takes, grant(2, "root", "role")]), &person_a());
    let told: Vec<_> = tree.steps.iter().map(|step| (step.depth, step.event.index, &step.holder)).collect();
    assert_eq!(told, [(0, 0, &person_a()), (1, 1, &Holder::Identity("role".into()))]);
    // Who took it on has nothing before, and neither has the role's giver.
    assert_eq!(tree.roots.iter().map(|root| root.behind).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn an_event_that_names_nobody_ends_its_branch() {
    let (tree, _) = grown(&in_order(&[Grant { by: None, ..grant(5, "", "a") }]), &person_a());
    assert_eq!(tree.roots[0].why, Ended::NobodyNamed);
}

#[test]
fn within_a_second_the_order_of_the_log_decides_between_a_source_that_writes_ms_and_one_that_does_not() {
    let (fine, coarse) = (grant(12_700, "root", "b"), Grant { source: "aws", ..grant(12_000, "b", "a") });
    let (tree, _) = grown(&in_order(&[fine.clone(), coarse.clone()]), &person_a());
    assert_eq!(told(&tree), [(0, 1), (1, 0)]);
    let (tree, _) = grown(&in_order(&[coarse.clone(), fine]), &person_a());
    assert_eq!(told(&tree), [(0, 0)]);
    // A second later is later, whatever the log says; and one source's own times are taken as they are.
    let (tree, _) = grown(&in_order(&[grant(13_000, "root", "b"), coarse]), &person_a());
    assert_eq!(told(&tree), [(0, 1)]);
    let (tree, _) = grown(&in_order(&[grant(12_300, "b", "a"), grant(12_200, "root", "b")]), &person_a());
    assert_eq!(told(&tree), [(0, 0), (1, 1)]);
}

#[test]
fn what_was_done_in_a_session_is_explained_by_who_opened_it_and_not_by_its_name() {
    let opens = |time_ms, by: &str, to: &str| Grant { deed: Deed::Assumed, ..grant(time_ms, by, to) };
    let lines = in_order(&[grant(1, "root", "b"), opens(2, "b", "s1"), opens(3, "d", "s2"), grant(4, "s1", "a")]);
    // What a session is called says nothing of who it is.
    let unlike = |line: Line| Line { target: line.target.filter(|_| line.deed != Deed::Assumed), ..line };
    let (tree, _) = grown(&lines.into_iter().map(unlike).collect::<Vec<_>>(), &person_a());
    assert_eq!(told(&tree), [(0, 3), (1, 1), (2, 0)]);
    assert_eq!(tree.steps[1].holder, Holder::Session(session("s1")));
    assert_eq!(tree.roots.iter().map(|root| &root.holder).collect::<Vec<_>>(), [&Holder::Identity("root".into())]);
}
