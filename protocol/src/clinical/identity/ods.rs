//! Codes of GP practices (ODS). The pattern: a public ODS validator and the ODS catalogue; the three
//! defaults: DD, that V81997 means "no registered GP" unsourced.

use super::{Checked, Text};

/// A code that stands for a reason instead of a practice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OdsDefault {
    NoRegisteredGp,
    NotApplicable,
    NotKnown,
}

impl OdsDefault {
    pub const fn code(self) -> &'static str {
        match self {
            OdsDefault::NoRegisteredGp => "V81997",
            OdsDefault::NotApplicable => "V81998",
            OdsDefault::NotKnown => "V81999",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            OdsDefault::NoRegisteredGp => "practice-none",
            OdsDefault::NotApplicable => "practice-not-applicable",
            OdsDefault::NotKnown => "practice-not-known",
        }
    }
}

/// The meaning of a normalised code that names no practice.
pub fn ods_default(code: &str) -> Option<OdsDefault> {
    [OdsDefault::NoRegisteredGp, OdsDefault::NotApplicable, OdsDefault::NotKnown]
        .into_iter()
        .find(|default| default.code() == code)
}

/// The code of a practice. One that does not have the form is kept once confirmed: a branch or a practice
/// abroad may be what the person knows.
pub fn check_practice(text: &str) -> Checked {
    let code: String = text.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_uppercase()).collect();
    if code.is_empty() {
        return Checked::empty();
    }
    let fine = Checked::fine(code.clone(), code.clone());
    match ods_default(&code) {
        Some(default) => fine.note(Text::new(default.text())),
        None if is_practice(&code) => fine,
        None => fine.confirm(Text::new("practice-invalid")),
    }
}

/// `^[A-HJ-NP-WY][0-9]{5}$`, or ALD, GUE or JER and three digits.
fn is_practice(code: &str) -> bool {
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    match code.as_bytes() {
        [b'A', b'L', b'D', rest @ ..] | [b'G', b'U', b'E', rest @ ..] | [b'J', b'E', b'R', rest @ ..] => {
            rest.len() == 3 && digits(rest)
        }
        [first, rest @ ..] => {
            first.is_ascii_uppercase() && !b"IOXZ".contains(first) && rest.len() == 5 && digits(rest)
        }
        [] => false,
    }
}
