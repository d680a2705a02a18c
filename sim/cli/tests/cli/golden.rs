//! Texts that people read, kept in `tests/golden/` and compared exactly. `BEAVER_BLESS=1 cargo test` writes them anew; the
//! change is then reviewed as a diff.

use std::path::Path;

/// Compares `actual` with the golden text `name`, after what differs from run to run was taken out.
#[track_caller]
pub(crate) fn check_golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    let actual = settled(actual);
    if std::env::var_os("BEAVER_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs; BEAVER_BLESS=1 writes it anew\n--- expected\n{expected}\n--- actual\n{actual}",
        path.display()
    );
}

/// `text` without durations, core counts and the path of the program.
fn settled(text: &str) -> String {
    let program = env!("CARGO_BIN_EXE_beaver");
    let text = text.replace(program, "beaver");
    let mut settled: String = text.lines().map(|line| settled_line(line) + "\n").collect();
    if !text.ends_with('\n') {
        settled.pop();
    }
    settled
}

fn settled_line(line: &str) -> String {
    if let Some((key, value)) = line.split_once(": ")
        && key.ends_with("elapsed_ms\"")
    {
        let comma = if value.ends_with(',') { "," } else { "" };
        return format!("{key}: 0{comma}");
    }
    if line.starts_with("jobs  ") {
        return "jobs         N".to_owned();
    }
    // The last cell of a row of the verdict table: a number of seconds with two digits after the point, right-aligned.
    match line
        .strip_suffix(" s")
        .and_then(|rest| rest.rsplit_once("  "))
    {
        Some((row, time)) if time.contains('.') => format!("{}  T", row.trim_end()),
        _ => line.to_owned(),
    }
}
