//! Damage that a run has done to the files, as long as nothing has healed it.

use std::collections::BTreeMap;

/// The files of a store, as bytes.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Damage to files that nothing has healed or replaced yet: which bytes stood where.
#[derive(Clone, Debug, Default)]
pub(crate) struct InjectedDamage(Vec<DamagedFile>);

/// One damaged range of a file.
#[derive(Clone, Debug)]
struct DamagedFile {
    file: String,
    /// The file's whole content before the damage.
    before: Vec<u8>,
}

impl InjectedDamage {
    /// No damage.
    pub(crate) const NONE: InjectedDamage = InjectedDamage(Vec::new());

    /// Remembers every file of `before` that is not the same in `after`.
    pub(crate) fn remember(&mut self, before: &Files, after: &Files) {
        for (file, bytes) in before {
            let known = self.0.iter().any(|scar| scar.file == *file);
            if !known && after.get(file) != Some(bytes) {
                self.0.push(DamagedFile {
                    file: file.clone(),
                    before: bytes.clone(),
                });
            }
        }
    }

    /// Whether no damage is left.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `file` is damaged.
    #[must_use]
    pub(crate) fn touches(&self, file: &str) -> bool {
        self.0.iter().any(|scar| scar.file == file)
    }

    /// Whether the first line of `file` is damaged.
    #[must_use]
    pub(crate) fn damages_first_line(&self, file: &str, files: &Files) -> bool {
        let line = |bytes: &[u8]| -> Vec<u8> {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            bytes[..end.unwrap_or(bytes.len())].to_vec()
        };
        let scar = self.0.iter().find(|scar| scar.file == file);
        let now = files.get(file).map(|bytes| line(bytes));
        scar.is_some_and(|scar| now != Some(line(&scar.before)))
    }

    /// Forgets damage of files for which `healed` is true.
    pub(crate) fn forget(&mut self, healed: impl Fn(&str) -> bool) {
        self.0.retain(|scar| !healed(&scar.file));
    }

    /// The files as they would be had the damage not happened.
    #[must_use]
    pub(crate) fn undone(&self, files: &Files) -> Files {
        let mut whole = files.clone();
        for scar in &self.0 {
            whole.insert(scar.file.clone(), scar.before.clone());
        }
        whole
    }
}
