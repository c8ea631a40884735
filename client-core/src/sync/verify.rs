//! Whether what came was signed by whom base vouches for.

use wayside_protocol::{
    error::Code,
    record::{change_hash, chunk},
    sync::{
        PublicKey, SignatureBytes,
        frame::{Changes, Item},
        verify_certificate, verify_list,
    },
};

use super::plan::SignedList;
use crate::{
    error::{Error, Result},
    store::log::PulledList,
};

/// Verifies every list of a frame: nothing is taken from it otherwise.
pub fn verified(server: &PublicKey, frame: Changes) -> Result<Vec<PulledList>> {
    let certified = |(key, certificate): &(PublicKey, SignatureBytes)| {
        key == server || verify_certificate(server, key, certificate)
    };
    if !frame.authors.iter().all(certified) {
        return Err(Error::Failed(Code::SignatureInvalid));
    }
    let mut lists = Vec::with_capacity(frame.lists.len());
    for list in frame.lists {
        let items = list.signed_items(change_hash);
        let (author, certificate) = match list.author.checked_sub(1) {
            None => (*server, [0; 64]),
            Some(index) => *frame.authors.get(index).ok_or(Error::Failed(Code::FrameMalformed))?,
        };
        if !verify_list(&author, frame.team, &items, &list.signature) {
            return Err(Error::Failed(Code::SignatureInvalid));
        }
        let mut bodies = Vec::new();
        for item in list.items {
            let Item::Body { record, seq, raw } = item else { continue };
            if seq == 0 {
                return Err(Error::Failed(Code::FrameMalformed));
            }
            chunk::parse(&raw)?;
            bodies.push((record, seq, raw));
        }
        let list = SignedList { author, certificate, signature: list.signature, items };
        lists.push(PulledList { list, bodies });
    }
    Ok(lists)
}
