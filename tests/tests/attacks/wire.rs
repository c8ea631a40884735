//! HTTP as an attacker speaks it: byte for byte, over TLS or without.

use std::{
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use wayside_protocol::sync::{Frame, frame};

/// Only a server that hangs is waited for as long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where to knock.
#[derive(Clone)]
pub struct Door {
    pub addr: SocketAddr,
    /// Whose certificate, in PEM, is trusted; `None` without TLS.
    pub certificate: Option<Vec<u8>>,
    pub versions: &'static [&'static SupportedProtocolVersion],
}

/// One connection.
pub struct Line(BufReader<Box<dyn Stream>>);

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What a header says; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        let pairs = self.head.lines().filter_map(|line| line.split_once(':'));
        pairs
            .filter(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .next()
            .unwrap_or("")
    }

    /// The cookie that it sets, as it is sent back.
    pub fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
    }

    /// Why it refuses, in frames or in JSON; empty where it says no such thing.
    pub fn code(&self) -> String {
        if let Ok([Frame::Refusal(refusal)]) = frame::decode(&self.body).as_deref() {
            return refusal.code.clone();
        }
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        json["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Door {
    pub fn connect(&self) -> io::Result<Line> {
        let stream = TcpStream::connect(self.addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let Some(certificate) = &self.certificate else { return Ok(Line(BufReader::new(Box::new(stream)))) };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificate).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = ClientConnection::new(Arc::new(config), ServerName::from(self.addr.ip())).unwrap();
        Ok(Line(BufReader::new(Box::new(StreamOwned::new(client, stream)))))
    }

    /// One request on a connection of its own.
    pub fn ask(&self, request: &[u8]) -> Answer {
        let mut line = self.connect().unwrap();
        line.say(request).unwrap();
        line.hear().unwrap().expect("an answer")
    }
}

impl Line {
    pub fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = self.0.get_mut();
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// The next answer; `None` where the connection ended instead.
    pub fn hear(&mut self) -> io::Result<Option<Answer>> {
        let mut head = String::new();
        loop {
            let before = head.len();
            match self.0.read_line(&mut head) {
                Ok(0) => return Ok(None),
                Err(error) if head.is_empty() && is_end(&error) => return Ok(None),
                read => drop(read?),
            }
            if head[before..].trim_end().is_empty() {
                break;
            }
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "this is no HTTP"))?;
        let mut answer = Answer { status, head, body: Vec::new() };
        if answer.header("transfer-encoding").contains("chunked") {
            loop {
                let mut size = String::new();
                self.0.read_line(&mut size)?;
                let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
                let from = answer.body.len();
                answer.body.resize(from + size + 2, 0);
                self.0.read_exact(&mut answer.body[from..])?;
                answer.body.truncate(from + size);
                if size == 0 {
                    break;
                }
            }
        } else {
            answer.body.resize(answer.header("content-length").parse().unwrap_or_default(), 0);
            self.0.read_exact(&mut answer.body)?;
        }
        Ok(Some(answer))
    }
}

/// Whether the other end has gone, politely or not.
fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
    )
}

/// A request, with these headers beside the length of its body.
pub fn http(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}
