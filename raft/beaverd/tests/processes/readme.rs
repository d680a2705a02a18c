//! The commands of the README, run as they stand there, with other ports.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::nodes::{eventually, free_address};

/// The blocks of the README that are written in `language`.
fn blocks(language: &str) -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(readme).unwrap();
    let fence = format!("```{language}\n");
    let blocks = text.split(&fence).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// A place where the commands run, and the nodes that they have started.
struct Terminal {
    root: tempfile::TempDir,
    addresses: Vec<SocketAddr>,
    nodes: Vec<Child>,
}

impl Terminal {
    fn new() -> Self {
        Terminal {
            root: tempfile::tempdir().unwrap(),
            addresses: (0..4).map(|_| free_address()).collect(),
            nodes: Vec::new(),
        }
    }

    fn shell(&self, line: &str) -> Command {
        let mut line = line.to_owned();
        for (number, address) in (7101..).zip(&self.addresses) {
            line = line.replace(&format!("127.0.0.1:{number}"), &address.to_string());
        }
        let program = PathBuf::from(env!("CARGO_BIN_EXE_beaverd"));
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", program.parent().unwrap().display());
        let mut shell = Command::new("sh");
        // The shell becomes the program, so that its pid is the program's.
        shell
            .args(["-c", &format!("exec {line}")])
            .current_dir(self.root.path())
            .env("PATH", path);
        shell.stdin(Stdio::null()).stderr(Stdio::null());
        shell
    }

    /// Runs a line. `None`: it has started a node. Otherwise what it printed.
    fn run(&mut self, line: &str) -> Option<String> {
        if line.starts_with("beaverd ") {
            let node = self.shell(line).stdout(Stdio::null()).spawn().unwrap();
            self.nodes.push(node);
            return None;
        }
        // While a node starts, and while a new leader is elected, nothing is done.
        Some(eventually(line, || {
            let Output { status, stdout, .. } = self.shell(line).output().unwrap();
            let text = String::from_utf8(stdout).unwrap();
            (status.success() && !text.contains("\"retriable\":true") && !text.contains("refuses"))
                .then_some(text)
                .filter(|text| !text.contains("Connection refused"))
        }))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            node.kill().ok();
            node.wait().ok();
        }
    }
}

#[test]
fn every_command_of_the_readme_does_what_the_readme_says() {
    let mut terminal = Terminal::new();
    let commands = blocks("sh");
    let mut said = Vec::new();
    for line in commands.iter().flat_map(|block| block.lines()) {
        said.extend(terminal.run(line));
    }
    assert_eq!(terminal.nodes.len(), 4);
    let expected = blocks("json").concat();
    assert_eq!(said[..4].concat(), expected);
    for answer in &said {
        assert!(!answer.contains("\"error\""), "{answer}");
    }
    let [.., transferred, removed] = &said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(transferred, "{\"leader\":4}\n");
    assert!(
        removed.contains("\"id\":4") && !removed.contains("\"id\":1,"),
        "{removed}"
    );
}

#[test]
fn the_help_shows_how_to_begin() {
    let help = Command::new(env!("CARGO_BIN_EXE_beaverd"))
        .arg("--help")
        .output()
        .unwrap();
    let text = String::from_utf8(help.stdout).unwrap();
    let members = text
        .split("MEMBERS=")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    let text = text.replace("$MEMBERS", members);
    for line in blocks("sh")
        .concat()
        .lines()
        .filter(|line| line.starts_with("beaverd "))
    {
        assert!(text.contains(line), "{line}");
    }
}
