//! A browser that is only its requests: one connection, one cookie.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

pub struct Client {
    addr: SocketAddr,
    stream: BufReader<TcpStream>,
    cookie: String,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    /// From the first byte sent to the last byte here.
    pub taken: Duration,
    /// Of the body, as it was on the wire.
    pub wire: usize,
    pub compressed: bool,
    pub location: String,
    cookie: String,
    body: Vec<u8>,
}

impl Answer {
    /// The body of an answer that was asked for without compression.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    /// Signs in with a one-time link to the pages at this address.
    pub fn sign_in(addr: SocketAddr, link: &str) -> Result<Client> {
        let stream = BufReader::new(TcpStream::connect(addr)?);
        stream.get_ref().set_nodelay(true)?;
        let mut client = Client { addr, stream, cookie: String::new() };
        let path = link.split_once("//").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
        let answer = client.get(path.context("a link")?)?;
        client.cookie = answer.cookie.split(';').next().unwrap_or_default().to_owned();
        ensure!(!client.cookie.is_empty(), "not signed in: {}", answer.status);
        Ok(client)
    }

    pub fn get(&mut self, path: &str) -> Result<Answer> {
        self.send("GET", path, "", false)
    }

    /// As a browser asks: compressed if the server can.
    pub fn load(&mut self, method: &str, path: &str, form: &str) -> Result<Answer> {
        self.send(method, path, form, true)
    }

    fn send(&mut self, method: &str, path: &str, body: &str, compressed: bool) -> Result<Answer> {
        let form =
            if path.starts_with("/api/") { "application/json" } else { "application/x-www-form-urlencoded" };
        let encoding = if compressed { "Accept-Encoding: gzip, deflate, br, zstd\r\n" } else { "" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nSec-Fetch-Site: same-origin\r\nAccept: text/html\r\n\
             Content-Type: {form}\r\nContent-Length: {}\r\n{encoding}\r\n{body}",
            self.addr,
            self.cookie,
            body.len()
        );
        let begun = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut status = String::new();
        self.stream.read_line(&mut status)?;
        let status = status.split(' ').nth(1).context("a status")?.parse()?;
        let (mut length, mut chunked) = (0, false);
        let mut answer = Answer {
            status,
            taken: Duration::ZERO,
            wire: 0,
            compressed: false,
            location: String::new(),
            cookie: String::new(),
            body: Vec::new(),
        };
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse()?,
                "transfer-encoding" => chunked = value == "chunked",
                "content-encoding" => answer.compressed = true,
                "location" => value.clone_into(&mut answer.location),
                "set-cookie" => value.clone_into(&mut answer.cookie),
                _ => {}
            }
        }
        if chunked {
            self.chunks(&mut answer.body)?;
        } else {
            answer.body.resize(length, 0);
            self.stream.read_exact(&mut answer.body)?;
        }
        answer.taken = begun.elapsed();
        answer.wire = answer.body.len();
        Ok(answer)
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> Result<()> {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            let length = usize::from_str_radix(line.trim_end(), 16)?;
            let from = body.len();
            body.resize(from + length, 0);
            self.stream.read_exact(&mut body[from..])?;
            self.stream.read_line(&mut line)?;
            if length == 0 {
                return Ok(());
            }
        }
    }
}
