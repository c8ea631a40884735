//! A real TCP link that is as slow as it is told to be. It knows nothing of what goes through, loses nothing and has no
//! slow start: what a sync takes on it is what the sync itself is to blame for.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream, tcp},
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// What goes at once, about a packet.
const PACKET: usize = 1448;
/// What waits in the link itself before whoever sends has to.
const BUFFER: u64 = 32 << 10;

/// How slow a link is, each way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// From one end to the other: half of a round trip.
    pub delay: Duration,
    /// Bytes a second; `None` for as fast as this machine is.
    pub rate: Option<u64>,
}

impl Pace {
    pub const GOOD: Pace = Pace { delay: Duration::ZERO, rate: None };
    /// 300 ms round trip and 200 kbit/s: what we build for.
    pub const BAD: Pace = Pace { delay: Duration::from_millis(150), rate: Some(25_000) };

    /// The least that one request and its answer can take: a round trip to connect, one to ask, and the bytes.
    pub fn least(&self, up: u64, down: u64) -> Duration {
        let bytes = self
            .rate
            .map_or(Duration::ZERO, |rate| Duration::from_secs_f64((up + down) as f64 / rate as f64));
        4 * self.delay + bytes
    }
}

/// One direction of a link, which all its connections share.
#[derive(Default)]
struct Way {
    bytes: AtomicU64,
    /// When what was sent last will be on its way.
    free: Mutex<Option<Instant>>,
}

/// A proxy on a port of its own.
pub struct SlowLink {
    addr: SocketAddr,
    /// For connections that come.
    leads: watch::Sender<(SocketAddr, Pace)>,
    ways: Arc<[Way; 2]>,
    listening: JoinHandle<()>,
}

impl SlowLink {
    /// A good link to nowhere yet.
    pub async fn new() -> std::io::Result<SlowLink> {
        let socket = TcpSocket::new_v4()?;
        // What the kernel buffers is no slow link: whoever sends should notice.
        socket.set_recv_buffer_size(BUFFER as u32 / 2)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(64)?;
        let addr = listener.local_addr()?;
        let (leads, led) = watch::channel((addr, Pace::GOOD));
        let ways = Arc::new([Way::default(), Way::default()]);
        let listening = tokio::spawn(listen(listener, led, ways.clone()));
        Ok(SlowLink { addr, leads, ways, listening })
    }

    /// The address that tablets are given.
    pub fn url(&self) -> String {
        format!("https://{}", self.addr)
    }

    /// Connections from now on lead there, so slowly.
    pub fn lead(&self, server: SocketAddr, pace: Pace) {
        self.leads.send_replace((server, pace));
    }

    /// Bytes carried up and down since the link was made.
    pub fn carried(&self) -> (u64, u64) {
        let [up, down] = self.ways.as_ref();
        (up.bytes.load(Ordering::Relaxed), down.bytes.load(Ordering::Relaxed))
    }
}

impl Drop for SlowLink {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, led: watch::Receiver<(SocketAddr, Pace)>, ways: Arc<[Way; 2]>) {
    while let Ok((tablet, _)) = listener.accept().await {
        let ((server, pace), ways) = (*led.borrow(), ways.clone());
        tokio::spawn(async move {
            // The first byte leaves when the answer to the connection's first packet is back.
            let ready = Instant::now() + 2 * pace.delay;
            let Ok(server) = TcpStream::connect(server).await else { return };
            if tablet.set_nodelay(true).and(server.set_nodelay(true)).is_err() {
                return;
            }
            let ((tablet_in, tablet_out), (server_in, server_out)) =
                (tablet.into_split(), server.into_split());
            let [up, down] = ways.as_ref();
            // Each way ends by itself: one that has said everything may still be answered.
            tokio::join!(
                carry(tablet_in, server_out, up, pace, ready),
                carry(server_in, tablet_out, down, pace, ready)
            );
        });
    }
}

/// Carries bytes one way until the end.
async fn carry(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    way: &Way,
    pace: Pace,
    ready: Instant,
) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let arriving = async move {
        while let Some((at, bytes)) = receiver.recv().await {
            sleep_until(at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        to.shutdown().await.ok();
    };
    let leaving = async move {
        let mut buffer = vec![0; if pace.rate.is_some() { PACKET } else { 64 << 10 }];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            sleep_until(ready).await;
            way.bytes.fetch_add(read as u64, Ordering::Relaxed);
            let gone = way.send(read as u64, pace.rate).await;
            if sender.send((gone + pace.delay, buffer[..read].to_vec())).is_err() {
                return;
            }
        }
    };
    tokio::join!(arriving, leaving);
}

impl Way {
    /// When so many bytes have left. Returns as soon as there is room for them.
    async fn send(&self, bytes: u64, rate: Option<u64>) -> Instant {
        let now = Instant::now();
        let Some(rate) = rate else { return now };
        let takes = |bytes: u64| Duration::from_secs_f64(bytes as f64 / rate as f64);
        let free = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let next = free.unwrap_or(now).max(now) + takes(bytes);
            *free = Some(next);
            next
        };
        sleep_until(free - takes(BUFFER).min(free - now)).await;
        free
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// At the least; how much longer is up to the machine.
    #[tokio::test]
    async fn bytes_take_their_time() {
        let echo = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let link = SlowLink::new().await.unwrap();
        link.lead(echo.local_addr().unwrap(), Pace { delay: Duration::from_millis(40), rate: Some(100_000) });
        tokio::spawn(async move {
            let (mut server, _) = echo.accept().await.unwrap();
            let mut asked = [0; 20_000];
            server.read_exact(&mut asked).await.unwrap();
            server.write_all(&[1; 10_000]).await.unwrap();
        });
        let begun = Instant::now();
        let mut tablet = TcpStream::connect(link.addr).await.unwrap();
        tablet.write_all(&[0; 20_000]).await.unwrap();
        let mut answer = Vec::new();
        tablet.read_to_end(&mut answer).await.unwrap();
        let least = Pace { delay: Duration::from_millis(40), rate: Some(100_000) }.least(20_000, 10_000);
        assert_eq!(least, Duration::from_millis(160 + 300));
        assert_eq!((answer.len(), link.carried()), (10_000, (20_000, 10_000)));
        // A moment less: clocks are read between packets.
        assert!(begun.elapsed() + Duration::from_millis(5) >= least, "{:?}", begun.elapsed());
    }
}
