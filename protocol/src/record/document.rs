//! One record as an Automerge document: made, edited on the heads that were shown, loaded.
//!
//! Everything here trusts its input to have passed admission; it still never panics on honest data
//! and reports what does not load.

use automerge::{
    ActorId, Automerge, ChangeHash, ROOT, ReadDoc, ScalarValue, Value as AmValue,
    transaction::{CommitOptions, Transactable},
};

use sha2::{Digest, Sha256};

use super::{
    chunk::{self, MAGIC, MAX_DEPS},
    flatten::Write,
    ids::RecordId,
    message::Message,
    schema::{Kind, SCHEMA_VERSION},
    value::Scalar,
};

/// The hash of a change.
pub type Hash = [u8; 32];

/// The hash of a change from its bytes: SHA-256 of everything behind magic and checksum, if these
/// match. Other bytes have a name too, so that they can stand in quarantine, but never that of an
/// honest change: else somebody could alter the first 8 bytes and have the honest ones refused.
pub fn change_hash(raw: &[u8]) -> Hash {
    if let Some((head, rest)) = raw.split_at_checked(8) {
        let hash: Hash = Sha256::digest(rest).into();
        if head.starts_with(&MAGIC) && head.ends_with(&hash[..4]) {
            return hash;
        }
    }
    Sha256::new().chain_update(b"not a change").chain_update(raw).finalize().into()
}

/// A name for who makes changes in one run of a process: 16 random bytes, never stored for reuse.
pub type Actor = [u8; 16];

#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Stored bytes do not give back the changes that they should hold.
    #[error("the record's stored changes cannot be read back")]
    Unreadable,
    /// The heads to edit on are not in this record.
    #[error("the heads to edit on are not known here")]
    UnknownHeads,
    #[error("the record could not be changed")]
    Automerge(#[from] automerge::AutomergeError),
}

/// A change as it was made: stored, signed and sent as these bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authored {
    pub hash: Hash,
    pub raw: Vec<u8>,
    pub actor: Actor,
    pub seq: u64,
}

/// Who makes a change: the actor of this run, one to fall back on where that actor's own history
/// does not allow it, and what the change says of itself.
#[derive(Debug, Clone)]
pub struct Author<'a> {
    pub actor: Actor,
    /// Used where the edit is based on older heads than the record's own, so that nothing is forked.
    pub fresh: Actor,
    pub message: &'a Message,
}

/// A working document: what is accepted plus one's own pending changes.
pub struct Record {
    pub(super) id: RecordId,
    pub(super) doc: Automerge,
}

impl Record {
    /// A record's beginning: sets `id`, `kind`, `schema` and the first fields in one change.
    pub fn begin(
        id: RecordId,
        kind: Kind,
        writes: &[Write],
        author: &Author,
    ) -> Result<(Record, Authored), RecordError> {
        let mut record = Record { id, doc: Automerge::new() };
        let mut all = vec![
            Write { path: "id".into(), value: Scalar::Text(id.to_string()) },
            Write { path: "kind".into(), value: Scalar::Text(kind.as_str().into()) },
            Write { path: "schema".into(), value: Scalar::Int(SCHEMA_VERSION) },
        ];
        all.extend_from_slice(writes);
        record.doc.set_actor(ActorId::from(author.actor));
        let authored = commit(&mut record.doc, &all, author)?.ok_or(RecordError::Unreadable)?;
        Ok((record, authored))
    }

    /// Loads a record from its raw changes, each after those it depends on. None at all gives an
    /// empty record, which has no kind.
    pub fn load<B: AsRef<[u8]>>(
        id: RecordId,
        changes: impl IntoIterator<Item = B>,
    ) -> Result<Record, RecordError> {
        let mut bytes = Vec::new();
        let mut count = 0;
        for change in changes {
            bytes.extend_from_slice(change.as_ref());
            count += 1;
        }
        let mut doc = Automerge::new();
        if count > 0 {
            doc.load_incremental(&bytes)?;
        }
        // `load_incremental` swallows a corrupt tail, and queues what depends on the unknown.
        if doc.get_changes_meta(&[]).len() != count {
            return Err(RecordError::Unreadable);
        }
        Ok(Record { id, doc })
    }

    pub fn id(&self) -> RecordId {
        self.id
    }

    /// `None` when the record is empty or its kind is one of a newer version.
    pub fn kind(&self) -> Option<Kind> {
        match self.scalars("kind").first() {
            Some(Scalar::Text(text)) => Kind::parse(text),
            _ => None,
        }
    }

