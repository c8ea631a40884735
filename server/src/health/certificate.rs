//! What a certificate says of itself.

use std::net::IpAddr;

use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::error::{Error, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Until when it is valid, in seconds since 1970.
    pub until: u64,
    /// Names and addresses that it is for.
    pub names: Vec<String>,
}

/// Reads a certificate in DER.
pub fn said_by(der: &[u8]) -> Result<Said> {
    let unusable = || Error::Key("TLS certificate");
    let certificate = Certificate::from_der(der).map_err(|_| unusable())?;
    let tbs = certificate.tbs_certificate;
    let names = match tbs.get::<SubjectAltName>() {
        Ok(Some((_, names))) => names.0.iter().filter_map(name).collect(),
        Ok(None) => Vec::new(),
        Err(_) => return Err(unusable()),
    };
    Ok(Said { until: tbs.validity.not_after.to_unix_duration().as_secs(), names })
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_lowercase()),
        GeneralName::IpAddress(bytes) => match bytes.as_bytes() {
            [a, b, c, d] => Some(IpAddr::from([*a, *b, *c, *d]).to_string()),
            bytes => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string()),
        },
        _ => None,
    }
}

impl Said {
    /// Whether it is for this host.
    pub fn is_for(&self, host: &str) -> bool {
        let host = host.trim_matches(['[', ']']).to_lowercase();
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            // One label alone, as browsers take it.
            Some(under) => host.split_once('.').is_some_and(|(_, rest)| rest == under),
            None => *name == host,
        })
    }
}
