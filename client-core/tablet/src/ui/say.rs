//! Messages of the rules in words.

use std::sync::LazyLock;

use wayside_protocol::clinical::text::{Text, Texts};

static ENGLISH: LazyLock<Texts> = LazyLock::new(Texts::english);

/// For staff: in English.
pub fn say(text: &Text) -> String {
    ENGLISH.say(text)
}

pub fn say_id(id: &str) -> String {
    ENGLISH.say_id(id)
}
