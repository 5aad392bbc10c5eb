//! The incident of the shipped synthetic trail (docs/SYNTH.md), told by who, how and routine.

use indelible::investigate::how::{Ended, Holder, Tree};
use indelible::investigate::routine::{Routine, Verdict, What};
use indelible::investigate::{Deed, Line};
use indelible::source::directory::parse_csv;
use indelible::synth::{Plan, Synth};

use crate::log::{BOUNDS, Log, asked};

const STRANGER: &str = "203.0.113.66";
const HELPDESK: &str = "rhea.castellan@corp.example";
const DORMANT: &str = "tobias.wren@corp.example";
const SERVICE: &str = "svc-backup@corp.example";

struct Incident {
    log: Log,
    /// All events, in the order of time.
    all: Vec<Line>,
    /// Those of the incident, in its order.
    story: Vec<Line>,
}

impl Incident {
    fn new(events: u64) -> Self {
        let synth = Synth::new(Plan::new(events, 1)).unwrap();
        let log = Log::new(parse_csv(&synth.directory().unwrap()).unwrap());
        for from in (0..events).step_by(1_000) {
            for (source, body) in synth.slice(from..(from + 1_000).min(events)).unwrap() {
                if !body.is_empty() {
                    log.send(source.name(), source.name(), &body);
                }
            }
        }
        log.settle();
        let all = log.naive();
        let story: Vec<Line> = all.iter().filter(|line| line.ip.as_deref() == Some(STRANGER)).cloned().collect();
        assert_eq!(story.len(), synth.story().len());
        for (line, step) in story.iter().zip(synth.story()) {
            let mut record = Vec::new();
            synth.event(step.event, &mut record).unwrap();
            assert_eq!(log.trail.reader().entry(line.index).unwrap().raw, record, "{}", step.says);
        }
        Self { log, all, story }
    }

    /// The number in the log of the step with this action, to or by somebody.
    fn index(&self, action: &str, who: &str) -> u64 {
        let of = |name: &Option<String>| name.as_deref() == Some(who);
        let mut steps = self.story.iter().filter(|line| line.action.as_deref() == Some(action) && (of(&line.target) || of(&line.actor)));
        steps.next_back().unwrap_or_else(|| panic!("{action} {who}")).index
    }

    fn routine(&self, index: u64) -> Routine {
        self.log.routine(index, BOUNDS)
    }
}

fn told(tree: &Tree) -> Vec<(usize, u64)> {
    tree.steps.iter().map(|step| (step.depth, step.event.index)).collect()
}

#[test]
fn the_incident_of_the_synthetic_trail_is_told_right() {
    let incident = Incident::new(8_000);
    who_tells_the_account_that_was_woken_over_all_its_sources(&incident);
    who_tells_the_account_that_was_stolen(&incident);
    the_chain_of_grants_is_told_with_the_number_of_each_event(&incident);
    nothing_that_the_stranger_did_is_routine(&incident);
    what_somebody_does_every_day_is_routine(&incident);
}

fn who_tells_the_account_that_was_woken_over_all_its_sources(incident: &Incident) {
    let told_of = incident.log.timeline(&asked("Tobias.Wren@corp.example", 1_000));
    assert!(told_of.covered.complete && !told_of.summary.more);
    let concerns = |line: &&Line| [&line.actor, &line.target].into_iter().flatten().any(|name| name == DORMANT);
    assert_eq!(told_of.lines.iter().collect::<Vec<_>>(), incident.all.iter().rev().filter(concerns).collect::<Vec<_>>());
    assert_eq!(told_of.summary.sources.distinct, 5, "{:?}", told_of.summary.sources);
    assert!(told_of.summary.addresses.values.iter().any(|counted| counted.value == STRANGER));

    // What was done to it, the last first, each with whom the log shows nothing given to.
    let reached = told_of.reached.unwrap();
    let taken_over = ["group.user_membership.add", "user.mfa.factor.deactivate", "user.account.reset_password"];
    let taken_over = taken_over.map(|action| incident.index(action, DORMANT));
    for index in taken_over {
        let step = reached.steps.iter().position(|step| (step.depth, step.event.index) == (0, index)).unwrap();
        let root = reached.roots.iter().find(|root| root.behind == step).unwrap();
        assert_eq!((&root.holder, root.why), (&Holder::Identity(HELPDESK.into()), Ended::NothingBefore));
    }
    let privileges: Vec<_> = told_of.privileges.iter().map(|line| line.index).collect();
    assert!(privileges.windows(3).any(|window| window == taken_over), "{privileges:?}");
}

