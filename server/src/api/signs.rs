//! What makes a check urgent beside its reading: red flags, symptoms, an irregular pulse, a pregnancy.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Signs {
    /// Codes of the red flags that are present and not struck out.
    pub red_flags: Vec<String>,
    pub symptoms: Vec<String>,
    pub irregular_pulse: bool,
    pub pregnant: bool,
}

impl Signs {
    pub fn of(check: &Value) -> Signs {
        let flags = check.pointer("/bp/red_flags").and_then(Value::as_object).into_iter().flatten();
        let present = flags.map(|(_, flag)| flag).filter(|flag| {
            flag.get("present") == Some(&Value::Bool(true)) && flag.get("struck_out").is_none()
        });
        let red_flags = present.filter_map(|flag| flag.get("flag")?.as_str().map(str::to_owned));
        let symptoms = check.pointer("/bp/symptoms").and_then(Value::as_array).into_iter().flatten();
        Signs {
            red_flags: red_flags.collect(),
            symptoms: symptoms.filter_map(Value::as_str).map(str::to_owned).collect(),
            irregular_pulse: check.pointer("/bp/pulse_rhythm").and_then(Value::as_str) == Some("irregular"),
            pregnant: check.get("pregnant") == Some(&Value::Bool(true)),
        }
    }
}
