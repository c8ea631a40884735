use super::*;

/// Whether any file below a directory holds these bytes.
fn is_found(dir: &std::path::Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            found.extend(is_found(&entry.path(), bytes));
        } else if fs::read(entry.path()).unwrap().windows(bytes.len()).any(|window| window == bytes) {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

#[test]
fn what_is_erased_is_in_no_file_and_taken_by_nobody() {
    let site = Site::new();
    let (mut one, mut two) = (Model::new(&site), Model::new(&site));
    let secret = "Quillfeather";
    // Others before, between and after, so that pages fill up and move.
    let crowd = |one: &mut Model| {
        let offers: Vec<Offer> = (0..150)
            .map(|i| one.tablet.begin(Kind::Person, json!({"name": {"family": format!("Person {i}")}})).1)
            .collect();
        one.push(&site.base, &offers);
        views(&site);
    };
    let who = |given: &str| json!({"name": {"given": given, "family": secret}, "phone": "07700 900123"});
    crowd(&mut one);
    let mut visit = Visit::of(&site, &mut one, who("Amina"));
    crowd(&mut one);
    let mut other = Visit::of(&site, &mut one, who("Minnie"));
    let into = json!(visit.id().to_string());
    let merge = one.tablet.set(&mut other.person, "merged_into", into);
    let mut refused = with(visit.id());
    refused["bp"]["readings"][0]["systolic"] = json!(301);
    refused["notes"] = json!([{"text": secret}]);
    let refused = one.tablet.begin(Kind::Contact, refused).1;
    let mut edits: Vec<Offer> = (0..20)
        .map(|i| {
            one.tablet.edit(&mut visit.person, None, json!({"email": format!("{secret}{i}@example.org")}))
        })
        .collect();
    // One of them waits for one that never came.
    let gap = edits.remove(18);
    edits.extend([merge, refused.clone()]);
    let verdicts = one.push(&site.base, &edits);
    assert_eq!(
        (verdicts[18].clone(), verdicts[20].clone()),
        (Verdict::Waiting, quarantined(Code::OutOfRange))
    );
    crowd(&mut one);
    two.pull(&site.base);
    // Why somebody read it, and why somebody wants it erased, may say a name against all advice.
    let read = |record| Audited { record: Some(record), reason: secret.into(), ..Audited::default() };
    site.base.audit(vec![read(visit.id()), read(other.contact.id()), read(refused.0)]).unwrap();
    let asked =
        "INSERT INTO account (name, role, password, created_at) VALUES ('ada', 'administrator', '', 0)";
    let ask = "INSERT INTO erase_request (person, account, reason, asked_at, expires_at)
        SELECT ?, n, ?, 0, 9 FROM account";
    let person = visit.id();
    site.base
        .log
        .write(move |txn| {
            txn.conn.execute(asked, &[])?;
            txn.conn.execute(ask, args![person, secret])
        })
        .unwrap();
    assert!(!is_found(site.dir.path(), secret.as_bytes()).is_empty());

    let found = erasure(&site.base, other.id()).unwrap();
    assert_eq!(found.persons, BTreeSet::from([visit.id(), other.id()]));
    assert_eq!(found.contacts, BTreeSet::from([visit.contact.id(), other.contact.id(), refused.0]));
    erase(&site.base, found, "test", "Asked for it").unwrap();
    assert_eq!(is_found(site.dir.path(), secret.as_bytes()), [""; 0]);
    assert_eq!(is_found(site.dir.path(), secret.to_lowercase().as_bytes()), [""; 0]);
    assert_eq!(is_found(site.dir.path(), b"07700 900123"), [""; 0]);
    assert_eq!(views(&site).show(visit.id()).unwrap(), None);
    let shelf = tempfile::tempdir().unwrap();
    assert!(backup::backup(&site.base, shelf.path()).is_ok(), "the log still proves itself");
    assert_eq!(site.base.verify_audit().unwrap().wrong, 0, "and so does the audit trail");
    assert_eq!(is_found(shelf.path(), secret.as_bytes()), [""; 0]);
    assert!(erasure(&site.base, visit.id()).unwrap().is_empty(), "again: nothing, but the files are cleaned");

    // Both tablets delete it; nobody brings it back.
    for tablet in [&mut one, &mut two] {
        tablet.pull(&site.base);
        assert_eq!((visit.is_held(tablet), other.is_held(tablet)), ([false; 2], [false; 2]));
    }
    assert_eq!(one.push(&site.base, &[gap]), [Verdict::Erased]);
    let again = one.tablet.begin(Kind::Contact, with(visit.id()));
    assert_eq!(one.push(&site.base, std::slice::from_ref(&again.1)), [quarantined(Code::PersonErased)]);
    assert_eq!(one.push(&site.base, std::slice::from_ref(&again.1)), [quarantined(Code::PersonErased)]);
    later(&site, 31);
    run(&site);
    assert_eq!(site.count("quarantine"), 0, "it does not wait for ever");
    assert_eq!(is_found(site.dir.path(), secret.as_bytes()), [""; 0]);
}

/// As when a tablet is set back to before it heard so, and goes on with it: the judge, who looks at the batch alone, takes
/// the second for one that builds on the first.
#[test]
fn what_builds_on_a_contact_that_was_refused_before_is_refused_with_it_in_one_batch() {
    let site = Site::new();
    let mut one = Model::new(&site);
    let visit = Visit::new(&site, &mut one);
    let found = erasure(&site.base, visit.id()).unwrap();
    erase(&site.base, found, "test", "Asked for it").unwrap();
    let (mut contact, begin) = one.tablet.begin(Kind::Contact, with(visit.id()));
    let edit = one.tablet.edit(&mut contact, None, json!({"satisfaction": 4}));
    assert_eq!(one.push(&site.base, std::slice::from_ref(&begin)), [quarantined(Code::PersonErased)]);
    let head = site.head();
    for _ in 0..2 {
        let verdicts = one.push(&site.base, &[begin.clone(), edit.clone()]);
        assert_eq!(verdicts, [quarantined(Code::PersonErased), quarantined(Code::DependsOnQuarantined)]);
    }
    assert_eq!(site.head(), head, "nothing of it is in the log");
}

#[test]
fn only_a_person_who_is_here_can_be_erased() {
    let site = Site::new();
    let mut one = Model::new(&site);
    let visit = Visit::new(&site, &mut one);
    let code = |id| erasure(&site.base, id).unwrap_err().code();
    assert_eq!(code(visit.contact.id()), Code::WrongKind);
    assert_eq!(code(site.team), Code::WrongKind);
    assert_eq!(code(RecordId::from_bytes([9; 16])), Code::RecordNotFound);
    // Somebody of whom everything was refused.
    let (refused, offer) = one.tablet.begin(Kind::Person, json!({"sex": 1}));
    one.push(&site.base, &[offer]);
    let found = erasure(&site.base, refused.id()).unwrap();
    erase(&site.base, found, "test", "Asked for it").unwrap();
    assert_eq!(site.count("quarantine"), 0);
}

#[test]
fn a_restore_brings_back_nobody_who_was_erased_and_archives_again_what_tablets_give_back() {
    let site = Site::new();
    let (mut one, mut two) = (Model::new(&site), Model::new(&site));
    let (gone, kept) = (
        Visit::of(&site, &mut one, json!({"name": {"family": "Quillfeather"}})),
        Visit::new(&site, &mut one),
    );
    two.pull(&site.base);
    let shelf = tempfile::tempdir().unwrap();
    let made = backup::backup(&site.base, shelf.path()).unwrap();
    let (later_person, later_offer) = one.tablet.begin(Kind::Person, amina());
    one.push(&site.base, std::slice::from_ref(&later_offer));
    enter(&site, What::Archive, &[kept.id(), kept.contact.id()]);
    one.pull(&site.base);
    for id in [gone.id(), later_person.id()] {
        let found = erasure(&site.base, id).unwrap();
        erase(&site.base, found, "test", "Asked for it").unwrap();
    }

    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("keys")).unwrap();
    for file in fs::read_dir(site.dir.path().join("keys")).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), place.path().join("keys").join(file.file_name())).unwrap();
    }
    let now = site.now.clone();
    let clock = Clock::new(move || now.load(Ordering::Relaxed));
    backup::restore(&made, place.path(), &clock).unwrap();
    let base = Base::open(place.path(), clock).unwrap();
    assert_eq!(is_found(place.path(), b"Quillfeather"), [""; 0]);
    for tablet in [&mut one, &mut two] {
        tablet.pull(&base);
        assert_eq!(gone.is_held(tablet), [false; 2]);
        assert_eq!(kept.is_held(tablet), [true; 2], "the log has forgotten that it was archived");
    }
    // What the restored log never held is refused all the same.
    assert_eq!(one.push(&base, &[later_offer]), [Verdict::Erased]);
    later(&site, 31);
    assert_eq!(archive(&base, 30, "test", false).unwrap().persons, 1);
    two.pull(&base);
    assert_eq!(kept.is_held(&two), [false; 2]);
}
