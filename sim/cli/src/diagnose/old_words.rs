//! The words of scenario files that version 0.1 had and that are called otherwise now. They are still
//! read, and a note says what they are called.

use serde_json::Value;

/// Fields and kinds of fault: the old word, and the word of today.
const RENAMED: &[(&str, &str)] = &[
    ("pm", "per_mille"),
    ("most", "limit"),
    ("kill_in_command_pm", "kill_in_command_per_mille"),
    ("power_cut_in_command_pm", "power_cut_in_command_per_mille"),
    ("in_recovery_pm", "in_recovery_per_mille"),
    ("create-error-done", "create-error-after-effect"),
    ("rename-error-done", "rename-error-after-effect"),
    ("remove-error-done", "remove-error-after-effect"),
    ("set-len-error-done", "set-len-error-after-effect"),
];

/// Steps of a script: each is a `concurrent` step now.
const STEPS: &[&str] = &[
    "group",
    "close-queued",
    "slow-checkpoint",
    "queued-checkpoint",
    "checkpoint-amid",
];

/// What to write instead of the old words of `text`, a scenario that was read; nothing if it has none.
#[must_use]
pub fn old_words(text: &str) -> Option<String> {
    let scenario: Value = serde_json::from_str(text).ok()?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut used = Vec::new();
    let mut use_word = |word: &str| used.push(word.to_owned());
    let faults = [&scenario["faults"], &scenario["script"]["faults"]];
    for fault in faults.into_iter().flat_map(list) {
        let fields = fault.as_object().into_iter().flat_map(|fault| fault.keys());
        fields.for_each(|field| use_word(field));
        fault["kind"].as_str().into_iter().for_each(&mut use_word);
    }
    let crashes = scenario["crashes"].as_object();
    let fields = crashes.into_iter().flat_map(|crashes| crashes.keys());
    fields.for_each(|field| use_word(field));
    let renamed = RENAMED
        .iter()
        .filter(|(old, _)| used.iter().any(|word| word == old));
    let mut instead: Vec<String> = renamed
        .map(|(old, new)| format!("`{old}` is `{new}` now"))
        .collect();
    let steps = list(&scenario["script"]["steps"]);
    let is_used = |name: &&&str| steps.iter().any(|step| step.get(**name).is_some());
    let concurrent = STEPS.iter().filter(is_used);
    instead.extend(concurrent.map(|step| format!("`{step}` is a `concurrent` step now")));
    (!instead.is_empty()).then(|| instead.join(", "))
}

/// Whether a field or a kind of fault is called otherwise now, so it is never suggested.
pub(super) fn is_old(word: &str) -> bool {
    RENAMED.iter().any(|(old, _)| *old == word)
}

/// The old word of the field `new`, if `text` has it too, and `new`.
pub(super) fn old_word_of(new: &str, text: &str) -> Option<(&'static str, &'static str)> {
    let (old, new) = RENAMED.iter().find(|(_, word)| *word == new)?;
    text.contains(&format!("\"{old}\"")).then_some((*old, *new))
}

/// `path`, with its last field as version 0.1 called it.
#[must_use]
pub(super) fn old_path(path: &str) -> Option<String> {
    let (parent, field) = path.rsplit_once('.')?;
    let (old, _) = RENAMED.iter().find(|(_, new)| *new == field)?;
    Some(format!("{parent}.{old}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    use beaver_sim::scenario::Scenario;

    const OLD: &str = r#"{"claim": "c",
        "crashes": {"kill_in_command_pm": 1, "power_cut_in_command_pm": 2, "in_recovery_pm": 3},
        "faults": [
            {"kind": "create-error-done", "pm": 4, "most": 5}, {"kind": "rename-error-done", "pm": 6},
            {"kind": "remove-error-done", "pm": 7}, {"kind": "set-len-error-done", "pm": 8}
        ]}"#;

    #[test]
    fn the_old_words_are_read_as_the_new_ones() {
        let mut new = OLD.to_owned();
        // The longest first: `pm` is the end of others.
        for (old, word) in RENAMED.iter().rev() {
            new = new.replace(&format!("\"{old}\""), &format!("\"{word}\""));
        }
        let read = |text: &str| serde_json::from_str::<Scenario>(text).unwrap();
        assert_eq!(read(OLD), read(&new));
        assert_eq!(old_words(&new), None);
        let note = old_words(OLD).unwrap();
        for (old, word) in RENAMED {
            assert!(note.contains(&format!("`{old}` is `{word}` now")), "{note}");
        }
    }

    #[test]
    fn an_old_step_is_a_concurrent_one() {
        let text = r#"{"claim": "c", "script": {"steps": [{"group": {"steps": []}}, "kill"]}}"#;
        assert_eq!(
            old_words(text).unwrap(),
            "`group` is a `concurrent` step now"
        );
    }

    #[test]
    fn a_word_elsewhere_is_no_old_word() {
        let text = r#"{"claim": "most", "script": {"steps": [{"set": {"group": 1, "pm": 2}}]}}"#;
        assert_eq!(old_words(text), None);
    }
}
