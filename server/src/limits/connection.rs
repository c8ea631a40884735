//! Connections: so many from one address, and none is kept whose other side takes nothing.

use std::future::{Ready, ready};
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready as is_ready};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::{Inside, Place};
use crate::base::Base;

/// Lets connections in.
#[derive(Clone)]
pub struct Threshold(pub Arc<Base>);

impl<S> Accept<TcpStream, S> for Threshold {
    type Stream = Connection;
    type Service = S;
    type Future = Ready<io::Result<(Connection, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(self.enter(stream).map(|connection| (connection, service)))
    }
}

impl Threshold {
    fn enter(&self, stream: TcpStream) -> io::Result<Connection> {
        // An answer is written whole: holding back its end until its beginning is acknowledged costs a round trip.
        stream.set_nodelay(true)?;
        let limits = &self.0.limits;
        // Nobody has said anything yet that could be answered.
        let inside = limits.connect(stream.peer_addr()?.ip()).map_err(|_| ErrorKind::ConnectionRefused)?;
        Ok(Connection { stream, within: limits.settings().unread_within, stalled: None, _inside: inside })
    }
}

pub struct Connection {
    stream: TcpStream,
    /// How long the other side may take nothing of what is sent to it.
    within: Duration,
    /// Runs while it takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// `None` for a proxy, which has connections for everybody.
    _inside: Option<Inside<Place>>,
}

impl Connection {
    fn taken<T>(&mut self, context: &mut Context<'_>, taken: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if taken.is_ready() {
            self.stalled = None;
            return taken;
        }
        let within = self.within;
        is_ready!(self.stalled.get_or_insert_with(|| Box::pin(sleep(within))).as_mut().poll(context));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.taken(context, taken)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.taken(context, taken)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::limits::{Limit, Settings};
    use crate::testing::Site;

    #[tokio::test]
    async fn who_takes_nothing_and_who_comes_too_often_is_let_go() {
        let site = Site::new();
        let unread_within = Duration::from_millis(50);
        site.base.limits.set(Settings { unread_within, connections: 1, ..Settings::default() });
        let threshold = Threshold(site.base.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let _silent = TcpStream::connect(address).await.unwrap();
        let (mut connection, ()) = threshold.accept(listener.accept().await.unwrap().0, ()).await.unwrap();
        let _another = TcpStream::connect(address).await.unwrap();
        let refused = threshold.accept(listener.accept().await.unwrap().0, ()).await;
        assert_eq!(refused.err().unwrap().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(site.base.limits.counts().of(Limit::Connections), 1);
        // More than any buffer between the two takes.
        let failed = loop {
            if let Err(error) = connection.write_all(&[0; 1 << 16]).await {
                break error;
            }
        };
        assert_eq!(failed.kind(), ErrorKind::TimedOut);
        drop(connection);
        let _third = TcpStream::connect(address).await.unwrap();
        assert!(threshold.accept(listener.accept().await.unwrap().0, ()).await.is_ok());
    }
}
