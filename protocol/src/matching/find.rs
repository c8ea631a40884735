//! Finding people by what somebody types: names in any order, misspelt or without their accents, dates as people write
//! them, numbers or a part of one. A record is looked for as from [`View::whole`](crate::record::View::whole): values that
//! nobody has settled yet are found too. All D.

use serde_json::Value;

use crate::clinical::identity::{fold_name, parse_date, sound};

/// A word that was typed and a word that is stored count as the same from this Jaro-Winkler similarity.
const ALIKE: f64 = 0.87;

/// What somebody is looking for.
#[derive(Debug, Default)]
pub struct Query {
    /// Folded parts of names.
    pub words: Vec<String>,
    /// Digits of numbers and dates.
    pub numbers: Vec<String>,
}

impl Query {
    pub fn of(text: &str) -> Query {
        let mut query = Query::default();
        let tokens: Vec<&str> = text.split_whitespace().collect();
        let mut rest: Vec<&str> = Vec::new();
        let mut at = 0;
        while let Some(left) = tokens.get(at..).filter(|left| !left.is_empty()) {
            // A date is one token or three: 14/2/1968, 14 Feb 1968.
            let date = [3, 1].into_iter().find_map(|n| {
                let date = parse_date(&left.get(..n)?.join(" "))?;
                Some((n, date))
            });
            match date {
                Some((n, date)) => {
                    query.numbers.push(digits(&date.to_string()));
                    at += n;
                }
                None => {
                    rest.extend(left.first());
                    at += 1;
                }
            }
        }
        for word in tokens_of(&rest.join(" ")) {
            if word.bytes().all(|c| c.is_ascii_digit()) {
                query.numbers.push(word);
            } else {
                query.words.push(word);
            }
        }
        query
    }

    /// Fewer than two characters would find everybody.
    pub fn is_too_short(&self) -> bool {
        self.words.iter().chain(&self.numbers).all(|word| word.chars().count() < 2)
    }
}

/// The words of a query. Numbers written in groups are one word, however they are spaced:
/// `999 000 0018` is `9990000018`, `03/02/1968` is `03021968`.
fn tokens_of(query: &str) -> Vec<String> {
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

/// The digits only.
fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// A word that was typed.
pub struct Typed<'a> {
    word: &'a str,
    length: usize,
    sound: String,
    letters: u64,
}

/// The letters of a word as bits; letters of other scripts may share one.
fn letters(word: &str) -> u64 {
    word.chars().fold(0, |bits, c| bits | 1 << (u32::from(c) % 64))
}

impl Typed<'_> {
    pub fn of(word: &str) -> Typed<'_> {
        Typed { word, length: word.chars().count(), sound: sound(word), letters: letters(word) }
    }

    /// How well it fits a word that is stored: whole, as its beginning, nearly, or by its sound.
    pub fn alike(&self, stored: &str) -> Option<f64> {
        let Typed { word, length, .. } = *self;
        if word == stored {
            return Some(1.0);
        }
        if stored.starts_with(word) {
            return Some(0.97);
        }
        if length < 3 {
            return None;
        }
        // Where more than two letters of five are nowhere in the other word it cannot be near.
        let lacking = (self.letters & !letters(stored)).count_ones() as usize;
        let near = lacking * 5 <= length * 2;
        let mut best = if stored.contains(word) { ALIKE } else { 0.0 };
        let stored_length = stored.chars().count();
        // Words of very different lengths are not alike as a whole: that would be work for nothing.
        if near && length.abs_diff(stored_length) <= 3 {
            best = strsim::jaro_winkler(word, stored).max(best);
        }
        // Somebody is still typing, and has made a mistake already.
        if near && length > 3 && stored_length > length {
            let begun: String = stored.chars().take(length).collect();
            best = (strsim::jaro_winkler(word, &begun) * 0.98).max(best);
        }
        if best < ALIKE && length > 3 && self.sound == sound(stored) {
            best = ALIKE;
        }
        (best >= ALIKE).then_some(best * 0.95)
    }
}

