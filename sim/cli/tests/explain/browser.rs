//! The page in a real browser: headless Chromium, where there is one.
//!
//! The page is opened with a probe appended, a script that uses it as a reader does (types into the
//! search, switches kinds off, presses keys) and writes what it saw into the document, which the
//! browser then prints. What the browser itself complains about goes to its standard error.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::pages::example_page;

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// Runs before the page: collects complaints.
const EARS: &str = "<script>
window.complaints = [];
addEventListener('error', (event) => complaints.push(String(event.message)));
addEventListener('unhandledrejection', (event) => complaints.push(String(event.reason)));
document.addEventListener('securitypolicyviolation', (event) => complaints.push(event.blockedURI));
console.error = (...words) => complaints.push(words.join(' '));
</script>";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Light {
    Day,
    Night,
}

fn browser() -> Option<&'static str> {
    let found = BROWSERS.into_iter().find(|name| {
        let mut version = Command::new(name);
        version.arg("--version");
        version.stdout(Stdio::null()).stderr(Stdio::null());
        version.status().is_ok_and(|status| status.success())
    });
    if found.is_none() {
        // Not `print!`: the harness hides that of a test that passes.
        let mut error = std::io::stderr();
        writeln!(error, "left out: no Chromium here, so no page was opened").unwrap();
    }
    found
}

/// Opens the page and returns what the probe saw.
fn open(browser: &str, directory: &Path, light: Light) -> Value {
    let probe = include_str!("probe.js");
    let page = example_page().replacen("<meta charset", &format!("{EARS}<meta charset"), 1);
    let page = page.replacen("</body>", &format!("<script>{probe}</script></body>"), 1);
    let file = directory.join("page.html");
    std::fs::write(&file, page).unwrap();
    let scheme = match light {
        Light::Day => "preferredColorScheme=1",
        Light::Night => "preferredColorScheme=0",
    };
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .args([
            "--enable-logging=stderr",
            "--virtual-time-budget=3000",
            "--dump-dom",
        ])
        .args([
            "--window-size=1280,900",
            "--host-resolver-rules=MAP * ~NOTFOUND",
        ])
        .arg(format!(
            "--user-data-dir={}",
            directory.join("profile").display()
        ))
        .arg(format!("--blink-settings={scheme}"))
        .arg(format!("file://{}", file.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let console: Vec<&str> = errors
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    assert!(console.is_empty(), "{console:#?}");
    let dom = String::from_utf8_lossy(&output.stdout);
    let seen = dom.split("<pre id=\"seen\">").nth(1);
    let seen = seen.and_then(|rest| rest.split("</pre>").next());
    let seen = seen.unwrap_or_else(|| panic!("the probe did not end:\n{errors}"));
    let seen = seen
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    serde_json::from_str(&seen).unwrap()
}

fn check(light: Light) {
    let Some(browser) = browser() else { return };
    let directory = tempfile::tempdir().unwrap();
    let seen = open(browser, directory.path(), light);
    assert_eq!(seen["complaints"], Value::Array(Vec::new()));
    assert_eq!(seen["requests"], 0, "the page fetched something");
    assert_eq!(seen["dark"], light == Light::Night);
    assert_eq!(seen["faint"], Value::Array(Vec::new()), "contrast below AA");
    let failed: Vec<&Value> = seen["checks"].as_array().unwrap().iter().collect();
    let failed: Vec<&&Value> = failed.iter().filter(|check| check["ok"] != true).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(seen["checks"].as_array().unwrap().len() >= 16);
}

#[test]
fn search_filters_and_keys_work_by_day() {
    check(Light::Day);
}

#[test]
fn search_filters_and_keys_work_by_night() {
    check(Light::Night);
}
