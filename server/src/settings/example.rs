//! The commented example: `docs/wayside.toml`.

use super::default;
use super::table::{Default, SETTINGS, Setting};

const HEAD: &str = "\
# Every setting of `wayside serve`, with its default and what it does. Written by `wayside config example`.
#
# `wayside serve --config FILE` reads a file like this, or the one that WAYSIDE_CONFIG names; without either, and without
# --data, /etc/wayside/wayside.toml. An argument overrides a variable of the environment, which overrides the file. The
# variable stands behind each setting. `wayside config check FILE` says all that is wrong with a file.
";

/// A whole file in which every line that would change something is a comment.
pub fn example() -> String {
    let (mut text, mut table) = (HEAD.to_owned(), "");
    for setting in SETTINGS {
        let (above, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        if above != table {
            text.push_str(&format!("\n[{above}]\n"));
            table = above;
        }
        text.push('\n');
        for line in setting.about {
            text.push_str(&format!("# {line}\n"));
        }
        text.push_str(&format!("# {}\n", variable(setting)));
        text.push_str(&format!("#{name} = {}\n", stands_for(setting)));
    }
    text
}

fn variable(setting: &Setting) -> String {
    match setting.default {
        Default::Nothing(_) => format!("No default. {}", setting.variable()),
        _ => setting.variable(),
    }
}

fn stands_for(setting: &Setting) -> String {
    match (default(setting), setting.default) {
        (Some(value), _) => value.to_string(),
        (None, Default::Nothing(example)) if example.starts_with('[') => example.to_owned(),
        (None, Default::Nothing(example)) => format!("\"{example}\""),
        (None, _) => String::new(),
    }
}
