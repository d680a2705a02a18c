//! How nodes write messages on a connection.
//!
//! ```text
//! ┌──────────────┬──────────────┬───────────┬──────────┐
//! │ bytes of the │ bytes of the │ message   │ load     │
//! │ message, u32 │ load, u32    │ (JSON)    │ (as is)  │
//! └──────────────┴──────────────┴───────────┴──────────┘
//! ```
//! Numbers are big-endian. The first byte of a frame is always 0, because a message has less than
//! 16 MiB; that of an HTTP request never is. So one port can serve both. The load is a snapshot, or
//! nothing.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The largest message, in bytes.
pub(crate) const MAX_MESSAGE: usize = (16 << 20) - 1;

/// The largest load of any frame, in bytes.
pub(crate) const MAX_LOAD: usize = 1 << 30;

/// Buffers grow by this much at most before bytes have come to fill them, so that a length alone
/// takes no memory.
const STEP: usize = 1 << 20;

/// Writes one frame.
///
/// # Errors
/// The message or the load is too large (nothing is written), or the connection fails.
pub(crate) async fn write_frame<W: AsyncWrite + Unpin>(
    out: &mut W,
    message: &impl Serialize,
    load: &[u8],
) -> io::Result<()> {
    let message = serde_json::to_vec(message)?;
    let mut frame = Vec::with_capacity(8 + message.len());
    frame.extend_from_slice(&length("message", message.len(), MAX_MESSAGE)?);
    frame.extend_from_slice(&length("load", load.len(), MAX_LOAD)?);
    frame.extend_from_slice(&message);
    out.write_all(&frame).await?;
    out.write_all(load).await?;
    out.flush().await
}

/// Reads one frame, with a load of `max_load` bytes at most. `None`: the connection has ended before
/// it.
///
/// # Errors
/// The connection fails or ends within the frame, a length is above its limit, or the message is
/// not a `T`.
pub(crate) async fn read_frame<T: DeserializeOwned>(
    input: &mut (impl AsyncRead + Unpin),
    max_load: usize,
) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut first = [0; 1];
    if input.read(&mut first).await? == 0 {
        return Ok(None);
    }
    let mut rest = [0; 7];
    input.read_exact(&mut rest).await?;
    let message = u32::from_be_bytes([first[0], rest[0], rest[1], rest[2]]);
    let load = u32::from_be_bytes([rest[3], rest[4], rest[5], rest[6]]);
    let message = read_bytes(input, "message", message, MAX_MESSAGE).await?;
    let load = read_bytes(input, "load", load, max_load).await?;
    Ok(Some((serde_json::from_slice(&message)?, load)))
}

fn length(what: &str, bytes: usize, limit: usize) -> io::Result<[u8; 4]> {
    match u32::try_from(bytes) {
        Ok(length) if bytes <= limit => Ok(length.to_be_bytes()),
        _ => Err(too_large(what, bytes, limit)),
    }
}

fn too_large(what: &str, bytes: usize, limit: usize) -> io::Error {
    let text = format!("a {what} of {bytes} bytes is above the limit of {limit}");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

async fn read_bytes(
    input: &mut (impl AsyncRead + Unpin),
    what: &str,
    length: u32,
    limit: usize,
) -> io::Result<Vec<u8>> {
    let length = length as usize;
    if length > limit {
        return Err(too_large(what, length, limit));
    }
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let from = bytes.len();
        bytes.resize(length.min(from + STEP), 0);
        input.read_exact(&mut bytes[from..]).await?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> io::Result<Option<(String, Vec<u8>)>> {
        read_frame(&mut bytes, MAX_LOAD).await
    }

    #[tokio::test]
    async fn a_frame_is_read_as_it_was_written_and_cut_ones_are_errors() {
        let mut bytes = Vec::new();
        let load = vec![7; 3 * STEP / 2];
        write_frame(&mut bytes, &"hello", &load).await.unwrap();
        assert_eq!(bytes[0], 0);
        assert_eq!(
            read(&bytes).await.unwrap(),
            Some(("hello".to_owned(), load))
        );
        assert_eq!(read(&[]).await.unwrap(), None);
        for end in [1, 8, 12, bytes.len() - 1] {
            assert!(read(&bytes[..end]).await.is_err(), "{end}");
        }
    }

    #[tokio::test]
    async fn a_length_above_the_limit_is_refused_before_anything_is_read() {
        let error = read(&[1, 0, 0, 0, 0, 0, 0, 0]).await.unwrap_err();
        assert!(error.to_string().contains("above the limit"), "{error}");
        let error = read(b"GET / HTTP/1.1").await.unwrap_err();
        assert!(error.to_string().contains("above the limit"), "{error}");
        let mut bytes = Vec::new();
        write_frame(&mut bytes, &"hello", &[7]).await.unwrap();
        let read = read_frame::<String>(&mut &bytes[..], 0).await;
        let error = read.unwrap_err().to_string();
        assert_eq!(error, "a load of 1 bytes is above the limit of 0");
    }
}
