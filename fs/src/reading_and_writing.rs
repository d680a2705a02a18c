//! Reading, writing and seeking: what `File` has by the traits of std. Each call goes to the real file or
//! to the description of a simulated one, whichever it is.

use std::io::{self, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use crate::file::{File, FileHandle};

impl Read for &File {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            FileHandle::Real(file) => { file }.read(buf),
            FileHandle::Simulated(file) => { &**file }.read(buf),
        }
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match &self.0 {
            FileHandle::Real(file) => { file }.read_vectored(bufs),
            FileHandle::Simulated(file) => { &**file }.read_vectored(bufs),
        }
    }

    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        match &self.0 {
            FileHandle::Real(file) => { file }.read_to_end(buf),
            FileHandle::Simulated(file) => { &**file }.read_to_end(buf),
        }
    }

    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        match &self.0 {
            FileHandle::Real(file) => { file }.read_to_string(buf),
            FileHandle::Simulated(file) => { &**file }.read_to_string(buf),
        }
    }
}

impl Write for &File {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &self.0 {
            FileHandle::Real(file) => { file }.write(buf),
            FileHandle::Simulated(file) => { &**file }.write(buf),
        }
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.0 {
            FileHandle::Real(file) => { file }.write_vectored(bufs),
            FileHandle::Simulated(file) => { &**file }.write_vectored(bufs),
        }
    }

    /// A file has no buffer of its own.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for &File {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        match &self.0 {
            FileHandle::Real(file) => { file }.seek(pos),
            FileHandle::Simulated(file) => { &**file }.seek(pos),
        }
    }
}

impl Read for File {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        { &*self }.read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        { &*self }.read_vectored(bufs)
    }

    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        { &*self }.read_to_end(buf)
    }

    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        { &*self }.read_to_string(buf)
    }
}

impl Write for File {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        { &*self }.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        { &*self }.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for File {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        { &*self }.seek(pos)
    }
}

impl FileExt for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        match &self.0 {
            FileHandle::Real(file) => file.read_at(buf, offset),
            FileHandle::Simulated(file) => file.read_at(buf, offset),
        }
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        match &self.0 {
            FileHandle::Real(file) => file.write_at(buf, offset),
            FileHandle::Simulated(file) => file.write_at(buf, offset),
        }
    }
}
