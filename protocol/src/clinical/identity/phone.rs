//! Telephone numbers: stored as digits, a British one with its leading 0, any other with its +.
//!
//! The forms are those in which numbers are published in Britain; no source in the pack (unsourced, D).

use super::{Checked, Text};

/// A number as typed. An odd one is kept once confirmed: it may be all that there is to reach somebody.
pub fn check_phone(text: &str) -> Checked {
    let text = text.trim();
    if text.is_empty() {
        return Checked::empty();
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() {
        return Checked::block(text, Text::new("phone-no-digits"));
    }
    let international = text.starts_with('+') || digits.starts_with("00");
    let value = match digits.strip_prefix("00").unwrap_or(&digits) {
        abroad if international => match abroad.strip_prefix("44") {
            // As in +44 (0)7700 900123.
            Some(home) => format!("0{}", home.strip_prefix('0').unwrap_or(home)),
            None => format!("+{abroad}"),
        },
        // 44 without the plus, as telephones hand it over.
        home if home.starts_with("447") && home.len() == 12 => {
            format!("0{}", home.get(2..).unwrap_or_default())
        }
        home => home.to_owned(),
    };
    let letters = text.chars().any(char::is_alphabetic);
    let problem = match value.as_bytes() {
        _ if letters => Some("phone-letters"),
        [b'+', rest @ ..] if (7..=15).contains(&rest.len()) => None,
        [b'0', b'1' | b'2' | b'3' | b'5' | b'7' | b'8' | b'9', rest @ ..] => match rest.len() {
            9 => None,
            // Some areas and services still have a digit less.
            8 if matches!(value.as_bytes().get(1), Some(b'1' | b'8')) => None,
            ..9 => Some("phone-short"),
            _ => Some("phone-long"),
        },
        [b'0', ..] | [b'+', ..] => Some("phone-odd"),
        _ => Some("phone-no-zero"),
    };
    let checked = Checked::fine(value.clone(), show_phone(&value));
    match problem {
        None => checked,
        Some(id) => checked.confirm(Text::new(id)),
    }
}

/// A stored number in groups, as people write it.
pub fn show_phone(value: &str) -> String {
    let groups: &[usize] = match value.as_bytes() {
        [b'+', ..] => return value.to_owned(),
        [b'0', b'2', ..] => &[3, 4],
        [b'0', b'3' | b'8' | b'9', ..] | [b'0', b'1', b'1', ..] | [b'0', b'1', _, b'1', ..] => &[4, 3],
        [b'0', ..] => &[5],
        _ => return value.to_owned(),
    };
    let mut shown = String::with_capacity(value.len() + 2);
    let mut rest = value;
    for length in groups {
        // A short number is shown as far as the groups go.
        let Some((group, more)) = rest.split_at_checked(*length).filter(|(_, more)| !more.is_empty()) else {
            break;
        };
        shown.push_str(group);
        shown.push(' ');
        rest = more;
    }
    shown.push_str(rest);
    shown
}
