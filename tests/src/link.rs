//! A real TCP link between a tablet and its server, which can be cut: refused, closed in mid-word,
//! or ended after so many bytes, which may still arrive later. Nothing in it knows what goes through.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// A proxy on a port of its own in front of `server`.
pub struct Link {
    addr: SocketAddr,
    server: SocketAddr,
    listener: Option<JoinHandle<()>>,
    /// Raised to close every connection there is.
    cuts: watch::Sender<u64>,
    budget: Arc<Budget>,
    carried: watch::Sender<u64>,
    late: watch::Sender<Late>,
}

/// What a link does with what is on its way when it is cut.
#[derive(Clone, Copy, Default)]
struct Late {
    /// Ends each connection, as the tablet sees it, after so many bytes of a request, and keeps them.
    cut_at: Option<usize>,
    /// Connections whose bytes have not arrived.
    kept: usize,
    arrives: bool,
}

/// How many more bytes go through, both ways together, before the link cuts itself.
struct Budget(AtomicU64);

const UNLIMITED: u64 = u64::MAX;

impl Budget {
    /// Takes up to `wanted` bytes from the budget.
    fn take(&self, wanted: u64) -> u64 {
        let mut taken = 0;
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            if left == UNLIMITED {
                taken = wanted;
                return None;
            }
            taken = wanted.min(left);
            Some(left - taken)
        });
        taken
    }
}

impl Link {
    /// A link that is up.
    pub async fn up(server: SocketAddr) -> std::io::Result<Link> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let mut link = Link {
            addr: listener.local_addr()?,
            server,
            listener: None,
            cuts: watch::channel(0).0,
            budget: Arc::new(Budget(AtomicU64::new(UNLIMITED))),
            carried: watch::channel(0).0,
            late: watch::channel(Late::default()).0,
        };
        link.listen(listener);
        Ok(link)
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address that tablets are given.
    pub fn url(&self) -> String {
        format!("https://{}", self.addr)
    }

    /// Bytes carried in both directions since the link was made.
    pub fn carried(&self) -> u64 {
        *self.carried.borrow()
    }

    /// Waits until `bytes` have been carried since the link was made.
    pub async fn has_carried(&self, bytes: u64) {
        // The sender lives as long as the link, so this never fails.
        let _ = self.carried.subscribe().wait_for(|carried| *carried >= bytes).await;
    }

    /// No signal: connections are refused, and those there are end in mid-word.
    pub async fn cut(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.abort();
            // Wait until the port is really closed, so that the next connection is refused.
            let _ = listener.await;
        }
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    pub async fn restore(&mut self) -> std::io::Result<()> {
        self.budget.0.store(UNLIMITED, Ordering::SeqCst);
        if self.listener.is_none() {
            let listener = TcpListener::bind(self.addr).await?;
            self.listen(listener);
        }
        Ok(())
    }

    /// The server moved: later connections go there.
    pub async fn lead_to(&mut self, server: SocketAddr) -> std::io::Result<()> {
        self.cut().await;
        self.server = server;
        self.restore().await
    }

    /// The link cuts every connection once `bytes` more have gone through, both ways together.
    pub fn cut_after(&self, bytes: u64) {
        self.budget.0.store(bytes, Ordering::SeqCst);
    }

    /// From now on the link cuts every connection after `bytes` of the tablet's request, and the server sees of it
    /// no more than the beginning of a handshake until [`Self::let_arrive`].
    pub fn cut_late(&self, bytes: usize) {
        self.late.send_modify(|late| late.cut_at = Some(bytes));
    }

    /// New connections hold; what was kept stays so.
    pub fn hold(&self) {
        self.late.send_modify(|late| late.cut_at = None);
    }

    /// What was kept arrives now. Returns when the server is done with it.
    pub async fn let_arrive(&self) {
        self.late.send_modify(|late| late.arrives = true);
        let _ = self.late.subscribe().wait_for(|late| late.kept == 0).await;
        self.late.send_modify(|late| late.arrives = false);
    }

    fn listen(&mut self, listener: TcpListener) {
        let (server, budget, carried) = (self.server, self.budget.clone(), self.carried.clone());
        let (cuts, late) = (self.cuts.clone(), self.late.clone());
        self.listener = Some(tokio::spawn(async move {
            while let Ok((tablet, _)) = listener.accept().await {
                let (budget, carried, mut cut) = (budget.clone(), carried.clone(), cuts.subscribe());
                let late = late.clone();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(server).await else { return };
                    let cut_at = late.borrow().cut_at;
                    if let Some(bytes) = cut_at {
                        late.send_modify(|late| late.kept += 1);
                        carry_late(tablet, server, bytes, &late).await;
                        late.send_modify(|late| late.kept -= 1);
                        return;
                    }
                    let (tablet_in, tablet_out) = tablet.into_split();
                    let (server_in, server_out) = server.into_split();
                    tokio::select! {
                        () = carry(tablet_in, server_out, &budget, &carried) => {}
                        () = carry(server_in, tablet_out, &budget, &carried) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        }));
    }
}

/// Carries bytes one way until the end, or until the budget is spent.
async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    budget: &Budget,
    carried: &watch::Sender<u64>,
) {
    let mut buffer = [0; 16 << 10];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        let allowed = budget.take(read as u64) as usize;
        carried.send_modify(|carried| *carried += allowed as u64);
        if to.write_all(&buffer[..allowed]).await.is_err() || allowed < read {
            return;
        }
    }
}

/// Carries a handshake's first word, keeps `bytes` of what the tablet says then, and cuts the tablet off. What was kept
/// arrives when it may.
async fn carry_late(mut tablet: TcpStream, mut server: TcpStream, bytes: usize, late: &watch::Sender<Late>) {
    let (mut buffer, mut answer, mut kept) = ([0; 16 << 10], [0; 16 << 10], Vec::new());
    let Ok(read @ 1..) = tablet.read(&mut buffer).await else { return };
    if server.write_all(&buffer[..read]).await.is_err() {
        return;
    }
    while kept.len() < bytes {
        tokio::select! {
            read = tablet.read(&mut buffer) => match read {
                Ok(read @ 1..) => kept.extend_from_slice(&buffer[..read]),
                _ => break,
            },
            read = server.read(&mut answer) => match read {
                Ok(read @ 1..) if tablet.write_all(&answer[..read]).await.is_ok() => {}
                _ => return,
            },
        }
    }
    kept.truncate(bytes);
    drop(tablet);
    let _ = late.subscribe().wait_for(|late| late.arrives).await;
    if server.write_all(&kept).await.is_ok() && server.shutdown().await.is_ok() {
        while let Ok(1..) = server.read(&mut answer).await {}
    }
}
