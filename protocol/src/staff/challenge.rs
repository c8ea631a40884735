//! Letting somebody in without their PIN and without a signal: the tablet shows ten digits, a coordinator
//! reads eight back by phone. Both are computed from a secret that the server and that one tablet have.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::{record::RecordId, sync::PublicKey};

/// What a tablet and the server share for unlock codes, and nobody else has.
pub type UnlockSecret = [u8; 32];

const CODE_DIGITS: u32 = 8;

/// The secret of a tablet, from the secret half of the server's identity key: nothing need be stored there.
pub fn unlock_secret(identity: &[u8; 32], tablet: &PublicKey) -> UnlockSecret {
    keyed(identity, &[b"wayside-unlock-secret-1", tablet])
}

fn keyed(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes a key of any length: this never fails.
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) else { return [0; 32] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// The code that answers a challenge for one member: eight digits. `staff` is the member's entry id.
pub fn unlock_code(secret: &UnlockSecret, team: RecordId, staff: &str, challenge: &Challenge) -> String {
    let length = (staff.len() as u64).to_le_bytes();
    let parts: [&[u8]; 5] =
        [b"wayside-unlock-1", team.as_bytes(), &length, staff.as_bytes(), challenge.0.as_bytes()];
    let mac = keyed(secret, &parts);
    let [a, b, c, d, e, f, g, h, ..] = mac;
    let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]) % 10u64.pow(CODE_DIGITS);
    format!("{number:08}")
}

/// Ten digits: four that say which tablet of the team shows them, five at random, and one that tells a slip
/// of the tongue from a code that does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// One of a tablet, whose id is given. `random` should never come twice.
    pub fn new(tablet: &str, random: u32) -> Challenge {
        let digits = format!("{:04}{:05}", mark(tablet), random % 100_000);
        let check = check_digit(digits.as_bytes());
        Challenge(format!("{digits}{check}"))
    }

    /// One as somebody typed it; spaces and hyphens do not matter. `None` where a digit is wrong.
    pub fn parse(text: &str) -> Option<Challenge> {
        let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        let (number, check) = digits.split_at_checked(9)?;
        let right = digits.bytes().all(|byte| byte.is_ascii_digit());
        (right && check == check_digit(number.as_bytes()).to_string()).then_some(Challenge(digits))
    }

    /// Whether the tablet of this id may have shown it: two tablets of a hundred share their mark now and then.
    pub fn is_of(&self, tablet: &str) -> bool {
        self.0.get(..4) == Some(&format!("{:04}", mark(tablet)))
    }

    /// The digits alone.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// As it is read out: `48210 93755`.
impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, right) = self.0.split_at_checked(5).unwrap_or((&self.0, ""));
        write!(f, "{left} {right}")
    }
}

fn mark(tablet: &str) -> u32 {
    let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(tablet).into();
    u32::from_be_bytes([a, b, c, d]) % 10_000
}

/// ISO/IEC 7064, MOD 11,10: finds every single wrong digit and nearly all neighbours that changed places.
fn check_digit(digits: &[u8]) -> u32 {
    let product = digits.iter().fold(10, |product, digit| {
        let sum = (product + u32::from(digit - b'0')) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLET: &str = "gr2q7gf5lh6pzfdn";

    #[test]
    fn a_code_is_for_one_tablet_one_member_and_one_challenge() {
        let team = RecordId::from_bytes([3; 16]);
        let secret = unlock_secret(&[2; 32], &[1; 32]);
        let challenge = Challenge::new(TABLET, 12_345);
        let code = unlock_code(&secret, team, "aeaqcaib", &challenge);
        assert!(code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit()));
        let others = [
            unlock_code(&unlock_secret(&[2; 32], &[9; 32]), team, "aeaqcaib", &challenge),
            unlock_code(&unlock_secret(&[4; 32], &[1; 32]), team, "aeaqcaib", &challenge),
            unlock_code(&secret, RecordId::from_bytes([4; 16]), "aeaqcaib", &challenge),
            unlock_code(&secret, team, "aibaeaqc", &challenge),
            unlock_code(&secret, team, "aeaqcaib", &Challenge::new(TABLET, 12_346)),
        ];
        assert!(!others.contains(&code));
    }

    #[test]
    fn what_was_misheard_is_no_challenge() {
        let challenge = Challenge::new(TABLET, 4_294_967_295);
        let digits = challenge.as_str();
        assert_eq!(digits.len(), 10);
        assert_eq!(challenge, Challenge::parse(&format!(" {challenge} ")).unwrap());
        assert!(challenge.is_of(TABLET));
        for at in 0..10 {
            for digit in b'0'..=b'9' {
                let mut wrong = digits.as_bytes().to_vec();
                wrong[at] = digit;
                let read = Challenge::parse(std::str::from_utf8(&wrong).unwrap());
                assert_eq!(read.is_some(), wrong == digits.as_bytes());
            }
        }
        for wrong in ["", "1", "12345678901", "abcdefghij", "１２３４５６７８９０"] {
            assert!(Challenge::parse(wrong).is_none(), "{wrong}");
        }
    }
}
