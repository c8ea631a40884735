use super::*;

#[test]
fn what_nobody_touches_leaves_the_tablets_whole_and_what_is_open_stays() {
    let site = Site::new();
    let (mut one, mut two) = (Model::new(&site), Model::new(&site));
    session(&site, &mut one);
    let visit = |tablet: &mut Model| Visit::new(&site, tablet);
    let quiet = visit(&mut one);
    let mut edited = visit(&mut one);
    let mut due = visit(&mut one);
    let mut lent = visit(&mut one);
    let mut disputed = visit(&mut one);
    let waits = visit(&mut one);
    let (mut merged, seen_again) = (visit(&mut one), visit(&mut one));
    let base_of = disputed.person.heads();
    let day = json!({"follow_ups": [{"type": "call", "due_on": "2026-11-20"}]});
    let loan = json!({"monitor_loan": {"device": "A1", "lent_at": "2026-11-20T13:05:00Z"}});
    let into = json!(seen_again.id().to_string());
    let t = &one.tablet;
    let offers = [
        t.edit(&mut due.contact, None, day),
        t.edit(&mut lent.contact, None, loan),
        t.edit(&mut disputed.person, Some(&base_of), json!({"phone": "1"})),
        t.edit(&mut disputed.person, Some(&base_of), json!({"phone": "2"})),
        t.set(&mut merged.person, "merged_into", into),
        // Refused, and so of a contact that only its tablet shows.
        t.begin(Kind::Contact, {
            let mut refused = with(waits.id());
            refused["bp"]["readings"][0]["systolic"] = json!(301);
            refused
        })
        .1,
    ];
    let verdicts = one.push(&site.base, &offers);
    assert_eq!(verdicts[5], quarantined(Code::OutOfRange));
    later(&site, 31);
    let late = |record: &mut Record| one.tablet.edit(record, None, json!({"language": "ur"}));
    let offers = [late(&mut edited.person), one.tablet.begin(Kind::Contact, with(seen_again.id())).1];
    one.push(&site.base, &offers);
    two.pull(&site.base);

    let counted = archive(&site.base, 30, "test", true).unwrap();
    assert_eq!(run(&site), [1, 1, 0], "the session stays with its other contacts");
    assert_eq!((counted.persons, counted.contacts, counted.sessions), (1, 1, 0), "as the dry run said");
    assert_eq!(run(&site), [0, 0, 0], "once");
    let said = two.pull(&site.base);
    assert_eq!(said.entries.len(), 2);
    for tablet in [&mut one, &mut two] {
        tablet.pull(&site.base);
        assert_eq!(quiet.is_held(tablet), [false, false]);
        for visit in [&edited, &due, &lent, &disputed, &waits, &merged, &seen_again] {
            assert_eq!(visit.is_held(tablet), [true, true]);
        }
        assert!(tablet.holds(SESSION));
    }
    // A fresh tablet hears nothing of it at all.
    let mut fresh = Model::new(&site);
    assert_eq!(fresh.pull(&site.base).entries, []);
    assert_eq!(quiet.is_held(&fresh), [false, false]);
    // The server keeps it, marked.
    let views = views(&site);
    assert_eq!(views.show(quiet.id()).unwrap().unwrap()["archived"], true);
    assert_eq!(views.show(edited.id()).unwrap().unwrap().get("archived"), None);
}

#[test]
fn an_edit_brings_back_its_record_and_whoever_it_is_about() {
    let site = Site::new();
    let (mut one, mut two) = (Model::new(&site), Model::new(&site));
    session(&site, &mut one);
    let mut visit = Visit::new(&site, &mut one);
    two.pull(&site.base);
    later(&site, 31);
    assert_eq!(run(&site), [1, 1, 1]);
    two.pull(&site.base);
    two.drop_archived();
    assert_eq!((visit.is_held(&two), two.holds(SESSION)), ([false, false], false));
    // A tablet that has not heard of it goes on with the contact.
    let edit = one.tablet.edit(&mut visit.contact, None, json!({"check_type": "bp_only"}));
    assert!(matches!(one.push(&site.base, &[edit])[..], [Verdict::Accepted { .. }]));
    for tablet in [&mut one, &mut two] {
        tablet.pull(&site.base);
        assert_eq!((visit.is_held(tablet), tablet.holds(SESSION)), ([true, true], true));
    }
    later(&site, 31);
    assert_eq!(run(&site), [1, 1, 1]);
    let again = one.tablet.begin(Kind::Contact, with(visit.id())).1;
    one.push(&site.base, &[again]);
    two.pull(&site.base);
    assert_eq!((visit.is_held(&two), two.holds(SESSION)), ([true, false], true), "a new contact, too");
}

/// A tablet that does not know that something was archived, as after a comparison with a later head.
#[test]
fn what_is_offered_again_and_archived_is_said_again() {
    let site = Site::new();
    let mut one = Model::new(&site);
    let (person, begin) = one.tablet.begin(Kind::Person, amina());
    one.push(&site.base, std::slice::from_ref(&begin));
    enter(&site, What::Archive, &[person.id()]);
    one.pull(&site.base);
    one.archived.clear();
    let said = one.exchange(&site.base, vec![], &[begin], usize::MAX).unwrap();
    assert!(matches!(said.verdicts[..], [Verdict::Known { .. }]), "which activates nothing");
    assert_eq!(said.entries.iter().map(|entry| entry.what).collect::<Vec<_>>(), [What::Archive]);
    assert!(!one.holds(person.id()));
}

