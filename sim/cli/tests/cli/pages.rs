//! The Markdown pages of the project, as tests read them: blocks, commands, headings and links.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A page, and where it lies in the project.
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// What stands between two fences.
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
    /// The file that the paragraph before calls it: "a file `NAME`".
    pub(crate) file: Option<String>,
}

/// A command of a page.
#[derive(Debug)]
pub(crate) struct PageCommand {
    pub(crate) line: String,
    /// How it ends, as the page says.
    pub(crate) code: i32,
    /// What it prints, where the page shows it.
    pub(crate) output: Option<String>,
}

/// The folder of the project.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Page {
    /// The page at `path` in the project.
    pub(crate) fn read(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let text = std::fs::read_to_string(project().join(&path)).unwrap();
        Page { path, text }
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        let parts: Vec<&str> = self.text.split("```").collect();
        let pairs = parts.chunks_exact(2);
        let blocks = pairs.map(|pair| {
            let (language, text) = pair[1].split_once('\n').unwrap();
            let paragraph = pair[0].trim_end().rsplit("\n\n").next().unwrap();
            let named = paragraph.split_once("a file `");
            let named = named.and_then(|(_, rest)| rest.split('`').next());
            Block {
                language: language.to_owned(),
                text: text.to_owned(),
                file: named.map(str::to_owned),
            }
        });
        blocks.collect()
    }

    /// Everything but the blocks.
    pub(crate) fn prose(&self) -> String {
        self.text.split("```").step_by(2).collect()
    }

    /// What its links lead to, as they are written.
    pub(crate) fn links(&self) -> Vec<String> {
        let prose = self.prose();
        // Between a pair of backticks a bracket is no link.
        let text: String = prose.split('`').step_by(2).collect();
        let inline = text.split("](").skip(1);
        let inline = inline.map(|rest| rest.split(')').next().unwrap());
        let defined = prose.lines().filter_map(|line| {
            let line = line.strip_prefix('[')?;
            Some(line.split_once("]: ")?.1)
        });
        inline.chain(defined).map(str::to_owned).collect()
    }

    /// The anchors of its headings.
    pub(crate) fn anchors(&self) -> BTreeSet<String> {
        let prose = self.prose();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        headings
            .map(|line| anchor(line.trim_start_matches('#').trim()))
            .collect()
    }

    /// The first column of every table whose heading there is `heading`: what stands there as code.
    pub(crate) fn column(&self, heading: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut inside = false;
        for line in self.text.lines() {
            let cell = line
                .strip_prefix("| ")
                .and_then(|row| row.split(" |").next());
            inside = cell.is_some_and(|cell| inside || cell == heading);
            let code = cell.filter(|_| inside).unwrap_or_default().split('`');
            names.extend(code.skip(1).step_by(2).map(str::to_owned));
        }
        names
    }
}

/// The anchor of a heading, as forges and mdBook make it.
fn anchor(heading: &str) -> String {
    let letters = heading.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        _ => letter.is_alphanumeric().then_some(letter),
    });
    letters.flat_map(char::to_lowercase).collect()
}

impl Block {
    /// The commands of `beaver` in it, those of a checkout included.
    pub(crate) fn commands(&self) -> Vec<PageCommand> {
        let mut commands = Vec::new();
        match self.language.as_str() {
            "sh" => commands.extend(self.text.lines().filter_map(PageCommand::of_script)),
            "console" => {
                for part in format!("\n{}", self.text).split("\n$ ").skip(1) {
                    let (line, output) = part.split_once('\n').unwrap_or((part, ""));
                    match line {
                        "echo $?" => {
                            let last: &mut PageCommand = commands.last_mut().unwrap();
                            last.code = output.trim().parse().unwrap();
                        }
                        _ => commands.extend(PageCommand::of_session(line, output)),
                    }
                }
            }
            _ => {}
        }
        commands
    }
}

impl PageCommand {
    /// A line of a script, whose comment may say `exit code N`.
    fn of_script(line: &str) -> Option<Self> {
        let (line, comment) = line.split_once(" #").unwrap_or((line, ""));
        let mut command = PageCommand::parse(line)?;
        if let Some((_, code)) = comment.split_once("exit code ") {
            let digits = code.split(|letter: char| !letter.is_ascii_digit());
            command.code = digits.into_iter().next().unwrap().parse().unwrap();
        }
        Some(command)
    }

    /// A line after a prompt, with what it prints.
    fn of_session(line: &str, output: &str) -> Option<Self> {
        let command = PageCommand::parse(line)?;
        let output = Some(output.to_owned());
        Some(PageCommand { output, ..command })
    }

    fn parse(line: &str) -> Option<Self> {
        let line = match line.trim().strip_prefix("cargo run --release") {
            Some("") => "beaver".to_owned(),
            Some(rest) => format!("beaver {}", rest.strip_prefix(" -- ")?),
            None => line.trim().to_owned(),
        };
        let is_beaver = line.split_whitespace().next() == Some("beaver");
        // A saved failure fails again.
        let fails = ["beaver replay ", "beaver shrink "]
            .iter()
            .any(|start| line.starts_with(start));
        let code = i32::from(fails);
        is_beaver.then_some(PageCommand {
            line,
            code,
            output: None,
        })
    }
}

/// Each line of `expected` is a line of `text`, in this order, and next to the one before it unless `…` stands between. After
/// `…` in a line anything may follow.
#[track_caller]
pub(crate) fn check_lines(text: &str, expected: &str) {
    // When the kernel lets go of a file is an event too, and comes at a moment of its own: numbers of events differ.
    let without_numbers = |line: &str| match line.contains("event") || line.starts_with("      ") {
        true => line.replace(|letter: char| letter.is_ascii_digit(), ""),
        false => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(without_numbers).collect();
    let expected: Vec<String> = expected.lines().map(without_numbers).collect();
    let mut lines = lines.iter().map(|line| line.trim());
    let mut gap = true;
    for wanted in expected.iter().map(|line| line.trim()) {
        if wanted == "…" {
            gap = true;
            continue;
        }
        let fits = |line: &str| match wanted.strip_suffix('…') {
            Some(start) => line.starts_with(start),
            None => line == wanted,
        };
        let found = match gap {
            true => lines.any(fits),
            false => lines.next().is_some_and(fits),
        };
        assert!(found, "{wanted:?} is not there:\n{text}");
        gap = false;
    }
}
