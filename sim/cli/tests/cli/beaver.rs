//! Runs `beaver` in a directory of its own and keeps what it said.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A directory in which `beaver` is called.
pub(crate) struct Place {
    directory: TempDir,
    environment: Vec<(&'static str, String)>,
}

/// What one call came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    /// An empty directory.
    pub(crate) fn empty() -> Self {
        Place {
            directory: TempDir::new().unwrap(),
            environment: Vec::new(),
        }
    }

    /// A directory with one scenario, `small`, that holds in a moment.
    pub(crate) fn with_small_scenario() -> Self {
        let place = Place::empty();
        place.write("scenarios/small.json", SMALL);
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn set(mut self, variable: &'static str, value: &str) -> Self {
        self.environment.push((variable, value.to_owned()));
        self
    }

    /// The call `beaver <line>`, the words of `line` separated by blanks.
    pub(crate) fn beaver(&self, line: &str) -> Ran {
        self.beaver_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn beaver_words(&self, words: &[&str]) -> Ran {
        let output = self.command(words).output().unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a line of a page in a shell: how it ended, and what it printed. Programs in `bin/` come before others.
    pub(crate) fn shell(&self, line: &str) -> (Option<i32>, String) {
        let tool = Path::new(env!("CARGO_BIN_EXE_beaver")).parent().unwrap();
        let path = format!(
            "{}:{}:{}",
            self.path().join("bin").display(),
            tool.display(),
            std::env::var("PATH").unwrap()
        );
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(self.path())
            .env("PATH", path)
            .env_remove("BEAVER_BLESS")
            .env_remove("BEAVER_SEED")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        (output.status.code(), format!("{text}{errors}"))
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_beaver"));
        command
            .args(words)
            .current_dir(self.path())
            .env_remove("BEAVER_BLESS")
            .env_remove("BEAVER_SEED")
            .env_remove("CLICOLOR_FORCE")
            .env_remove("NO_COLOR")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text),
            "stdout has no {text:?}:\n{}",
            self.stdout
        );
        self
    }

    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "stderr has no {text:?}:\n{}",
            self.stderr
        );
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

const SMALL: &str = r#"{
  "claim": "acknowledged events survive",
  "seeds": "0..5",
  "workload": {"commands": 8},
  "crashes": {"power_cut_in_command_per_mille": 300}
}
"#;
