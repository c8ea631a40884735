//! A tablet gone bad: what it signs is in its own name, and nothing else is anybody's.

use serde_json::json;
use wayside_protocol::{
    record::{Author, Flattener, Kind, Record, Rules, entry_id},
    sync::{
        Frame, PublicKey, SignatureBytes,
        frame::{Changes, List},
        sign_certificate,
    },
};
use wayside_server::log;

use crate::{
    paper::{Offer, Paper, verdicts},
    target::{NORTH, Target},
    wire::Answer,
};

#[test]
fn nobody_writes_as_somebody_else() {
    let target = Target::start();
    let (bad, good) = (Paper::enrolled(target.base(), NORTH), Paper::enrolled(target.base(), NORTH));
    let team = bad.team;
    // As `bad` sends it; `authors` are those that a frame may carry beside its sender.
    let send = |authors: &[(PublicKey, SignatureBytes)], lists: Vec<List>| -> Answer {
        let frame = Frame::Changes(Changes { team, authors: authors.to_vec(), lists });
        target.sync(&bad.request(bad.hello(target.base(), vec![]), &[], &[frame]))
    };
    let others = [(good.public(), good.certificate)];
    let before = target.heads();

    let honest = good.begin(Kind::Person, json!({"sex": "F"}));
    let made_up = Paper { key: ed25519_dalek::SigningKey::from_bytes(&rand::random()), ..good.clone() };
    let vouched = [(made_up.public(), sign_certificate(&bad.key, &made_up.public()))];
    for (what, authors, list) in [
        ("in another's name", &others[..], bad.list(team, 1, std::slice::from_ref(&honest))),
        ("by whom no server knows", &vouched[..], made_up.list(team, 1, std::slice::from_ref(&honest))),
        ("by an author who is not named", &others[..], good.list(team, 2, std::slice::from_ref(&honest))),
        (
            "with the signature of another list",
            &others[..],
            List {
                signature: good.list(team, 1, &[good.begin(Kind::Person, json!({}))]).signature,
                ..good.list(team, 1, std::slice::from_ref(&honest))
            },
        ),
        ("for another team", &others[..], good.list(target.south, 1, std::slice::from_ref(&honest))),
    ] {
        let refused = send(authors, vec![list]);
        let code = refused.code();
        assert!(["signature_invalid", "frame_malformed"].contains(&code.as_str()), "{what}: {code}");
        assert!(refused.status >= 400, "{what}");
    }
    assert_eq!(target.heads(), before, "nothing of it was stored");
    // Whoever hands on what another really signed is believed.
    let passed_on = send(&others, vec![good.list(team, 1, std::slice::from_ref(&honest))]);
    assert_eq!(verdicts(&passed_on.body), ["accepted"]);

    // In its own list, but with another tablet's words: each change is kept apart whole, for its reason.
    let actor = rand::random();
    let begun = good.begin_as(actor, Kind::Person, json!({"sex": "F"}));
    assert_eq!(good.push(target.base(), std::slice::from_ref(&begun)), ["accepted"]);
    let edit = |actor: [u8; 16], says: &Paper| -> Offer {
        let mut record = Record::load(begun.0, [&begun.1.raw]).unwrap();
        let message = says.message();
        let mut new_id = || entry_id(rand::random());
        let writes = Flattener { kind: Kind::Person, rules: Rules::Unchecked, new_id: &mut new_id }
            .set("sex", json!("M"))
            .unwrap();
        let author = Author { actor, fresh: rand::random(), message: &message };
        (record.id(), record.edit(None, &writes, &author).unwrap().unwrap())
    };
    for (what, offer, code) in [
        ("another's author", edit(actor, &bad), "actor_owned"),
        ("another's tablet in its message", edit(rand::random(), &good), "change_message"),
        ("the team's own record", bad.begin(Kind::Team, json!({"name": "Mine"})), "record_refused"),
    ] {
        assert_eq!(verdicts(&send(&[], vec![bad.list(team, 0, &[offer])]).body), [code], "{what}");
    }
    let honest = edit(rand::random(), &bad);
    assert_eq!(verdicts(&send(&[], vec![bad.list(team, 0, &[honest])]).body), ["accepted"]);
    assert_eq!(target.base().log.read(log::quarantine).unwrap().len(), 3);
}
