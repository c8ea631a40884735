//! Signing in on a tablet that has no link to base.

use serde_json::json;
use wayside_protocol::{
    record::{Author, Kind, Message, Record, Scalar, Write, tablet_id},
    staff::{Pin, unlock_code, unlock_secret},
};

use super::{
    Kit, NOW,
    base::{Base, settled},
    by, line,
};
use crate::{By, Code, Error, SignInRefused};

const AMIRA: &str = "amirakha";
const BELA: &str = "belasmit";
const PIN: &str = "482913";
const MINUTE: i64 = 60_000;

/// What base writes into the team's record, as one change.
fn write(base: &mut Base, team: &mut Option<Record>, writes: &[(&str, serde_json::Value)]) {
    let message = Message {
        at: "2026-11-20T12:00:00Z".into(),
        by: "cora".into(),
        offset: 0,
        tablet: tablet_id(&base.public()),
        supersedes: Vec::new(),
        reason: String::new(),
    };
    let author = Author { actor: [base.log.len() as u8 + 1; 16], fresh: [9; 16], message: &message };
    let writes: Vec<Write> = writes
        .iter()
        .map(|(path, value)| Write { path: (*path).into(), value: Scalar::from_json(value.clone()) })
        .collect();
    let authored = match team {
        Some(record) => record.edit(None, &writes, &author).unwrap().unwrap(),
        None => {
            let (record, authored) = Record::begin(base.team, Kind::Team, &writes, &author).unwrap();
            *team = Some(record);
            authored
        }
    };
    base.write(base.team, authored.hash, authored.raw);
}

fn verifier(pin: &str) -> String {
    Pin::parse(pin).unwrap().verifier(&[3; 16]).unwrap().as_str().to_owned()
}

