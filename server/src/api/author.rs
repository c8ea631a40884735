//! A coordinator's own change: authored on what their page showed, signed by this server, appended to the
//! log like anybody's. Durable when it returns.

use std::time::Duration;

use serde_json::{Map, Value};
use wayside_protocol::error::Code;
use wayside_protocol::record::{Author, Flattener, Hash, Kind, Message, Record, RecordId, Rules, Write};
use wayside_protocol::record::{Authored, entry_id, tablet_id};
use wayside_protocol::sync::frame::Verdict;
use wayside_protocol::sync::sign_list;

use super::changes::{self, rfc3339};
use super::records::load;
use crate::accounts;
use crate::admission::{Offer, Offered, SignedList};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::log::{self, Position, Source, Txn};
use crate::random::random;

/// What whoever decides about a change has in hand.
pub struct Opened<'a> {
    /// The record as it was on the page, or as it is now where the page did not matter.
    pub record: &'a Record,
    pub kind: Kind,
    /// The raw changes that made it so.
    pub raws: &'a [Vec<u8>],
    /// Who decides, and when, as the change will say.
    pub by: &'a str,
    pub at: &'a str,
}

impl Opened<'_> {
    /// One path with its new value, checked like any entry.
    pub fn write(&self, path: &str, value: serde_json::Value, rules: Rules) -> Result<Vec<Write>> {
        let mut new_id = new_entry;
        Ok(Flattener { kind: self.kind, rules, new_id: &mut new_id }.set(path, value)?)
    }
}

/// How long a coordinator waits for the views to show what they wrote. They are then asked to come again.
pub(crate) const VIEWED: Duration = Duration::from_secs(2);

/// An id for a new entry.
pub fn new_entry() -> String {
    entry_id(random())
}

/// Authors one change of a record. `heads` are those that the page stood on: what came since stays beside
/// the change and is not replaced by it. `None` is for what replaces nothing. False where the record says
/// so already. The views show it, if they are not far behind, when this returns: so does the page to which
/// a form leads. Blocks.
pub fn edit(
    base: &Base,
    id: RecordId,
    by: &str,
    heads: Option<Vec<Hash>>,
    decide: impl Fn(&Opened) -> Result<Vec<Write>> + Send + 'static,
) -> Result<bool> {
    edit_because(base, id, (by, ""), heads, decide)
}

/// The same, with the reason that goes into the change's message; it may be empty.
pub fn edit_because(
    base: &Base,
    id: RecordId,
    (by, reason): (&str, &str),
    heads: Option<Vec<Hash>>,
    decide: impl Fn(&Opened) -> Result<Vec<Write>> + Send + 'static,
) -> Result<bool> {
    let hand = Hand::of(base, by, reason);
    if !hand.message.fits() {
        return Err(Error::Said(
            Code::TooLarge,
            "This reason is too long: say it in fewer words.".to_owned(),
        ));
    }
    // A record stays with its team.
    let (_, team) = base.log.read(|conn| changes::team_of(conn, id))?.ok_or(Code::RecordNotFound)?;
    let written = base.log.write_for(team, move |txn| {
        let (team, team_id) = changes::team_of(txn.conn, id)?.ok_or(Code::RecordNotFound)?;
        let stored = changes::stored(txn.conn, team, id)?;
        let raws: Vec<Vec<u8>> = match &heads {
            Some(heads) => changes::up_to(&stored, heads)?.iter().map(|change| change.raw.clone()).collect(),
            None => stored.into_iter().map(|change| change.raw).collect(),
        };
        let mut record = load(id, raws.iter())?;
        let kind = record.kind().ok_or(Code::WrongKind)?;
        let opened =
            Opened { record: &record, kind, raws: &raws, by: &hand.message.by, at: &hand.message.at };
        let writes = decide(&opened)?;
        let authored = record
            .edit(None, &writes, &hand.author())
            .map_err(|_| Error::Internal("a coordinator's change"))?;
        match authored {
            Some(authored) => append(txn, (team_id, id), &authored, &hand).map(Some),
            None => Ok(None),
        }
    })?;
    if let Some(written) = &written {
        // Whether it came or the time ran out: what was written is durable, and is answered for either way.
        base.followed.wait_for(written, VIEWED);
    }
    Ok(written.is_some())
}

/// Begins a record of a team. `fields` makes its fields, as JSON, of the time; they are checked like any entry.
/// Blocks.
pub fn begin(
    base: &Base,
    team: RecordId,
    kind: Kind,
    by: &str,
    fields: impl FnOnce(&str) -> Result<Map<String, Value>>,
) -> Result<RecordId> {
    let hand = Hand::of(base, by, "");
    let id = RecordId::fresh(hand.now, &random());
    let mut new_id = new_entry;
    let mut flattener = Flattener { kind, rules: Rules::Entry, new_id: &mut new_id };
    let writes = flattener.object(fields(&hand.message.at)?)?;
    let (_, authored) = Record::begin(id, kind, &writes, &hand.author())
        .map_err(|_| Error::Internal("a record's beginning"))?;
    let written = base.log.write_for(team, move |txn| append(txn, (team, id), &authored, &hand))?;
    base.followed.wait_for(&written, VIEWED);
    Ok(id)
}

/// What a change of this server's own is made with.
struct Hand {
    message: Message,
    key: ed25519_dalek::SigningKey,
    server: [u8; 32],
    now: u64,
}

impl Hand {
    fn of(base: &Base, by: &str, reason: &str) -> Hand {
        let (now, server) = (base.clock.now_ms(), *base.identity.public());
        // To the second, as tablets write it.
        let at = rfc3339(now - now % 1000);
        let message = Message {
            at,
            by: by.to_owned(),
            offset: 0,
            tablet: tablet_id(&server),
            supersedes: Vec::new(),
            reason: reason.to_owned(),
        };
        Hand { message, key: base.identity.key().clone(), server, now }
    }

    /// An actor of its own for each decision: two that are made at once must not share one.
    fn author(&self) -> Author<'_> {
        Author { actor: random(), fresh: random(), message: &self.message }
    }
}

/// Signs a change of the server's own and appends it; its place. One that admission would refuse is rolled back and
/// said to whoever asked: quarantine is for what came from afar. Whoever made it sees nothing older from now on.
fn append(
    txn: &mut Txn,
    (team, record): (RecordId, RecordId),
    authored: &Authored,
    hand: &Hand,
) -> Result<Position> {
    let Hand { key, server, now, message } = hand;
    let items = vec![(record, authored.hash)];
    let list = SignedList { author: *server, signature: sign_list(key, team, &items), items };
    let change = Offered { record, hash: authored.hash, raw: authored.raw.clone(), list: 0 };
    let offer = Offer { team, lists: vec![list], changes: vec![change] };
    let source =
        Source { tablet: tablet_id(server), server: *server, received_at: *now, turn: None, quotas: None };
    let verdicts = log::append(txn, &source, &[offer], &[])?;
    match verdicts.into_iter().flatten().next() {
        Some(Verdict::Accepted { seq }) => {
            let epoch = log::team_by_id(txn.conn, team)?.ok_or(Code::TeamUnknown)?.epoch;
            let position = Position { team, epoch, seq };
            accounts::wrote(txn.conn, &message.by, &position)?;
            Ok(position)
        }
        Some(Verdict::Quarantined { code }) => Err(Code::parse(&code).unwrap_or(Code::NotSettleable).into()),
        _ => Err(Error::Internal("a coordinator's change")),
    }
}