/// The parts of a person's names, folded: each word by which they may be looked for.
pub fn words_of(person: &Value) -> Vec<String> {
    let names = ["name/given", "name/family"].into_iter().flat_map(|path| concurrent(person, path));
    let folded: Vec<String> = names.map(|name| fold_name(&name)).collect();
    let mut words: Vec<String> = folded
        .iter()
        .flat_map(|name| name.split(' '))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// A person's NHS numbers, telephone numbers and dates of birth, as digits: the numbers that may be looked for.
pub fn numbers_of(person: &Value) -> Vec<String> {
    // A composite value stands whole in its conflict: its members are below it.
    let members = |conflict: &str, member: &str| -> Vec<String> {
        disputed(person, conflict).filter_map(|value| value[member].as_str().map(str::to_owned)).collect()
    };
    let mut words: Vec<String> = Vec::new();
    let mut numbers = concurrent(person, "nhs_number/value");
    numbers.extend(members("nhs_number", "value"));
    words.extend(numbers.iter().map(|number| digits(number)));
    for phone in concurrent(person, "phone") {
        let digits = digits(&phone);
        // A British number, as it is dialled here.
        words.extend(digits.strip_prefix("44").map(|rest| format!("0{rest}")));
        words.push(digits);
    }
    let mut births = concurrent(person, "date_of_birth");
    births.extend(members("birth", "date_of_birth"));
    for birth in births {
        let digits = digits(&birth);
        if let (Some(year), Some(month), Some(day)) = (digits.get(..4), digits.get(4..6), digits.get(6..8)) {
            words.extend([format!("{year}{month}{day}"), format!("{day}{month}{year}")]);
        }
    }
    words.retain(|word| !word.is_empty());
    words.sort_unstable();
    words.dedup();
    words
}

/// What a place is called, folded.
pub fn place_name(place: &Value) -> String {
    concurrent(place, "name").iter().map(|name| fold_name(name)).collect::<Vec<_>>().join(" ")
}

/// Every value that stands at a path, the one shown and those beside it.
fn concurrent(record: &Value, path: &str) -> Vec<String> {
    let shown = path.split('/').try_fold(record, |at, name| at.get(name));
    shown
        .into_iter()
        .chain(disputed(record, path))
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect()
}

fn disputed<'a>(record: &'a Value, path: &'a str) -> impl Iterator<Item = &'a Value> {
    let conflicts = record.get("conflicts").and_then(Value::as_array).into_iter().flatten();
    let entries = conflicts.filter(move |entry| entry["path"] == path);
    entries.filter_map(|entry| entry["values"].as_array()).flatten().map(|value| &value["value"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_taken_apart() {
        let of = |text| {
            let query = Query::of(text);
            (query.words, query.numbers)
        };
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(of("khan 14 Feb 1968"), (words(&["khan"]), words(&["19680214"])));
        assert_eq!(of("14/2/1968 José"), (words(&["jose"]), words(&["19680214"])));
        assert_eq!(of("999 000 0018"), (words(&[]), words(&["9990000018"])));
        assert!(Query::of("k").is_too_short() && Query::of(" - ").is_too_short());
        assert!(!Query::of("k khan").is_too_short());
    }

    #[test]
    fn numbers_written_in_groups_are_one_word() {
        assert_eq!(tokens_of("999 000 0018"), ["9990000018"]);
        assert_eq!(tokens_of("khan 03/02/1968"), ["khan", "03021968"]);
        assert_eq!(tokens_of("Al-Noor"), ["al", "noor"]);
        assert!(tokens_of(" - ").is_empty());
    }

    #[test]
    fn a_person_is_found_by_every_value_that_stands_beside_another() {
        let person = serde_json::json!({"name": {"given": "José", "family": "Khan"}, "phone": "+447700900123",
            "nhs_number": {"value": "9990000018"}, "date_of_birth": "1968-02-03",
            "conflicts": [{"path": "name/family", "values": [{"value": "Khan"}, {"value": "Kahn"}]},
                {"path": "birth", "values": [{"value": {"date_of_birth": "1969-02-03"}}]}]});
        assert_eq!(words_of(&person), ["jose", "kahn", "khan"]);
        for number in ["9990000018", "447700900123", "07700900123", "19680203", "03021968", "19690203"] {
            assert!(numbers_of(&person).iter().any(|known| known == number), "{number}");
        }
    }

    #[test]
    fn words_are_alike_whole_begun_misspelt_or_heard() {
        let alike = |typed, stored| Typed::of(typed).alike(stored);
        let better = |typed, near, far| alike(typed, near) > alike(typed, far);
        assert_eq!(alike("khan", "khan"), Some(1.0));
        assert!(better("khan", "khan", "khanum") && better("khan", "khanum", "kahn"));
        for (typed, stored) in [
            ("kahn", "khan"),
            ("muhammad", "mohamed"),
            ("fatma", "fatima"),
            ("muhanm", "muhammad"),
            ("o", "obrien"),
        ] {
            assert!(alike(typed, stored).is_some(), "{typed} {stored}");
        }
        for (typed, stored) in [("khan", "ali"), ("ha", "khan"), ("begum", "hussain")] {
            assert_eq!(alike(typed, stored), None, "{typed} {stored}");
        }
    }
}
