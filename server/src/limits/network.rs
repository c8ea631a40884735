//! From where a request comes. Behind a proxy the address of the connection is the proxy's, and the one that counts is
//! what the proxy says; but only a proxy's word is taken, or anybody could say anything.

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::HeaderMap;
use wayside_protocol::error::Code;

use crate::error::{Error, Result};

/// An address, or a network as in `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    /// How many bits from the left count.
    bits: u32,
}

impl FromStr for Net {
    type Err = Error;

    fn from_str(text: &str) -> Result<Net> {
        let unclear = || {
            Error::Said(
                Code::BadArguments,
                "A network looks like 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32.".into(),
            )
        };
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.trim().parse().map_err(|_| unclear())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(all), |bits| bits.trim().parse().map_err(|_| unclear()))?;
        if bits <= all { Ok(Net { address, bits }) } else { Err(unclear()) }
    }
}

impl Net {
    pub fn holds(&self, address: IpAddr) -> bool {
        let differ = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros(),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros(),
            _ => return false,
        };
        differ >= self.bits
    }
}

/// How a proxy says whom it speaks for. One way only: what it does not set itself it may pass on as anybody sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Forward {
    #[default]
    XForwardedFor,
    /// As in RFC 7239.
    Forwarded,
    /// Not at all: a balancer that passes on bytes.
    Silent,
}

impl FromStr for Forward {
    type Err = Error;

    fn from_str(text: &str) -> Result<Forward> {
        match text {
            "x-forwarded-for" => Ok(Forward::XForwardedFor),
            "forwarded" => Ok(Forward::Forwarded),
            "none" => Ok(Forward::Silent),
            _ => {
                let says = "A proxy's header is x-forwarded-for, forwarded or none.";
                Err(Error::Said(Code::BadArguments, says.into()))
            }
        }
    }
}

/// The proxies in front of this server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proxies {
    pub nets: Vec<Net>,
    pub header: Forward,
}

impl Proxies {
    /// Who asks: whoever connected, or whom a proxy names. `None` where a proxy names nobody: then nothing is known of
    /// where it comes from.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        if !self.is_one(peer) {
            return Some(peer);
        }
        let said = match self.header {
            Forward::XForwardedFor => named(headers, "x-forwarded-for", |part| part.parse().ok()),
            Forward::Forwarded => named(headers, "forwarded", forwarded_for),
            Forward::Silent => Vec::new(),
        };
        // Each proxy adds whom it heard from at the end. The first from there that is none of ours is who asked; what
        // stands before that, they said themselves.
        let mut farthest = None;
        for address in said.into_iter().rev() {
            let address: IpAddr = address?;
            farthest = Some(address);
            if !self.is_one(address) {
                break;
            }
        }
        farthest
    }

    /// Whether it is a proxy that connects.
    pub fn is_one(&self, address: IpAddr) -> bool {
        self.nets.iter().any(|net| net.holds(address))
    }
}

/// What a header's parts name, in their order; `None` in the place of what is no address.
fn named(headers: &HeaderMap, name: &str, read: impl Fn(&str) -> Option<IpAddr>) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
    lines
        .flat_map(|line| line.split(','))
        .map(|part| read(part.trim()).map(|address| address.to_canonical()))
        .collect()
}

/// The address of `for=` in one part of `Forwarded`, with or without quotes, brackets and a port.
fn forwarded_for(part: &str) -> Option<IpAddr> {
    let pairs = part.split(';').filter_map(|pair| pair.trim().split_once('='));
    let node = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("for")).map(|(_, value)| value).next()?;
    let node = node.trim_matches('"');
    match node.strip_prefix('[') {
        Some(v6) => v6.split(']').next()?.parse().ok(),
        None => node.split(':').next()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn headers(name: &'static str, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, line.parse().unwrap());
        }
        headers
    }

    fn behind(header: Forward) -> Proxies {
        Proxies { nets: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::1".parse().unwrap()], header }
    }

    #[test]
    fn a_network_holds_what_its_bits_say() {
        for (net, inside, outside) in [
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.128/25", "192.0.2.200", "192.0.2.127"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
        ] {
            let parsed: Net = net.parse().unwrap();
            assert!(parsed.holds(ip(inside)) && !parsed.holds(ip(outside)), "{net}");
        }
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/8/8", "example.org"] {
            assert!(wrong.parse::<Net>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn nobody_but_a_proxy_says_who_asks_and_of_what_it_says_only_what_it_added() {
        let (proxies, name) = (behind(Forward::XForwardedFor), "x-forwarded-for");
        let asks = |peer: &str, lines: &[&str]| proxies.client(ip(peer), &headers(name, lines));
        assert_eq!(asks("203.0.113.9", &["192.0.2.1"]), Some(ip("203.0.113.9")), "no proxy of ours");
        assert_eq!(asks("10.1.1.1", &["192.0.2.1"]), Some(ip("192.0.2.1")));
        assert_eq!(asks("::ffff:10.1.1.1", &["192.0.2.1"]), Some(ip("192.0.2.1")));
        // What the asker put there stands before what the proxy added, on a line of its own or not.
        assert_eq!(asks("10.1.1.1", &["198.51.100.1, 192.0.2.1"]), Some(ip("192.0.2.1")));
        assert_eq!(asks("10.1.1.1", &["198.51.100.1", "192.0.2.1, 10.2.2.2"]), Some(ip("192.0.2.1")));
        assert_eq!(asks("10.1.1.1", &["10.3.3.3"]), Some(ip("10.3.3.3")), "asked from among the proxies");
        assert_eq!(asks("10.1.1.1", &[]), None);
        assert_eq!(asks("10.1.1.1", &["192.0.2.1, unknown"]), None);
        assert_eq!(asks("2001:db8::1", &["2001:db8::2"]), Some(ip("2001:db8::2")));
        // The header that it does not set is anybody's.
        let both = headers("forwarded", &["for=192.0.2.1"]);
        assert_eq!(proxies.client(ip("10.1.1.1"), &both), None);
        let silent = behind(Forward::Silent);
        assert_eq!(silent.client(ip("10.1.1.1"), &headers(name, &["192.0.2.1"])), None);
    }

    #[test]
    fn the_standard_header_is_read_in_all_its_forms() {
        let proxies = behind(Forward::Forwarded);
        for (line, expected) in [
            ("for=192.0.2.1", Some("192.0.2.1")),
            ("proto=https;For=\"192.0.2.1:4711\";by=10.0.0.1", Some("192.0.2.1")),
            ("for=198.51.100.9, for=\"[2001:db8:1::7]:4711\"", Some("2001:db8:1::7")),
            ("for=\"[2001:db8:1::7]\"", Some("2001:db8:1::7")),
            ("for=_hidden", None),
            ("proto=https", None),
        ] {
            let found = proxies.client(ip("10.0.0.1"), &headers("forwarded", &[line]));
            assert_eq!(found, expected.map(ip), "{line}");
        }
    }
}
