//! What was said then, beside what the rules say now. New rules never change history: they stand beside it.

use serde::Serialize;
use serde_json::Value;

use super::derive::Derived;
use super::entries::slots;
use super::text::Text;
use super::{Action, Category, RULES_VERSION};

/// Where advice that was given says something else than the rules say now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hindsight {
    /// The entry in `advice` that was given last.
    pub entry: String,
    /// What staff saw, perhaps a code of another version.
    pub category: Option<String>,
    pub code: Option<String>,
    /// The version of the rules then.
    pub rules: Option<String>,
    pub given_at: Option<String>,
    pub now: Option<Category>,
    /// Whether the rules are others today; else what is recorded has changed since.
    pub other_rules: bool,
    pub text: Text,
}

/// `None` where nothing was said yet, or what was said last is what the rules say now.
pub fn hindsight(contact: &Value, derived: &Derived) -> Option<Hindsight> {
    let mut given: Vec<(&str, &Value)> =
        slots(contact.get("advice")).into_iter().flat_map(|slot| slot.alternatives).collect();
    given.sort_by_key(|(id, advice)| (advice.get("given_at").and_then(Value::as_str), *id));
    let (entry, advice) = given.pop()?;
    let word = |name: &str| advice.get(name).and_then(Value::as_str).map(str::to_owned);
    let (category, code) = (word("category"), word("code"));
    let differs = match (&category, &code) {
        (Some(category), _) => derived.category.map(Category::as_str) != Some(category.as_str()),
        // Advice of another kind, on dementia say, has nothing to do with a reading.
        (None, Some(code)) => Action::parse(code).is_some_and(|action| !derived.actions.contains(&action)),
        (None, None) => false,
    };
    if !differs {
        return None;
    }
    let rules = advice.get("rules").and_then(|rules| match rules {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    });
    let other_rules = rules.as_deref().is_some_and(|rules| rules != RULES_VERSION);
    let (prefix, then) = match &category {
        Some(category) => ("category", category.clone()),
        None => ("action", code.clone().unwrap_or_default()),
    };
    let now = derived.category.map_or("category-none".to_owned(), |category| format!("category-{category}"));
    let text = Text::new(if other_rules { "hindsight-other-rules" } else { "hindsight-other-values" })
        .coded("then", prefix, &then)
        .texts("now", [now])
        .words("rules", rules.clone().unwrap_or_default());
    Some(Hindsight {
        entry: entry.to_owned(),
        category,
        code,
        rules,
        given_at: word("given_at"),
        now: derived.category,
        other_rules,
        text,
    })
}
