//! Frames as they arrive: each can be worked with once it is whole, whatever follows it.

use super::{
    Frame, GROUPED, MAX_BODY, MAX_FRAMES, MAX_PAYLOAD, MAX_PLAIN,
    compress::{DICTIONARY, PLAIN, ZSTD, expand},
    read,
};
use crate::sync::{
    signing::SignatureBytes,
    wire::{Malformed, Reader},
};

/// A body that is still arriving.
///
/// Whatever is declared is checked against the caps before anything is allocated for it; what is kept is the frame
/// that is not whole yet, and of a request what its seal covers.
#[derive(Default)]
pub struct Incoming {
    buffer: Vec<u8>,
    /// How much of the buffer has been read.
    done: usize,
    arrived: usize,
    frames: usize,
    plain: usize,
}

impl Incoming {
    /// Takes what came. An error: the body is larger than any may be.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.arrived += bytes.len();
        if self.arrived > MAX_BODY {
            return Err(Malformed);
        }
        if self.done > 0 {
            self.buffer.drain(..self.done);
            self.done = 0;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The next frame that is whole. Frames of unknown types are passed over.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Malformed> {
        while let Some(frame) = self.next_any()? {
            if frame.is_some() {
                return Ok(frame);
            }
        }
        Ok(None)
    }

    /// The head of a request, once its seal is here: the frames before the seal, the bytes that it covers, and it.
    pub fn next_head(&mut self) -> Result<Option<Head>, Malformed> {
        let start = self.done;
        let (frames_before, plain_before) = (self.frames, self.plain);
        let mut frames = Vec::new();
        loop {
            let end = self.done;
            match self.next_any()? {
                Some(Some(Frame::Seal(seal))) => {
                    let signed = self.buffer.get(start..end).ok_or(Malformed)?.to_vec();
                    return Ok(Some(Head { frames, signed, seal }));
                }
                Some(frame) => frames.extend(frame),
                None => {
                    // Read again when more is here: a head is small.
                    (self.done, self.frames, self.plain) = (start, frames_before, plain_before);
                    return Ok(None);
                }
            }
        }
    }

    /// The first frame of a request, once it is here; it stays to be read again.
    pub fn peek(&mut self) -> Result<Option<Frame>, Malformed> {
        let before = (self.done, self.frames, self.plain);
        let frame = self.next_any()?;
        (self.done, self.frames, self.plain) = before;
        Ok(frame.flatten())
    }

    /// How much has arrived and was not read yet.
    pub fn unread(&self) -> usize {
        self.buffer.len() - self.done
    }

    /// Whether everything that arrived has been read: else a frame was cut.
    pub fn is_empty(&self) -> bool {
        self.done == self.buffer.len()
    }

    /// The next whole frame; inside, nothing for a type that is unknown.
    fn next_any(&mut self) -> Result<Option<Option<Frame>>, Malformed> {
        let rest = self.buffer.get(self.done..).ok_or(Malformed)?;
        let mut reader = Reader::new(rest);
        let Some(header) = Header::read(&mut reader)? else { return Ok(None) };
        let Ok(payload) = reader.take(header.length) else { return Ok(None) };
        self.frames += 1;
        self.plain += header.plain;
        if self.frames > MAX_FRAMES || self.plain > MAX_PLAIN {
            return Err(Malformed);
        }
        let unpacked = expand(header.encoding, payload, header.plain)?;
        let frame = read(header.ty, &mut Reader::new(&unpacked))?;
        if let Some(Frame::Changes(changes)) = &frame
            && header.ty == GROUPED
        {
            // A few bytes can become many again.
            self.plain += changes.body_bytes();
            if self.plain > MAX_PLAIN {
                return Err(Malformed);
            }
        }
        self.done += rest.len() - reader.remaining();
        Ok(Some(frame))
    }
}

/// What stands before a request's changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub frames: Vec<Frame>,
    /// The bytes that the seal covers.
    pub signed: Vec<u8>,
    pub seal: SignatureBytes,
}

