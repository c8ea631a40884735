//! Changes with the lists that their authors signed.

use super::{CHANGES, MAX_LIST, MAX_LISTS, record};
use crate::{
    record::{Hash, RecordId},
    sync::{
        signing::{ListItem, PublicKey, SignatureBytes},
        wire::{Malformed, Reader, Writer},
    },
};

/// Changes of one team: from a tablet what it offers, from the server what the log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    pub team: RecordId,
    /// Authors other than the sender, with the server's certificate for each.
    pub authors: Vec<(PublicKey, SignatureBytes)>,
    pub lists: Vec<List>,
}

/// A list as its author signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// 0 is the frame's sender, n is `authors[n - 1]`.
    pub author: usize,
    pub signature: SignatureBytes,
    pub items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A change itself; `seq` is its number in the log, 0 where it has none.
    Body { record: RecordId, seq: u64, raw: Vec<u8> },
    /// A change that stands in the signed list but not in this frame.
    Absent { record: RecordId, hash: Hash },
}

impl Changes {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.raw(self.team.as_bytes());
        w.varint(self.authors.len() as u64);
        for (key, certificate) in &self.authors {
            w.raw(key);
            w.raw(certificate);
        }
        w.varint(self.lists.len() as u64);
        for list in &self.lists {
            w.varint(list.author as u64);
            w.raw(&list.signature);
            w.varint(list.items.len() as u64);
            for item in &list.items {
                match item {
                    Item::Body { record, seq, raw } => {
                        w.u8(0);
                        w.raw(record.as_bytes());
                        w.varint(*seq);
                        w.bytes(raw);
                    }
                    Item::Absent { record, hash } => {
                        w.u8(1);
                        w.raw(record.as_bytes());
                        w.raw(hash);
                    }
                }
            }
        }
        CHANGES
    }

    pub(super) fn read(r: &mut Reader) -> Result<Changes, Malformed> {
        let team = record(r)?;
        let authors = (0..r.count(96)?).map(|_| Ok((r.array()?, r.array()?)));
        let authors = authors.collect::<Result<Vec<_>, Malformed>>()?;
        let mut lists = Vec::new();
        let count = r.count(66)?;
        if count > MAX_LISTS {
            return Err(Malformed);
        }
        for _ in 0..count {
            let author = usize::try_from(r.varint()?).map_err(|_| Malformed)?;
            let signature = r.array()?;
            let count = r.count(19)?;
            if author > authors.len() || count == 0 || count > MAX_LIST {
                return Err(Malformed);
            }
            let items = (0..count).map(|_| match r.u8()? {
                0 => Ok(Item::Body { record: record(r)?, seq: r.varint()?, raw: r.bytes()?.to_vec() }),
                1 => Ok(Item::Absent { record: record(r)?, hash: r.array()? }),
                _ => Err(Malformed),
            });
            let items = items.collect::<Result<_, _>>()?;
            lists.push(List { author, signature, items });
        }
        Ok(Changes { team, authors, lists })
    }

    /// What the changes that stand in this frame take together, in bytes.
    pub(super) fn body_bytes(&self) -> usize {
        let items = self.lists.iter().flat_map(|list| &list.items);
        items.map(|item| if let Item::Body { raw, .. } = item { raw.len() } else { 0 }).sum()
    }

    /// How many changes stand in this frame with their bytes.
    pub fn bodies(&self) -> usize {
        let items = self.lists.iter().flat_map(|list| &list.items);
        items.filter(|item| matches!(item, Item::Body { .. })).count()
    }
}

impl List {
    /// The list as it was signed. `hash` gives a change's hash from its bytes; it is called for
    /// every body, so that bytes altered on the way never match the signature.
    pub fn signed_items(&self, hash: impl Fn(&[u8]) -> Hash) -> Vec<ListItem> {
        let items = self.items.iter().map(|item| match item {
            Item::Body { record, raw, .. } => (*record, hash(raw)),
            Item::Absent { record, hash } => (*record, *hash),
        });
        items.collect()
    }
}
