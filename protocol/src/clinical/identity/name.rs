//! Names, folded for search and for matching: never for showing, which is as the person writes them.
//!
//! D throughout. Accents, case, apostrophes and hyphens, and the order of given and family names, must
//! not hide somebody: staff write names down by ear, and what is a family name differs between cultures.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use super::{Checked, Text};

/// A name in lower case without accents; apostrophes are gone (`O'Brien` is `obrien`), whatever else
/// stands between letters is one space (`Smith-Jones` is `smith jones`).
pub fn fold_name(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkd().flat_map(char::to_lowercase).nfkd() {
        // Marks that sit on a letter. Vowel signs of Indian scripts are of class 0, and stay.
        if canonical_combining_class(c) != 0 || is_apostrophe(c) {
            continue;
        }
        match plain(c) {
            Some(letters) => folded.push_str(letters),
            None if c.is_alphanumeric() || is_vowel_sign(c) => folded.push(c),
            None if !folded.is_empty() && !folded.ends_with(' ') => folded.push(' '),
            None => {}
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// Letters that Unicode does not take apart.
const fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ı' => "i",
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        _ => return None,
    })
}

const fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '`' | '´' | '‘' | '’' | 'ʻ' | 'ʼ' | 'ʹ' | '′')
}

/// Signs that are part of a word though not letters: the vowels of South and South-East Asian scripts.
fn is_vowel_sign(c: char) -> bool {
    ('\u{0900}'..='\u{109f}').contains(&c) && !c.is_ascii_punctuation() && !matches!(c, '।' | '॥')
}

/// The parts of a name in alphabetical order, so that it does not matter which one came first.
pub fn name_tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> =
        fold_name(text).split(' ').filter(|t| !t.is_empty()).map(str::to_owned).collect();
    tokens.sort_unstable();
    tokens
}

/// The parts of given and family name in one line, order-free: equal for the same name, however it was
/// divided and swapped.
pub fn name_key(given: &str, family: &str) -> String {
    name_tokens(&format!("{given} {family}")).join(" ")
}

/// A folded name by its consonants: `amina` and `aminah`, `khan` and `kahn` sound alike. A part that has
/// none stays whole.
pub fn sound(part: &str) -> String {
    let mut out = String::new();
    for c in part.chars().filter(|c| !matches!(c, 'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'h' | 'w')) {
        if !out.ends_with(c) {
            out.push(c);
        }
    }
    if out.is_empty() { part.to_owned() } else { out }
}

/// One part of a name as typed: trimmed, single spaces, otherwise as it is. A digit is asked about once.
pub fn check_name(text: &str) -> Checked {
    let value: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if value.is_empty() {
        return Checked::empty();
    }
    if fold_name(&value).is_empty() {
        return Checked::block(&value, Text::new("name-no-letters"));
    }
    let fine = Checked::fine(value.clone(), value.clone());
    if value.chars().any(char::is_numeric) { fine.confirm(Text::new("name-digits")) } else { fine }
}
