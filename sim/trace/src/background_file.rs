//! A file that is written by a thread of its own: who writes does not wait for the device.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

/// Parts that may wait. Who writes waits when there are more, so that they do not fill the memory.
const WAITING: usize = 16;

/// Meant to stand below a buffer: each write is handed over as it is.
#[derive(Debug)]
pub(crate) struct BackgroundFile {
    parts: Option<SyncSender<Vec<u8>>>,
    /// Parts that were written: their memory is used again, for the system hands out new memory slowly.
    written: Receiver<Vec<u8>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl BackgroundFile {
    pub(crate) fn new(file: File) -> Self {
        let (parts, waiting) = sync_channel(WAITING);
        let (done, written) = channel();
        BackgroundFile {
            parts: Some(parts),
            thread: Some(thread::spawn(move || write(file, &waiting, &done))),
            written,
        }
    }

    /// Waits until all is written. Nothing can be written after it.
    fn close(&mut self) -> io::Result<()> {
        self.parts = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(written)) => written,
            Some(Err(_)) => Err(io::Error::other("the thread that writes panicked")),
            None => Ok(()),
        }
    }
}

fn write(mut file: File, parts: &Receiver<Vec<u8>>, done: &Sender<Vec<u8>>) -> io::Result<()> {
    for part in parts {
        file.write_all(&part)?;
        // Nobody needs it any more only at the end.
        let _ = done.send(part);
    }
    Ok(())
}

impl Write for BackgroundFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut part = self.written.try_recv().unwrap_or_default();
        part.clear();
        part.extend_from_slice(bytes);
        let parts = self.parts.as_ref();
        if parts.is_some_and(|parts| parts.send(part).is_ok()) {
            return Ok(bytes.len());
        }
        // The thread has ended, and knows why.
        self.close()?;
        Err(io::Error::other("the file is closed"))
    }

    /// Waits until all is written, and closes the file.
    fn flush(&mut self) -> io::Result<()> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut file = BackgroundFile::new(File::create(&path).unwrap());
        for number in 0..100u8 {
            file.write_all(&[number; 1000]).unwrap();
        }
        file.flush().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(
            bytes
                .chunks(1000)
                .zip(0..)
                .all(|(part, number)| part == [number; 1000])
        );
        assert_eq!(bytes.len(), 100_000);
    }

    #[test]
    fn why_it_cannot_be_written_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        File::create(&path).unwrap();
        // It is open for reading only.
        let mut file = BackgroundFile::new(File::open(&path).unwrap());
        let _ = file.write_all(b"bytes");
        assert_eq!(file.flush().unwrap_err().raw_os_error(), Some(9));
    }
}
