//! Passwords: hashed by Argon2id, stored as PHC strings.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use wayside_protocol::error::Code;
use zxcvbn::{Score, zxcvbn};

use crate::error::{Error, Result};

const SHORTEST: usize = 12;
/// Longer ones are somebody's file, and hashing them is work.
const LONGEST: usize = 1024;
/// What takes fewer guesses than 100 million, by lists of passwords that others lost and by how people make them, is refused.
const LEAST: Score = Score::Three;
/// In nobody's password here.
const SERVICE: &str = "wayside";

/// Hashes a password of somebody called so, with a salt of its own, unless it is short or easy to guess. Takes some tens of
/// milliseconds and 19 MiB by design.
pub fn hash(password: &str, name: &str) -> Result<String> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        let message = format!("A password has at least {SHORTEST} characters, and at most {LONGEST} bytes.");
        return Err(Error::Said(Code::PasswordRefused, message));
    }
    let known: Vec<&str> = name.split_whitespace().chain([name, SERVICE]).collect();
    if zxcvbn(password, &known).score() < LEAST {
        let message = "This password is easy to guess: many people have it, or it is made of a name, a date or keys beside each \
                       other. Take several words that have nothing to do with each other."
            .to_owned();
        return Err(Error::Said(Code::PasswordRefused, message));
    }
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.map_err(|_| Error::Internal("password hash"))?.to_string())
}

/// Whether a password matches what is stored. Without anything stored the same work is done, so that
/// nobody can tell by the time whether an account exists.
pub fn verify(password: &str, stored: Option<&str>) -> bool {
    static NOBODY: LazyLock<String> = LazyLock::new(|| {
        let hash = Argon2::default().hash_password(&rand::random::<[u8; 32]>());
        hash.map(|hash| hash.to_string()).unwrap_or_default()
    });
    let known = stored.is_some();
    let Ok(hash) = PasswordHash::new(stored.unwrap_or(&NOBODY)) else { return false };
    let password = if password.len() > LONGEST { "" } else { password };
    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok() && known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let stored = hash("correct horse", "amina").unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(verify("correct horse", Some(&stored)));
        assert!(!verify("correct hors", Some(&stored)));
        assert!(!verify("correct horse", None));
        assert!(!verify("correct horse", Some("not a hash")));
        for short in ["", "eleven char", &"x".repeat(1025)] {
            assert_eq!(hash(short, "amina").unwrap_err().code(), Code::PasswordRefused);
        }
    }

    #[test]
    fn what_everybody_would_try_first_is_no_password() {
        let guessed = [
            "password1234",
            "qwertyuiop12",
            "aaaaaaaaaaaa",
            "123456789012",
            "P@ssw0rd1234",
            "letmeinletmein",
        ];
        // Nor who it is, and where.
        for guessed in guessed.into_iter().chain(["Quillfeather1", "wayside12345", "amina quillfeather"]) {
            let refused = hash(guessed, "Amina Quillfeather").unwrap_err();
            assert_eq!(refused.code(), Code::PasswordRefused, "{guessed}");
            assert!(!refused.to_string().contains(guessed));
        }
        // Whatever script it is in, and however long.
        for good in [
            "a river in spate",
            "нужен длинный пароль",
            "七色の橋を渡る静かな朝の風",
            &"correct horse battery ".repeat(40),
        ] {
            assert!(hash(good, "Amina Quillfeather").is_ok(), "{good}");
        }
    }
}