/// A synced tablet of a team of two, and base's own copy of the team's record.
fn team(seed: u64) -> (Base, Kit, Option<Record>) {
    let (mut base, kit, mut record) = (Base::new(), Kit::new(seed), None);
    base.enrol(&kit);
    let amira = json!({"name": "Amira", "role": "nurse", "pin": verifier(PIN)});
    let (amira_at, bela_at) = (format!("staff/{AMIRA}"), format!("staff/{BELA}"));
    let writes = [
        ("name", json!("Riverside")),
        (amira_at.as_str(), amira),
        (bela_at.as_str(), json!({"name": "Bela", "pin": verifier("730156")})),
    ];
    write(&mut base, &mut record, &writes);
    settled(&kit, &mut base);
    (base, kit, record)
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> SignInRefused {
    match result {
        Err(Error::SignIn(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

fn lock(kit: &Kit) {
    for left in [4, 3, 2, 1] {
        let refused = refused(kit.tablet.sign_in(AMIRA, "000001"));
        assert_eq!((refused.code, refused.tries_left, refused.locked_until), (Code::PinWrong, left, None));
    }
    let refused = refused(kit.tablet.sign_in(AMIRA, "000001"));
    assert_eq!((refused.code, refused.tries_left, refused.locked_seconds), (Code::StaffLocked, 0, 1200));
}

fn is_locked(kit: &Kit) -> bool {
    match kit.tablet.sign_in(AMIRA, PIN) {
        Ok(signed_in) => {
            assert_eq!(signed_in.name, "Amira");
            false
        }
        Err(Error::SignIn(refused)) => {
            assert_eq!(refused.code, Code::StaffLocked);
            true
        }
        other => panic!("{other:?}"),
    }
}

/// As a coordinator's page computes it.
fn code(base: &Base, kit: &Kit, staff: &str) -> String {
    let challenge = kit.tablet.unlock_challenge(staff).unwrap().digits;
    let challenge = wayside_protocol::staff::Challenge::parse(&challenge).unwrap();
    assert!(challenge.is_of(&kit.tablet.id()));
    let key = kit.public();
    unlock_code(&unlock_secret(base.key.as_bytes(), &key), base.team, staff, &challenge)
}

#[test]
fn a_member_signs_in_by_their_own_pin_and_the_verifier_is_shown_nowhere() {
    let (base, kit, _) = team(1);
    let staff = kit.tablet.staff().unwrap();
    let names: Vec<_> =
        staff.iter().map(|m| (m.name.as_str(), m.role.as_str(), m.has_pin, m.tries_left)).collect();
    assert_eq!(names, [("Amira", "nurse", true, 5), ("Bela", "", true, 5)]);
    let signed_in = kit.tablet.sign_in(AMIRA, " 482 913").unwrap();
    assert_eq!((signed_in.id.as_str(), signed_in.team), (AMIRA, base.team));
    assert_eq!(kit.tablet.staff_name(AMIRA).unwrap().as_deref(), Some("Amira"));
    assert_eq!(kit.tablet.staff_name("nurse-01").unwrap(), None);
    assert_eq!(refused(kit.tablet.sign_in(AMIRA, "730156")).code, Code::PinWrong);
    assert_eq!(kit.tablet.sign_in("nobodyid", PIN).unwrap_err().code(), Code::StaffUnknown);
    let shown = [
        kit.show(base.team).to_string(),
        format!("{:?}", kit.tablet.list(None, crate::Page::default()).unwrap()),
        format!("{:?}", kit.tablet.search("riverside", crate::Page::default()).unwrap()),
        format!("{:?}", kit.tablet.status().unwrap()),
        serde_json::to_string(&staff).unwrap(),
    ];
    for shown in shown {
        assert!(!shown.contains("argon2"), "{shown}");
    }
    assert_eq!(kit.show(base.team)["staff"][AMIRA]["has_pin"], true);
}

#[test]
fn five_wrong_tries_lock_one_member_whatever_is_done_to_clock_and_tablet() {
    let (_, mut kit, _) = team(2);
    lock(&kit);
    // The right PIN does not help now; others are not affected; nor is what is recorded.
    assert!(is_locked(&kit));
    kit.tablet.sign_in(BELA, "730156").unwrap();
    kit.tablet.record(line(), &By::staff(AMIRA)).unwrap();
    let amira = &kit.tablet.staff().unwrap()[0];
    assert_eq!((amira.tries_left, amira.locked_until.as_deref()), (0, Some("2026-11-20T13:20:00Z")));
    // Another run, another year: no time has passed.
    kit.reopen();
    assert!(is_locked(&kit));
    for years in [-2, 3] {
        kit.clock.set(NOW + years * 365 * 24 * 60 * MINUTE);
        assert!(is_locked(&kit));
    }
    kit.clock.set(NOW);
    kit.clock.advance(19 * MINUTE);
    assert!(is_locked(&kit));
    // Switched off and on: what had passed of the lock at the last try counts, and what passes from now on.
    kit.clock.restart();
    kit.reopen();
    assert!(is_locked(&kit));
    kit.clock.advance(MINUTE);
    assert!(!is_locked(&kit));
    assert_eq!(kit.tablet.staff().unwrap()[0].tries_left, 5);
}

#[test]
fn a_lock_that_is_over_forgives_and_success_forgives() {
    let (_, kit, _) = team(3);
    lock(&kit);
    kit.clock.advance(20 * MINUTE);
    assert_eq!(refused(kit.tablet.sign_in(AMIRA, "000001")).tries_left, 4);
    kit.tablet.sign_in(AMIRA, PIN).unwrap();
    assert_eq!(refused(kit.tablet.sign_in(AMIRA, "000001")).tries_left, 4);
}

#[test]
fn a_coordinators_code_lets_a_locked_member_in_and_sets_a_pin_until_base_sets_another() {
    let (mut base, mut kit, mut record) = team(4);
    kit.tablet.record(line(), &By::staff(AMIRA)).unwrap();
    lock(&kit);
    let code = code(&base, &kit, AMIRA);
    // The digits stay while the coordinator is on the phone, also over a restart.
    let digits = kit.tablet.unlock_challenge(AMIRA).unwrap().digits;
    kit.reopen();
    assert_eq!(kit.tablet.unlock_challenge(AMIRA).unwrap().digits, digits);
    // A PIN that is none costs no try, a wrong code does.
    assert_eq!(kit.tablet.unlock(AMIRA, &code, "123456").unwrap_err().code(), Code::PinRefused);
    let wrong = if code == "00000000" { "00000001" } else { "00000000" };
    let refused_code = refused(kit.tablet.unlock(AMIRA, wrong, "604173"));
    assert_eq!((refused_code.code, refused_code.tries_left), (Code::UnlockWrong, 4));
    kit.tablet.unlock(AMIRA, &format!("{} {}", &code[..4], &code[4..]), "604173").unwrap();
    assert_eq!(refused(kit.tablet.sign_in(AMIRA, PIN)).code, Code::PinWrong);
    kit.tablet.sign_in(AMIRA, "604173").unwrap();
    // Once, and for this member only.
    assert_eq!(kit.tablet.unlock(AMIRA, &code, "604174").unwrap_err().code(), Code::UnlockWrong);
    assert_ne!(kit.tablet.unlock_challenge(AMIRA).unwrap().digits, digits);
    // What was recorded before the PIN was forgotten is all there and goes to base.
    assert_eq!(kit.tablet.status().unwrap().waiting, 4);
    assert!(settled(&kit, &mut base).in_sync);
    kit.tablet.sign_in(AMIRA, "604173").unwrap();
    // Base's next PIN counts, the one chosen here no more.
    let set = json!({"name": "Amira", "role": "nurse", "pin": verifier("915037")});
    let amendment = json!({"entry": format!("staff/{AMIRA}"), "set": set});
    write(&mut base, &mut record, &[("amendments/aaaaaaab", amendment)]);
    settled(&kit, &mut base);
    assert_eq!(refused(kit.tablet.sign_in(AMIRA, "604173")).code, Code::PinWrong);
    kit.tablet.sign_in(AMIRA, "915037").unwrap();
    assert!(!kit.show(base.team).to_string().contains("argon2"));
}

#[test]
fn wrong_unlock_codes_are_limited_and_need_new_digits() {
    let (base, kit, _) = team(5);
    let code = code(&base, &kit, AMIRA);
    let digits = kit.tablet.unlock_challenge(AMIRA).unwrap().digits;
    let wrong = if code == "00000000" { "00000001" } else { "00000000" };
    for left in [4, 3, 2, 1] {
        assert_eq!(refused(kit.tablet.unlock(AMIRA, wrong, "604173")).tries_left, left);
    }
    assert_eq!(refused(kit.tablet.unlock(AMIRA, wrong, "604173")).code, Code::UnlockLocked);
    assert_ne!(kit.tablet.unlock_challenge(AMIRA).unwrap().digits, digits);
    assert_eq!(refused(kit.tablet.unlock(AMIRA, &code, "604173")).code, Code::UnlockLocked);
    // Whoever knows the PIN is not kept out by somebody who plays with codes.
    kit.tablet.sign_in(AMIRA, PIN).unwrap();
    kit.clock.advance(20 * MINUTE);
    assert_eq!(refused(kit.tablet.unlock(AMIRA, &code, "604173")).tries_left, 4);
}

#[test]
fn who_has_no_pin_gets_one_by_a_code_and_who_left_is_only_a_name() {
    let (mut base, kit, mut record) = team(6);
    let left = json!({"entry": format!("staff/{BELA}"), "set": {"name": "Bela Smith", "active": false}});
    let writes = [("staff/chandras", json!({"name": "Chandra"})), ("amendments/aaaaaaab", left)];
    write(&mut base, &mut record, &writes);
    settled(&kit, &mut base);
    let staff = kit.tablet.staff().unwrap();
    assert_eq!(
        staff.iter().map(|m| (m.name.as_str(), m.has_pin)).collect::<Vec<_>>(),
        [("Amira", true), ("Chandra", false)]
    );
    assert_eq!(kit.tablet.staff_name(BELA).unwrap().as_deref(), Some("Bela Smith"));
    assert_eq!(kit.tablet.sign_in(BELA, "730156").unwrap_err().code(), Code::StaffUnknown);
    assert_eq!(kit.tablet.sign_in("chandras", PIN).unwrap_err().code(), Code::PinNotSet);
    let code = code(&base, &kit, "chandras");
    kit.tablet.unlock("chandras", &code, "604173").unwrap();
    assert_eq!(kit.tablet.sign_in("chandras", "604173").unwrap().name, "Chandra");
    assert!(kit.tablet.staff().unwrap()[1].has_pin);
}

#[test]
fn a_team_without_a_list_goes_on_as_before() {
    let (base, kit) = (Base::new(), Kit::new(7));
    base.enrol(&kit);
    assert_eq!(kit.tablet.staff().unwrap(), []);
    assert_eq!(kit.tablet.unlock_challenge("nurse-01").unwrap_err().code(), Code::StaffUnknown);
    let recorded = kit.tablet.record(line(), &by()).unwrap();
    assert_eq!(kit.show(recorded.contact)["created"]["by"], "nurse-01");
}

#[test]
fn before_the_first_sync_there_is_no_secret_and_it_says_so() {
    let (mut base, kit, _) = team(8);
    kit.tablet
        .0
        .store
        .write(|conn| Ok(conn.execute("DELETE FROM meta WHERE name = 'unlock_secret'", [])?))
        .unwrap();
    assert_eq!(kit.tablet.unlock_challenge(AMIRA).unwrap_err().code(), Code::UnlockNotReady);
    settled(&kit, &mut base);
    kit.tablet.unlock_challenge(AMIRA).unwrap();
    // It is asked for once: a sync with nothing new is as small as ever.
    settled(&kit, &mut base);
    let (up, _) = base.bytes;
    kit.tablet
        .0
        .store
        .write(|conn| Ok(conn.execute("DELETE FROM meta WHERE name = 'unlock_secret'", [])?))
        .unwrap();
    settled(&kit, &mut base);
    assert_eq!(base.bytes.0, up + 4);
}
