//! Bytes from the network, read as frames.
//!
//! Nothing panics; what is read stays within the caps; it does not matter in which pieces a body arrives; and what was
//! read, written again, plainly or grouped, is read as the same.
//!
//! The first byte: 0, a body as it comes; 1, a changes frame in its grouped form before compression; 2, the payload of
//! one frame, whose type is the second byte; 3, a body that arrives in pieces of at most the second byte's length.

use wayside_protocol::sync::{
    Frame, capability,
    frame::{Incoming, Item, MAX_PAYLOAD, decode, unseal},
    wire::Writer,
};

const GROUPED: u8 = 9;

pub fn run(bytes: &[u8]) {
    match bytes {
        [0, body @ ..] => {
            let _ = unseal(body);
            let _ = head(body);
            check(body, body.len() / 2);
        }
        [1, payload @ ..] => check(&frame(GROUPED, payload), payload.len()),
        [2, ty, payload @ ..] => check(&frame(*ty, payload), 1),
        [3, piece, body @ ..] => check(body, usize::from(*piece)),
        _ => {}
    }
}

fn check(body: &[u8], piece: usize) {
    let frames = decode(body);
    // The pieces of a very long body would only take long.
    if body.len() < 4096 || piece > 64 {
        assert_eq!(in_pieces(body, piece.max(1)), frames.clone().ok(), "in pieces");
    }
    for frame in frames.unwrap_or_default() {
        let bytes: usize = match &frame {
            Frame::Changes(changes) => {
                let items = changes.lists.iter().flat_map(|list| &list.items);
                items.map(|item| if let Item::Body { raw, .. } = item { raw.len() } else { 0 }).sum()
            }
            _ => 0,
        };
        // A grouped frame may be many times as long in its plain form, and then nobody sends that.
        if bytes > MAX_PAYLOAD / 2 {
            continue;
        }
        for capabilities in [0, capability::GROUPED] {
            let mut again = Vec::new();
            frame.encode_for(capabilities, &mut again);
            assert_eq!(decode(&again).as_deref(), Ok(std::slice::from_ref(&frame)), "written again");
        }
    }
}

fn in_pieces(body: &[u8], piece: usize) -> Option<Vec<Frame>> {
    let mut incoming = Incoming::default();
    let mut frames = Vec::new();
    for piece in body.chunks(piece) {
        incoming.push(piece).ok()?;
        let _ = incoming.peek();
        while let Some(frame) = incoming.next_frame().ok()? {
            frames.push(frame);
        }
    }
    incoming.is_empty().then_some(frames)
}

/// The head of a request covers what stands before its seal.
fn head(body: &[u8]) -> Option<()> {
    let mut incoming = Incoming::default();
    incoming.push(body).ok()?;
    let head = incoming.next_head().ok()??;
    assert!(body.starts_with(&head.signed));
    assert_eq!(decode(&head.signed), Ok(head.frames));
    Some(())
}

/// One frame that is not compressed.
fn frame(ty: u8, payload: &[u8]) -> Vec<u8> {
    let mut body = Writer::default();
    body.u8(ty);
    body.u8(0);
    body.bytes(payload);
    body.0
}
