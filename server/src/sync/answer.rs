//! An answer, written down frame by frame: what takes long is compressing changes, and a tablet can store the first of
//! them meanwhile.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use futures_util::stream;
use tokio::sync::mpsc;
use wayside_protocol::sync::frame::Frame;

use super::Gate;

/// An answer as far as it is written.
pub struct Answer {
    written: Vec<u8>,
    left: VecDeque<Frame>,
    capabilities: u64,
}

impl Answer {
    /// For a receiver with these capabilities. Written as far as the first changes, or to the end where there are no
    /// others.
    pub fn of(frames: Vec<Frame>, capabilities: u64) -> Answer {
        let mut answer = Answer { written: Vec::new(), left: frames.into(), capabilities };
        answer.write_on();
        if !answer.left.iter().any(is_changes) {
            answer.write_on();
        }
        answer
    }

    /// Writes the next changes, or all that is left.
    fn write_on(&mut self) {
        while let Some(frame) = self.left.pop_front() {
            frame.encode_for(self.capabilities, &mut self.written);
            if is_changes(&frame) {
                break;
            }
        }
    }

    pub fn whole(mut self) -> Vec<u8> {
        while !self.left.is_empty() {
            self.write_on();
        }
        self.written
    }

    /// A body that goes while it is being written. However slowly it is taken, only compressed frames wait for that.
    pub fn into_body(mut self, gate: Arc<Gate>) -> Body {
        if self.left.is_empty() {
            return Body::from(self.written);
        }
        let (sender, mut pieces) = mpsc::unbounded_channel();
        let write = move || {
            // Ends early where the tablet has gone.
            while sender.send(std::mem::take(&mut self.written)).is_ok() && !self.left.is_empty() {
                self.write_on();
            }
            Ok(())
        };
        tokio::spawn(async move { gate.work(write).await });
        let pieces = stream::poll_fn(move |context| pieces.poll_recv(context));
        Body::from_stream(futures_util::StreamExt::map(pieces, Ok::<_, Infallible>))
    }
}

fn is_changes(frame: &Frame) -> bool {
    matches!(frame, Frame::Changes(_))
}

#[cfg(test)]
mod tests {
    use axum::body::HttpBody;
    use http_body_util::BodyExt;
    use wayside_protocol::record::RecordId;
    use wayside_protocol::sync::capability;
    use wayside_protocol::sync::frame::{Changes, Item, List, State, decode};

    use super::*;

    fn frames(changes: u8) -> Vec<Frame> {
        let changes = (0..changes).map(|n| {
            let items = vec![Item::Absent { record: RecordId::from_bytes([n; 16]), hash: [n; 32] }];
            let lists = vec![List { author: 0, signature: [n; 64], items }];
            Frame::Changes(Changes { team: RecordId::from_bytes([9; 16]), authors: Vec::new(), lists })
        });
        let state = Frame::State(State { server_time_ms: 1, teams: Vec::new() });
        changes.chain([state]).collect()
    }

    #[tokio::test]
    async fn a_long_answer_goes_while_it_is_written_and_is_the_same() {
        let whole = Answer::of(frames(3), capability::OURS).whole();
        assert_eq!(decode(&whole).unwrap(), frames(3));
        let mut body = Answer::of(frames(3), capability::OURS).into_body(Arc::default());
        assert_eq!(body.size_hint().exact(), None);
        let mut pieces = Vec::new();
        while let Some(piece) = body.frame().await {
            pieces.push(piece.unwrap().into_data().unwrap());
        }
        assert_eq!(pieces.concat(), whole);
        // The first can be stored before the second is there.
        assert_eq!(decode(&pieces[0]).unwrap(), frames(3)[..1]);
        assert_eq!(pieces.len(), 4);

        // A short one says its length.
        for few in [0, 1] {
            let whole = Answer::of(frames(few), capability::OURS).whole();
            let body = Answer::of(frames(few), capability::OURS).into_body(Arc::default());
            assert_eq!(body.size_hint().exact(), Some(whole.len() as u64));
            assert_eq!(decode(&whole).unwrap(), frames(few));
        }
    }
}