    /// What a screen has shown: the base of the edit that it leads to. Sorted.
    pub fn heads(&self) -> Vec<Hash> {
        let mut heads: Vec<Hash> = self.doc.get_heads().into_iter().map(|h| h.0).collect();
        heads.sort_unstable();
        heads
    }

    /// The different concurrent values at a path.
    pub fn scalars(&self, path: &str) -> Vec<Scalar> {
        let mut values: Vec<Scalar> = Vec::new();
        for (value, _) in self.doc.get_all(ROOT, path).unwrap_or_default() {
            if let AmValue::Scalar(value) = value
                && let Some(value) = Scalar::from_automerge(&value)
                && !values.contains(&value)
            {
                values.push(value);
            }
        }
        values
    }

    /// Whether anything was ever written at a path.
    pub fn has(&self, path: &str) -> bool {
        matches!(self.doc.get(ROOT, path), Ok(Some(_)))
    }

    /// One saved form: a change on the heads that the screen showed (`None`: the current ones).
    /// Returns `None` when nothing is different from what the screen showed.
    ///
    /// Where that is more heads than a change may name, the rest stays beside the edit, as a conflict if it says
    /// something else; the next edit takes it in.
    pub fn edit(
        &mut self,
        base: Option<&[Hash]>,
        writes: &[Write],
        author: &Author,
    ) -> Result<Option<Authored>, RecordError> {
        let heads = self.heads();
        let mut base = base.map_or_else(|| heads.clone(), <[Hash]>::to_vec);
        self.keep_most_relevant(&mut base, writes);
        base.sort_unstable();
        if base == heads {
            self.doc.set_actor(ActorId::from(author.actor));
            return commit(&mut self.doc, writes, author);
        }
        let base: Vec<ChangeHash> = base.into_iter().map(ChangeHash).collect();
        let mut fork = self.doc.fork_at(&base).map_err(|_| RecordError::UnknownHeads)?;
        fork.set_actor(ActorId::from(author.fresh));
        let authored = commit(&mut fork, writes, author)?;
        if let Some(authored) = &authored {
            self.doc.load_incremental(&authored.raw)?;
        }
        Ok(authored)
    }

    /// Keeps as many heads as a change may name, those first that wrote what is written now.
    fn keep_most_relevant(&self, heads: &mut Vec<Hash>, writes: &[Write]) {
        let most = MAX_DEPS as usize;
        if heads.len() <= most {
            return;
        }
        let wrote = |head: &Hash| {
            let change = self.doc.get_change_by_hash(&ChangeHash(*head));
            let wrote = |raw: &[u8]| {
                let chunk = chunk::parse(raw).ok()?;
                Some(chunk.keys().any(|key| writes.iter().any(|write| write.path == key)))
            };
            change.and_then(|change| wrote(change.raw_bytes())).unwrap_or(false)
        };
        heads.sort_by_cached_key(|head| !wrote(head));
        heads.truncate(most);
    }
}

fn commit(doc: &mut Automerge, writes: &[Write], author: &Author) -> Result<Option<Authored>, RecordError> {
    let actor = doc.get_actor().clone();
    let mut transaction = doc.transaction();
    for write in writes {
        let value: ScalarValue = write.value.to_automerge();
        // Putting the value that Automerge prefers among several makes it *delete* the others, and a
        // delete can hide what it never saw: settle with a value of its own instead.
        let concurrent = transaction.get_all(ROOT, write.path.as_str())?;
        if concurrent.len() > 1 && concurrent.last().is_some_and(|(held, _)| held.as_scalar() == Some(&value))
        {
            let other =
                if value == ScalarValue::Null { ScalarValue::Boolean(false) } else { ScalarValue::Null };
            transaction.put(ROOT, write.path.as_str(), other)?;
        }
        transaction.put(ROOT, write.path.as_str(), value)?;
    }
    // The time stands in the message, once; Automerge's own stays 0.
    let options = CommitOptions::default().with_message(author.message.to_text()).with_time(0);
    let Some(hash) = transaction.commit_with(options).0 else { return Ok(None) };
    let change = doc.get_change_by_hash(&hash).ok_or(RecordError::Unreadable)?;
    Ok(Some(Authored {
        hash: hash.0,
        raw: change.raw_bytes().to_vec(),
        actor: actor.to_bytes().try_into().map_err(|_| RecordError::Unreadable)?,
        seq: change.seq(),
    }))
}
