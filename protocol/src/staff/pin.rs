//! PINs: six digits, stored as the PHC string of an Argon2id hash.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

use crate::error::{Code, Invalid};

const DIGITS: usize = 6;

/// 12 MiB and three passes, one of the settings that OWASP's cheat sheet holds equal, and little enough memory
/// for a cheap tablet: 27 ms on a server's core in a release build. Six digits can be tried through by whoever has the
/// verifier and some hours, whatever the setting: what keeps them is that nobody is shown it.
const MEMORY_KIB: u32 = 12 * 1024;
const PASSES: u32 = 3;
/// No verifier asks a tablet for more than this.
const MOST_MEMORY_KIB: u32 = 64 * 1024;
const MOST_PASSES: u32 = 10;

/// Six digits that are not the first ones anybody would try.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(String);

impl Pin {
    /// A PIN as it was typed; spaces do not matter. [`Code::PinRefused`] for anything that is no good one.
    pub fn parse(text: &str) -> Result<Pin, Invalid> {
        let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let refuse = |message: &str| Err(Invalid::new(Code::PinRefused, "pin", message));
        if digits.len() != DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return refuse("A PIN is six digits.");
        }
        if is_easy(digits.as_bytes()) {
            return refuse("This PIN is among the first that anybody would try: choose another.");
        }
        Ok(Pin(digits))
    }

    /// One at random. `random` gives 32 random bits each time it is asked.
    pub fn draw(mut random: impl FnMut() -> u32) -> Pin {
        loop {
            // What is left above the last whole million would favour some PINs.
            let drawn = random();
            if drawn >= u32::MAX / 1_000_000 * 1_000_000 {
                continue;
            }
            let digits = format!("{:06}", drawn % 1_000_000);
            if !is_easy(digits.as_bytes()) {
                return Pin(digits);
            }
        }
    }

    /// For the one screen that shows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is stored of it. Takes as long as checking it does.
    pub fn verifier(&self, salt: &[u8; 16]) -> Result<PinVerifier, Code> {
        let hash = argon2()?.hash_password_with_salt(self.0.as_bytes(), salt);
        Ok(PinVerifier(hash.map_err(|_| Code::Internal)?.to_string()))
    }
}

/// Steps between the digits that are all the same: 000000, 123456, 987654, 246802.
fn is_easy(digits: &[u8]) -> bool {
    let step = |pair: &[u8]| (10 + pair.last().unwrap_or(&0) - pair.first().unwrap_or(&0)) % 10;
    let mut steps = digits.windows(2).map(step);
    let first = steps.next();
    let even = first.is_some_and(|first| steps.all(|step| step == first));
    let (left, right) = digits.split_at(digits.len() / 2);
    // 123123 and 121212.
    even || left == right || digits.windows(3).all(|three| three.first() == three.last())
}

fn argon2() -> Result<Argon2<'static>, Code> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|_| Code::Internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// What is stored of a PIN: never shown, logged or printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PinVerifier(String);

impl PinVerifier {
    /// One as it is stored; `None` for what no PIN of ours was made into, or what would keep a tablet busy.
    pub fn parse(text: &str) -> Option<PinVerifier> {
        let hash = PasswordHash::new(text).ok()?;
        let params = Params::try_from(&hash).ok()?;
        let fair =
            params.m_cost() <= MOST_MEMORY_KIB && params.t_cost() <= MOST_PASSES && params.p_cost() <= 4;
        (hash.algorithm.as_str() == "argon2id" && fair).then(|| PinVerifier(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the PIN, as it was typed. Takes some hundred milliseconds on a cheap tablet.
    pub fn matches(&self, typed: &str) -> bool {
        let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        let Ok(hash) = PasswordHash::new(&self.0) else { return false };
        // Longer than any PIN: nothing to hash, but the same work.
        let digits = if digits.len() > 64 { "" } else { &digits };
        Argon2::default().verify_password(digits.as_bytes(), &hash).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_matches_its_own_verifier_only() {
        let pin = Pin::parse(" 482 913 ").unwrap();
        let verifier = pin.verifier(&[7; 16]).unwrap();
        assert!(verifier.as_str().starts_with("$argon2id$v=19$m=12288,t=3,p=1$"));
        assert!(verifier.matches("482913") && verifier.matches("482 913"));
        for wrong in ["482914", "", "48291", &"4".repeat(10_000)] {
            assert!(!verifier.matches(wrong));
        }
        assert!(verifier == PinVerifier::parse(verifier.as_str()).unwrap());
        assert!(verifier != pin.verifier(&[8; 16]).unwrap());
    }

    #[test]
    fn what_anybody_would_try_first_is_no_pin() {
        for easy in ["000000", "123456", "654321", "246802", "123123", "121212", "890123"] {
            assert_eq!(Pin::parse(easy).err().map(|refused| refused.code), Some(Code::PinRefused), "{easy}");
        }
        for wrong in ["", "12345", "1234567", "12a456", "１２３４５７"] {
            assert_eq!(
                Pin::parse(wrong).err().map(|refused| refused.code),
                Some(Code::PinRefused),
                "{wrong}"
            );
        }
        // Drawn ones are none of them, and all are equally likely: the end that favours some is drawn again.
        let mut drawn = [u32::MAX, 123_456, 111_111, 40_913].into_iter();
        assert_eq!(Pin::draw(|| drawn.next().unwrap()).as_str(), "040913");
    }

    #[test]
    fn a_verifier_that_would_keep_a_tablet_busy_is_none() {
        let fair = Pin::parse("482913").unwrap().verifier(&[7; 16]).unwrap();
        for (from, to) in [("m=12288", "m=4194304"), ("t=3", "t=4000000"), ("argon2id", "argon2d")] {
            assert!(PinVerifier::parse(&fair.as_str().replace(from, to)).is_none(), "{to}");
        }
        assert!(PinVerifier::parse("").is_none() && PinVerifier::parse("482913").is_none());
    }
}