#[test]
fn a_tablet_that_knows_no_entries_sends_and_is_told_to_be_updated() {
    let site = Site::new();
    let (mut one, mut old) = (Model::new(&site), Model::new(&site));
    old.capabilities &= !capability::ARCHIVE;
    let visit = Visit::new(&site, &mut one);
    old.pull(&site.base);
    enter(&site, What::Archive, &[visit.id()]);
    let (_, offer) = old.tablet.begin(Kind::Person, amina());
    let before = old.cursor;
    let said = old.exchange(&site.base, vec![], &[offer], usize::MAX).unwrap();
    assert!(matches!(said.verdicts[..], [Verdict::Accepted { .. }]));
    assert_eq!((said.terms.notice.as_str(), old.cursor, said.more), ("upgrade_needed", before, false));
    assert!(old.holds(visit.id()));
    // Of version 1: what it has to send, then the only word that it knows.
    let tablet = site.tablet();
    tablet.push(&site, &[tablet.begin(Kind::Person, amina()).1]);
    let refused = tablet.exchange(&site.base, vec![crate::testing::nowhere(site.team)], vec![]);
    assert_eq!(refused.unwrap_err().code(), Code::VersionUnsupported);
}

#[test]
fn an_archived_person_is_looked_up_with_a_reason_and_fetched() {
    let site = Site::new();
    let (mut one, mut two) = (Model::new(&site), Model::new(&site));
    session(&site, &mut one);
    let visit = Visit::new(&site, &mut one);
    let active = Visit::of(&site, &mut one, json!({"name": {"given": "Bea", "family": "Khan"}}));
    later(&site, 31);
    one.push(&site.base, &[one.tablet.begin(Kind::Contact, with(active.id())).1]);
    assert_eq!(run(&site), [1, 1, 0]);
    two.pull(&site.base);
    let search = |query: &str| Wish::Search { query: query.into() };
    let found = two.look_up(&site.base, "Came back", search("KHAN 999")).unwrap().found.unwrap();
    let summary = r#"{"birth":"1968-02-03","last_seen":"2026-11-20","name":"Amina Khan","nhs_number":"0018","postcode_area":"LS","sex":"F"}"#;
    assert_eq!((found.records, found.more), (vec![(visit.id(), summary.to_owned())], false));
    assert_eq!(visit.is_held(&two), [false, false], "to see is not to have");
    let nobody = two.look_up(&site.base, "Came back", search("bea khan")).unwrap().found.unwrap();
    assert_eq!(nobody.records, [], "who is on the tablets is found there");
    let all = two.look_up(&site.base, "Came back", search("a ")).unwrap().found.unwrap();
    assert_eq!((all.records, all.more), (vec![], true), "nobody looks through all of them");

    let foreign = RecordId::from_bytes([9; 16]);
    let wish = Wish::Fetch { records: vec![visit.id(), foreign, visit.contact.id()] };
    let said = two.look_up(&site.base, "For her diary", wish).unwrap();
    assert_eq!(said.found.unwrap().records.len(), 1);
    assert_eq!(visit.is_held(&two), [true, true], "in the same answer");
    one.pull(&site.base);
    assert_eq!(visit.is_held(&one), [true, true]);

    let trail = site.base.log.read(log::audited).unwrap();
    let by = format!("{} nurse-01", wayside_protocol::record::tablet_id(&two.tablet.public()));
    let acts: Vec<_> = trail
        .iter()
        .map(|act| (act.act.as_str(), act.who.as_str(), act.record, act.reason.as_str()))
        .collect();
    let run = "30 days without a change: 1 people, 1 contacts, 0 sessions";
    assert_eq!(
        acts,
        [
            ("archive", "test", None, run),
            ("look_up", by.as_str(), None, "Came back"),
            ("look_up", by.as_str(), None, "Came back"),
            ("look_up", by.as_str(), None, "Came back"),
            ("fetch", by.as_str(), Some(visit.id()), "For her diary"),
        ]
    );
    for sql in
        ["UPDATE audit SET who = ''", "DELETE FROM audit", "UPDATE entry SET seq = 9", "DELETE FROM entry"]
    {
        assert!(site.base.log.write(move |txn| txn.conn.execute(sql, &[])).is_err(), "{sql}");
    }
}

#[test]
fn a_look_up_of_another_team_twice_or_beside_changes_is_refused() {
    let site = Site::new();
    let mut one = Model::new(&site);
    let foreign = site.base.team_add("South").unwrap();
    let asked = |team| {
        let (staff, reason) = ("nurse-01".to_owned(), "Came back".to_owned());
        Frame::LookUp(LookUp { team, staff, reason, wish: Wish::Search { query: "khan".into() } })
    };
    let team = site.team;
    let offer = one.tablet.begin(Kind::Person, amina()).1;
    let mut code = |head, offers: &[Offer]| one.exchange(&site.base, head, offers, 9).unwrap_err().code();
    assert_eq!(code(vec![asked(foreign)], &[]), Code::TeamNotAllowed);
    assert_eq!(code(vec![asked(team), asked(team)], &[]), Code::FrameMalformed);
    assert_eq!(code(vec![asked(team)], &[offer]), Code::FrameMalformed);
    // Nothing was looked up; that it tried another team's is told.
    let acts = site.base.log.read(log::audited).unwrap();
    let acts: Vec<_> = acts.iter().map(|act| (act.act.as_str(), act.reason.as_str())).collect();
    assert_eq!(acts, [("refused", "team_not_allowed")]);
}

#[test]
fn it_is_done_once_a_day() {
    let site = Site::new();
    assert!(if_due(&site.base, 30).unwrap().is_some());
    assert!(if_due(&site.base, 30).unwrap().is_none());
    later(&site, 1);
    assert!(if_due(&site.base, 30).unwrap().is_some());
}
