//! Postcodes: BS 7666 with the third letter P (N1P), and the NHS's pseudo-postcodes (HESonline; DD).
//!
//! A postcode never blocks entry: part of one still says where somebody comes from.

use super::{Checked, Text};

/// What a text is as a postcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostcodeStatus {
    Empty,
    /// It has the form of a postcode; whether it exists is for a lookup.
    ValidFormat,
    /// Stands for a country or a reason; has no LSOA. The id of its meaning's text.
    Pseudo(&'static str),
    /// The outward part alone, with or without the sector's digit: kept, without an LSOA.
    Partial,
    Invalid,
}

impl PostcodeStatus {
    /// As in the clinical pack, which knows no partial ones.
    pub const fn as_str(self) -> &'static str {
        match self {
            PostcodeStatus::ValidFormat => "valid_format",
            PostcodeStatus::Pseudo(_) => "pseudo",
            PostcodeStatus::Partial => "partial",
            PostcodeStatus::Empty | PostcodeStatus::Invalid => "invalid",
        }
    }

    /// Whether it can be looked up in the list of LSOAs. Whether that is in England, the list says.
    pub const fn has_area(self) -> bool {
        matches!(self, PostcodeStatus::ValidFormat)
    }
}

/// A postcode as far as it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postcode {
    /// Upper case, one space before the last three characters.
    pub normalised: String,
    pub status: PostcodeStatus,
    /// What was probably meant: the letter O or I typed for a digit.
    pub suggestion: Option<String>,
}

impl Postcode {
    pub fn parse(text: &str) -> Self {
        let kept: String =
            text.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_uppercase()).collect();
        let normalised = spaced(&kept);
        let status = status(&kept);
        let suggestion = (status == PostcodeStatus::Invalid).then(|| suggestion(&kept)).flatten();
        Postcode { normalised, status, suggestion }
    }

    /// Its outward part, as in `LS9`; `None` unless it has the form of a postcode.
    pub fn outward(&self) -> Option<&str> {
        if self.status != PostcodeStatus::ValidFormat {
            return None;
        }
        self.normalised.split_once(' ').map(|(outward, _)| outward)
    }
}

/// The verdict for staff.
pub fn check_postcode(text: &str) -> Checked {
    let postcode = Postcode::parse(text);
    let fine = Checked::fine(postcode.normalised.clone(), postcode.normalised.clone());
    match (postcode.status, postcode.suggestion) {
        (PostcodeStatus::Empty, _) => Checked::empty(),
        (PostcodeStatus::ValidFormat, _) => fine,
        (PostcodeStatus::Pseudo(meaning), _) => fine.note(Text::new(meaning)),
        (PostcodeStatus::Partial, _) => fine.note(Text::new("postcode-partial")),
        (PostcodeStatus::Invalid, Some(meant)) => {
            fine.confirm(Text::new("postcode-suggestion").words("postcode", meant))
        }
        (PostcodeStatus::Invalid, None) => fine.confirm(Text::new("postcode-invalid")),
    }
}

/// Only what is as long as a postcode is split: a part of one has no last three characters.
fn spaced(kept: &str) -> String {
    let length = kept.chars().count();
    if !(5..=7).contains(&length) {
        return kept.to_owned();
    }
    let split = kept.char_indices().nth(length - 3).map_or(kept.len(), |(at, _)| at);
    let (outward, inward) = kept.split_at(split);
    format!("{outward} {inward}")
}

fn status(kept: &str) -> PostcodeStatus {
    if kept.is_empty() {
        return PostcodeStatus::Empty;
    }
    let bytes = kept.as_bytes();
    if let [b'Z', b'Z', b'9', b'9', digit, letter, b'Z'] = bytes
        && digit.is_ascii_digit()
        && letter.is_ascii_uppercase()
    {
        return PostcodeStatus::Pseudo(meaning(*digit, *letter));
    }
    if is_full(bytes) {
        return PostcodeStatus::ValidFormat;
    }
    let sector =
        bytes.split_last().is_some_and(|(last, outward)| last.is_ascii_digit() && is_outward(outward));
    if is_outward(bytes) || sector { PostcodeStatus::Partial } else { PostcodeStatus::Invalid }
}

/// The meanings that the pack names; any other stands for a country.
const fn meaning(digit: u8, letter: u8) -> &'static str {
    match (digit, letter) {
        (b'3', b'V') => "postcode-no-fixed-abode",
        (b'3', b'W') => "postcode-not-known",
        (b'3', b'C') => "postcode-england",
        (b'3', b'G') => "postcode-wales",
        (b'1', b'W') => "postcode-scotland",
        (b'2', b'W') => "postcode-northern-ireland",
        (b'6', b'C') => "postcode-india",
        _ => "postcode-other-country",
    }
}

fn is_full(bytes: &[u8]) -> bool {
    if bytes == b"GIR0AA" {
        return true;
    }
    let unit = |c: &u8| c.is_ascii_uppercase() && !b"CIKMOV".contains(c);
    match bytes {
        [outward @ .., digit, first, second] => {
            digit.is_ascii_digit() && unit(first) && unit(second) && is_outward(outward)
        }
        _ => false,
    }
}

/// A9, A99, AA9, AA99, A9A and AA9A, each letter from its own list.
fn is_outward(bytes: &[u8]) -> bool {
    let first = |c: u8| c.is_ascii_uppercase() && !b"QVX".contains(&c);
    let second = |c: u8| c.is_ascii_uppercase() && !b"IJZ".contains(&c);
    let digit = |c: u8| c.is_ascii_digit();
    match *bytes {
        [a, n] => first(a) && digit(n),
        [a, n, m] if digit(n) && digit(m) => first(a),
        [a, n, c] if digit(n) => first(a) && b"ABCDEFGHJKPSTUW".contains(&c),
        [a, b, n] => first(a) && second(b) && digit(n),
        [a, b, n, m] if digit(m) => first(a) && second(b) && digit(n),
        [a, b, n, c] => first(a) && second(b) && digit(n) && b"ABEHMNPRVWXY".contains(&c),
        _ => false,
    }
}

/// O for 0, or I for 1, where the inward part must have its digit. Offered, never put in unasked.
fn suggestion(kept: &str) -> Option<String> {
    let mut bytes = kept.as_bytes().to_vec();
    let place = bytes.len().checked_sub(3)?;
    let at = bytes.get_mut(place)?;
    *at = match *at {
        b'O' => b'0',
        b'I' => b'1',
        _ => return None,
    };
    if !is_full(&bytes) {
        return None;
    }
    String::from_utf8(bytes).ok().map(|meant| spaced(&meant))
}
