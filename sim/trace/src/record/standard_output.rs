//! The standard output of the program: a file in the mount, so that what it says and what it writes are in one order.

use std::sync::mpsc::Sender;

/// The name of the file. It is not listed, so that a program that reads its directory does not meet it.
pub(super) const STDOUT_NAME: &str = ".beaver-stdout";

/// What the program has said.
#[derive(Debug)]
pub(super) struct StandardOutput {
    /// What has no end of line yet.
    partial: Vec<u8>,
    len: u64,
    /// Passes the bytes on. It never waits: a reader that is slow must not stop the file system.
    pass_on: Option<Sender<Vec<u8>>>,
}

impl StandardOutput {
    pub(super) fn new(pass_on: Sender<Vec<u8>>) -> Self {
        StandardOutput {
            partial: Vec::new(),
            len: 0,
            pass_on: Some(pass_on),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// No more is passed on.
    pub(super) fn close(&mut self) {
        self.pass_on = None;
    }

    /// Takes bytes, and gives the lines that they complete. What is not UTF-8 in them is replaced.
    pub(super) fn say(&mut self, bytes: &[u8]) -> Vec<String> {
        self.len += bytes.len() as u64;
        if let Some(pass_on) = &self.pass_on {
            // Its reader may be gone; the lines count all the same.
            let _ = pass_on.send(bytes.to_vec());
        }
        self.partial.extend_from_slice(bytes);
        let Some(last) = self.partial.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let rest = self.partial.split_off(last + 1);
        let whole = std::mem::replace(&mut self.partial, rest);
        let lines = whole[..last].split(|byte| *byte == b'\n');
        let lines = lines.map(|line| String::from_utf8_lossy(line).into_owned());
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_line_counts_once_it_has_ended() {
        let (send, receive) = channel();
        let mut output = StandardOutput::new(send);
        assert!(output.say(b"one").is_empty());
        assert_eq!(output.say(b" more\n\nthree\nfo"), ["one more", "", "three"]);
        assert!(output.say(b"ur").is_empty());
        assert_eq!(output.len(), 20);
        drop(output);
        assert_eq!(receive.iter().flatten().count(), 20);
    }
}