fn who_tells_the_account_that_was_stolen(incident: &Incident) {
    let told_of = incident.log.timeline(&asked(HELPDESK, 1_000));
    assert!(told_of.summary.addresses.values.iter().any(|counted| counted.value == STRANGER));
    let from_there: Vec<_> = told_of.lines.iter().rev().filter(|line| line.ip.as_deref() == Some(STRANGER)).cloned().collect();
    let hers: Vec<_> = incident.story.iter().filter(|line| line.actor.as_deref() == Some(HELPDESK)).cloned().collect();
    assert_eq!(from_there, hers);
    let deeds: Vec<_> = hers.iter().map(|line| (line.deed, line.failed)).collect();
    assert_eq!(deeds[..2], [(Deed::SignIn, true); 2], "wrong passwords");
    assert_eq!(deeds[deeds.len() - 3..], [(Deed::Credential, false), (Deed::Credential, false), (Deed::Gained, false)]);
}

fn the_chain_of_grants_is_told_with_the_number_of_each_event(incident: &Incident) {
    let [policy, group, factor, password, key] = [
        ("AttachUserPolicy", SERVICE),
        ("group.user_membership.add", DORMANT),
        ("user.mfa.factor.deactivate", DORMANT),
        ("user.account.reset_password", DORMANT),
        ("CreateAccessKey", SERVICE),
    ]
    .map(|(action, who)| incident.index(action, who));
    let reached = incident.log.how(SERVICE, "administratoraccess");
    let first: Vec<_> = told(&reached.tree).into_iter().filter(|(depth, _)| *depth < 2).collect();
    assert_eq!(first, [(0, policy), (1, group), (1, factor), (1, password)]);
    assert_eq!(reached.tree.steps[1].event.group.as_deref(), Some("AWS-Administrators"));
    let root = reached.tree.roots.iter().find(|root| root.behind == 1).unwrap();
    assert_eq!((&root.holder, root.why), (&Holder::Identity(HELPDESK.into()), Ended::NothingBefore));
    assert!(reached.covered.complete);
    assert_eq!(incident.log.how(SERVICE, "no such thing").tree.steps.len(), 0);

    // Nobody need ask for it by name: the new key stands there too.
    let reached = incident.log.timeline(&asked(SERVICE, 10)).reached.unwrap();
    let nearest: Vec<_> = told(&reached).into_iter().filter(|step| [(0, policy), (0, key)].contains(step)).collect();
    assert_eq!(nearest, [(0, policy), (0, key)]);
    let below = told(&reached).into_iter().skip_while(|step| *step != (0, policy)).skip(1).take(3).collect::<Vec<_>>();
    assert_eq!(below, [(1, group), (1, factor), (1, password)]);
}

fn nothing_that_the_stranger_did_is_routine(incident: &Incident) {
    for line in &incident.story {
        let told = incident.routine(line.index);
        assert!([Verdict::NeverBefore, Verdict::New].contains(&told.verdict), "{}: {}", line.says, told.says);
        assert!(told.covered.complete && told.says.contains("everything could be read"), "{}", told.says);
    }
    for (never, who) in
        [("CreateAccessKey", SERVICE), ("AttachUserPolicy", SERVICE), ("PutBucketPolicy", SERVICE), ("StopLogging", SERVICE)]
    {
        let told = incident.routine(incident.index(never, who));
        assert_eq!(told.verdict, Verdict::NeverBefore, "{}", told.says);
        assert!(told.says.starts_with("Never before") && told.says.contains(&format!("{never}: never")), "{}", told.says);
    }
    let told = incident.routine(incident.story[0].index);
    assert!(told.says.contains("from 203.0.113.0/24: never"), "{}", told.says);
    // She works in London, and nobody saw the stranger's country in her account either.
    let habits = told.identity.unwrap().habits;
    let country = habits.iter().find(|habit| habit.what == What::Country).unwrap();
    assert_eq!(country.verdict, Verdict::NeverBefore, "{country:?}");
}

fn what_somebody_does_every_day_is_routine(incident: &Incident) {
    let mut count = std::collections::HashMap::<&str, usize>::new();
    incident.all.iter().filter_map(|line| line.actor.as_deref()).for_each(|actor| *count.entry(actor).or_default() += 1);
    let busiest = count.iter().max_by_key(|(name, count)| (**count, **name)).unwrap().0;
    let own = incident.all.iter().rev().filter(|line| line.actor.as_deref() == Some(*busiest) && !line.failed).take(12);
    let told: Vec<_> = own.map(|line| incident.routine(line.index)).collect();
    let routine = told.iter().find(|told| told.verdict == Verdict::Routine);
    let routine = routine.unwrap_or_else(|| panic!("{:?}", told.iter().map(|told| &told.says).collect::<Vec<_>>()));
    assert!(routine.says.starts_with(&format!("Routine for {busiest}")), "{}", routine.says);
}
