//! The five kinds of concurrent step of version 0.1, which are still read.

use serde_json::{Map, Value, json};

/// The concurrent step that a step of this name was, in the words of today; nothing for the steps of
/// today.
pub(super) fn in_new_words(name: &str, value: &Value) -> Option<Result<Value, String>> {
    let (around, fields): (_, &[(&str, &str)]) = match name {
        "group" => ("flush", &[("steps", "waiting")]),
        "close-queued" => ("close", &[("steps", "waiting")]),
        "slow-checkpoint" | "queued-checkpoint" => (
            "checkpoint",
            &[
                ("steps", "waiting"),
                ("before_write", "before-write"),
                ("before_finish", "before-finish"),
            ],
        ),
        "checkpoint-amid" => ("checkpoint", &[("during_write", "")]),
        _ => return None,
    };
    let Some(inside) = value.get(name).and_then(Value::as_object) else {
        return Some(Err(format!("`{name}` has fields")));
    };
    let mut ops = Vec::new();
    for (field, at) in fields {
        match scheduled(inside, field, at) {
            Ok(more) => ops.extend(more),
            Err(error) => return Some(Err(error)),
        }
    }
    let known = |field: &&String| fields.iter().any(|(known, _)| known == field);
    Some(match inside.keys().find(|field| !known(field)) {
        Some(unknown) => Err(format!("unknown field `{unknown}`")),
        None => Ok(json!({"around": around, "ops": ops})),
    })
}

fn scheduled(inside: &Map<String, Value>, field: &str, at: &str) -> Result<Vec<Value>, String> {
    let Some(ops) = inside.get(field) else {
        return Ok(Vec::new());
    };
    let ops = ops
        .as_array()
        .ok_or_else(|| format!("`{field}` is a list"))?;
    let ops = ops.iter().map(|op| match field {
        "during_write" => {
            let call = op.get("before_call").and_then(Value::as_u64);
            let call = call.ok_or("`during_write` has `before_call` and `step`")?;
            let op = op.get("step").unwrap_or(&Value::Null);
            Ok(json!({"at": {"before-call": call}, "op": op}))
        }
        _ => Ok(json!({"at": at, "op": op})),
    });
    ops.collect()
}
