//! NHS numbers: ten digits, the last a Mod 11 check digit (DD, August 2021).
//!
//! Optional everywhere and never the only key of a person (NHS service manual; D). A number that passes
//! is still untraced: its status is `02` until a trace says otherwise (UK Core).

use std::fmt;

use crate::error::Code;

/// A number that passes the check digit. `Debug` hides it, so that it cannot slip into a log line.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NhsNumber([u8; 10]);

/// Why a text is not an NHS number. The messages never repeat what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NhsNumberProblem {
    #[error("Type the NHS number, or leave it empty and say why it is absent.")]
    Empty,
    #[error("This looks like a National Insurance number. An NHS number has 10 digits and no letters.")]
    NationalInsurance,
    #[error("An NHS number has exactly 10 digits, with spaces, hyphens or dots between them at most.")]
    NotTenDigits,
    #[error("This is not an NHS number: a digit is wrong, or two have changed places. Check it again.")]
    CheckDigit,
    /// Its first nine digits lead to a check digit of 10.
    #[error("This number can never have been issued. Check each digit again.")]
    NeverIssued,
    /// All digits are equal. These pass Mod 11, but are typed to get past a form (D).
    #[error("This is a placeholder, not an NHS number. Leave it empty and say why it is absent.")]
    Placeholder,
}

impl NhsNumberProblem {
    /// The id of its text, for other languages.
    pub const fn text_id(self) -> &'static str {
        match self {
            NhsNumberProblem::Empty => "nhs-number-empty",
            NhsNumberProblem::NationalInsurance => "nhs-number-national-insurance",
            NhsNumberProblem::NotTenDigits => "nhs-number-not-ten-digits",
            NhsNumberProblem::CheckDigit => "nhs-number-check-digit",
            NhsNumberProblem::NeverIssued => "nhs-number-never-issued",
            NhsNumberProblem::Placeholder => "nhs-number-placeholder",
        }
    }

    pub const fn code(self) -> Code {
        Code::NhsNumberInvalid
    }
}

/// Who issues numbers that begin like this one (PyPI nhs-number 2.2.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NhsNumberRange {
    /// England, Wales, Isle of Man.
    EnglandWalesIsleOfMan,
    /// A Community Health Index number.
    Scotland,
    NorthernIreland,
    Test,
    NotIssued,
}

impl NhsNumberRange {
    /// The range of numbers that begin with these three digits, read as a number.
    pub const fn of(first_three: u32) -> NhsNumberRange {
        match first_three {
            10..=311 => NhsNumberRange::Scotland,
            320..=399 => NhsNumberRange::NorthernIreland,
            400..=499 | 600..=799 => NhsNumberRange::EnglandWalesIsleOfMan,
            900..=999 => NhsNumberRange::Test,
            _ => NhsNumberRange::NotIssued,
        }
    }

    /// The id of the warning's text, for other languages.
    pub const fn text_id(self) -> Option<&'static str> {
        match self {
            NhsNumberRange::EnglandWalesIsleOfMan => None,
            NhsNumberRange::Scotland => Some("nhs-number-scotland"),
            NhsNumberRange::NorthernIreland => Some("nhs-number-northern-ireland"),
            NhsNumberRange::Test => Some("nhs-number-test"),
            NhsNumberRange::NotIssued => Some("nhs-number-not-issued"),
        }
    }

    /// What to tell staff. A warning never blocks: ranges change, and sources differ on them.
    pub const fn warning(self) -> Option<&'static str> {
        match self {
            NhsNumberRange::EnglandWalesIsleOfMan => None,
            NhsNumberRange::Scotland => {
                Some("This number is in Scotland's range (CHI number). Check it again.")
            }
            NhsNumberRange::NorthernIreland => {
                Some("This number is in Northern Ireland's range. Check it again.")
            }
            NhsNumberRange::Test => Some("This is a test number: it belongs to nobody."),
            NhsNumberRange::NotIssued => Some("Numbers in this range have not been issued. Check it again."),
        }
    }
}

impl NhsNumber {
    /// Parses what was typed. Anything that is neither a letter nor a digit separates (the service manual
    /// asks to accept spaces, hyphens and dots); letters and digits of other scripts are refused.
    pub fn parse(text: &str) -> Result<NhsNumber, NhsNumberProblem> {
        let kept: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
        if kept.is_empty() {
            return Err(NhsNumberProblem::Empty);
        }
        if is_national_insurance(&kept) {
            return Err(NhsNumberProblem::NationalInsurance);
        }
        let ascii: Option<Vec<u8>> =
            kept.iter().map(|c| u8::try_from(*c).ok().filter(u8::is_ascii_digit)).collect();
        let digits: [u8; 10] =
            ascii.and_then(|digits| digits.try_into().ok()).ok_or(NhsNumberProblem::NotTenDigits)?;

        let value = |digit: u8| u32::from(digit - b'0');
        let sum: u32 = digits.iter().zip((2..=10).rev()).map(|(digit, weight)| value(*digit) * weight).sum();
        // The data dictionary says "remainder" in one place: what is compared is 11 less the remainder.
        let expected = match 11 - sum % 11 {
            11 => 0,
            10 => return Err(NhsNumberProblem::NeverIssued),
            check => check,
        };
        if value(digits[9]) != expected {
            return Err(NhsNumberProblem::CheckDigit);
        }
        if digits.iter().all(|digit| *digit == digits[0]) {
            return Err(NhsNumberProblem::Placeholder);
        }
        Ok(NhsNumber(digits))
    }

    /// The ten digits, as stored and sent.
    pub fn as_str(&self) -> &str {
        // Only digits are ever put in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub fn range(&self) -> NhsNumberRange {
        NhsNumberRange::of(self.0.iter().take(3).fold(0, |start, digit| start * 10 + u32::from(digit - b'0')))
    }
}

/// Two letters, six digits and perhaps a letter, whatever stands between them.
fn is_national_insurance(kept: &[char]) -> bool {
    let shape: String = kept
        .iter()
        .map(|c| {
            if c.is_ascii_alphabetic() {
                'A'
            } else if c.is_ascii_digit() {
                '9'
            } else {
                '?'
            }
        })
        .collect();
    matches!(shape.as_str(), "AA999999" | "AA999999A")
}

/// 3 3 4, as the NHS service manual asks.
impl fmt::Display for NhsNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.as_str();
        let part = |range| digits.get(range).unwrap_or_default();
        write!(f, "{} {} {}", part(0..3), part(3..6), part(6..10))
    }
}

impl fmt::Debug for NhsNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NhsNumber(hidden)")
    }
}
