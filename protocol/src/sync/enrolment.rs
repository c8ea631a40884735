//! The one-time code that brings a tablet to its server: URL, key pin and secret in one text.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

use super::wire::{Malformed, Reader, Writer};

const PREFIX: &str = "wayside1-";

/// What an enrolment code carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentCode {
    /// As in `https://base.example:8443`.
    pub url: String,
    /// SHA-256 of the server certificate's SubjectPublicKeyInfo (DER).
    pub pin: [u8; 32],
    /// Random, used once.
    pub secret: [u8; 16],
}

impl EnrolmentCode {
    pub fn to_text(&self) -> String {
        let mut writer = Writer::default();
        writer.raw(&self.pin);
        writer.raw(&self.secret);
        writer.raw(self.url.as_bytes());
        // A mistyped or cut code is told apart from an unknown one before it goes anywhere.
        let check = Sha256::digest(&writer.0);
        writer.raw(&check[..4]);
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&writer.0))
    }

    pub fn parse(text: &str) -> Result<EnrolmentCode, Malformed> {
        let text = text.trim().strip_prefix(PREFIX).ok_or(Malformed)?;
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Malformed)?;
        let (body, check) = bytes.split_last_chunk::<4>().ok_or(Malformed)?;
        if Sha256::digest(body)[..4] != check[..] {
            return Err(Malformed);
        }
        let mut reader = Reader::new(body);
        let pin = reader.array()?;
        let secret = reader.array()?;
        let url = String::from_utf8(reader.take(reader.remaining())?.to_vec()).map_err(|_| Malformed)?;
        Ok(EnrolmentCode { url, pin, secret })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_survives_and_a_cut_one_is_refused() {
        let code = EnrolmentCode { url: "https://127.0.0.1:8443".into(), pin: [7; 32], secret: [9; 16] };
        let text = code.to_text();
        assert_eq!(EnrolmentCode::parse(&format!(" {text}\n")), Ok(code));
        for end in 0..text.len() {
            assert!(EnrolmentCode::parse(&text[..end]).is_err());
        }
    }
}
