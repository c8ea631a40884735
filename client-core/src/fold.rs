//! How text is compared when people search: without case, accents, or the ways of writing a number.

use wayside_protocol::clinical::identity::fold_name;

/// A name for finding the same site again: case and spacing do not matter, everything else does.
pub fn name(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The digits only.
pub fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The words of a query. Numbers written in groups are one word, however they are spaced:
/// `999 000 0018` is `9990000018`, `03/02/1968` is `03021968`.
pub fn query(query: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut number = false;
    for token in query.split_whitespace() {
        let numeric = token.chars().all(|c| c.is_ascii_digit() || "-/.()+".contains(c))
            && token.chars().any(|c| c.is_ascii_digit());
        if !numeric {
            words.extend(fold_name(token).split(' ').filter(|word| !word.is_empty()).map(str::to_owned));
        } else if number && let Some(last) = words.last_mut() {
            last.push_str(&digits(token));
        } else {
            words.push(digits(token));
        }
        number = numeric;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_names_and_numbers_in_many_ways() {
        assert_eq!(name(" Masjid   Al-Noor"), "masjid al-noor");
        assert_eq!(query("999 000 0018"), ["9990000018"]);
        assert_eq!(query("khan 03/02/1968"), ["khan", "03021968"]);
        assert_eq!(query("Al-Noor"), ["al", "noor"]);
        assert!(query(" - ").is_empty());
    }
}