struct Header {
    ty: u8,
    encoding: u8,
    /// The payload's length once it is plain.
    plain: usize,
    /// And as it comes.
    length: usize,
}

impl Header {
    /// `None`: more must arrive. An error: no more can help.
    fn read(r: &mut Reader) -> Result<Option<Header>, Malformed> {
        let (Ok(ty), Ok(encoding)) = (r.u8(), r.u8()) else { return Ok(None) };
        let plain = match encoding {
            PLAIN => None,
            ZSTD | DICTIONARY => match length(r)? {
                Some(plain) => Some(plain),
                None => return Ok(None),
            },
            _ => return Err(Malformed),
        };
        let Some(length) = length(r)? else { return Ok(None) };
        let plain = plain.unwrap_or(length);
        if plain > MAX_PAYLOAD || length > MAX_BODY {
            return Err(Malformed);
        }
        Ok(Some(Header { ty, encoding, plain, length }))
    }
}

/// A length, if all of it is here.
fn length(r: &mut Reader) -> Result<Option<usize>, Malformed> {
    let left = r.remaining();
    match r.varint() {
        Ok(length) => usize::try_from(length).map(Some).map_err(|_| Malformed),
        // No length takes as many bytes as this.
        Err(_) if left >= 10 => Err(Malformed),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Refusal, decode};
    use super::*;

    fn refusal(n: u64) -> Frame {
        let message = "x".repeat(200 * n as usize);
        Frame::Refusal(Refusal { code: "clock".into(), message, server_time_ms: n })
    }

    #[test]
    fn frames_come_out_as_soon_as_they_are_whole_however_they_arrive() {
        let frames = [refusal(1), refusal(0), refusal(2)];
        let mut body = Vec::new();
        let ends = frames.each_ref().map(|frame| {
            frame.encode(&mut body);
            body.len()
        });
        for step in [1, 2, 7, body.len()] {
            let mut incoming = Incoming::default();
            let mut got = Vec::new();
            let mut arrived = 0;
            for piece in body.chunks(step) {
                incoming.push(piece).unwrap();
                arrived += piece.len();
                while let Some(frame) = incoming.next_frame().unwrap() {
                    got.push(frame);
                }
                assert_eq!(got.len(), ends.iter().filter(|end| **end <= arrived).count());
                assert_eq!(incoming.is_empty(), ends.contains(&arrived), "{arrived}");
            }
            assert_eq!(got, frames);
        }
        assert_eq!(decode(&body).unwrap(), frames);
        assert_eq!(decode(&body[..body.len() - 1]), Err(Malformed));
    }

    #[test]
    fn a_head_ends_with_its_seal() {
        let mut body = Vec::new();
        refusal(1).encode(&mut body);
        let signed = body.clone();
        Frame::Seal([7; 64]).encode(&mut body);
        refusal(0).encode(&mut body);
        let mut incoming = Incoming::default();
        let mut head = None;
        for (at, byte) in body.iter().enumerate() {
            incoming.push(&[*byte]).unwrap();
            if head.is_none() {
                head = incoming.next_head().unwrap();
                assert_eq!(head.is_some(), at + 1 == signed.len() + 67, "{at}");
            }
        }
        assert_eq!(head.unwrap(), Head { frames: vec![refusal(1)], signed, seal: [7; 64] });
        assert_eq!(incoming.next_frame().unwrap(), Some(refusal(0)));
        assert!(incoming.is_empty());
    }

    #[test]
    fn what_is_declared_too_large_is_refused_before_it_arrives() {
        for header in [
            [7, 0, 0x81, 0x80, 0x40].as_slice(),
            &[7, 1, 0x81, 0x80, 0x40, 1, 0],
            &[7, 9],
            &[7, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ] {
            let mut incoming = Incoming::default();
            incoming.push(header).unwrap();
            assert_eq!(incoming.next_frame(), Err(Malformed), "{header:?}");
        }
        let mut incoming = Incoming::default();
        assert_eq!(incoming.push(&vec![0; MAX_BODY + 1]), Err(Malformed));
    }
}
