//! Deflate (RFC 1951) as streams.

use std::io::{self, BufRead, Read, Write};

use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

/// zlib's usual balance of time and length.
const LEVEL: i32 = 6;
/// Raw deflate in the words of zlib: a window of 2^15 bytes and no header.
const RAW: i32 = -15;

/// What a deflated stream holds. Its end is the stream's own; what follows stays in the source.
pub(crate) struct Inflate<R> {
    state: Box<InflateState>,
    source: R,
    ended: bool,
}

impl<R: BufRead> Inflate<R> {
    pub(crate) fn new(source: R) -> Self {
        Inflate {
            state: InflateState::new_boxed(DataFormat::Raw),
            source,
            ended: false,
        }
    }

    /// Begins a stream of its own with the next byte of the source.
    pub(crate) fn restart(&mut self) {
        self.state.reset(DataFormat::Raw);
        self.ended = false;
    }

    pub(crate) fn source(&mut self) -> &mut R {
        &mut self.source
    }
}

impl<R: BufRead> Read for Inflate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while !self.ended {
            let input = self.source.fill_buf()?;
            let no_more = input.is_empty();
            let result = inflate(&mut self.state, input, buffer, MZFlush::None);
            self.source.consume(result.bytes_consumed);
            let stands = result.bytes_consumed == 0 && result.bytes_written == 0;
            match result.status {
                Ok(MZStatus::StreamEnd) => self.ended = true,
                Ok(_) | Err(MZError::Buf) if no_more && stands => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(_) | Err(MZError::Buf) if !stands => {}
                Ok(_) | Err(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
            if result.bytes_written > 0 {
                return Ok(result.bytes_written);
            }
        }
        Ok(0)
    }
}

/// Deflates what is written to it. [`Deflate::finish`] writes the end.
pub(crate) struct Deflate<W> {
    compressor: Box<CompressorOxide>,
    sink: W,
    buffer: Vec<u8>,
}

impl<W: Write> Deflate<W> {
    pub(crate) fn new(sink: W) -> Self {
        let flags = create_comp_flags_from_zip_params(LEVEL, RAW, 0);
        Deflate {
            compressor: Box::new(CompressorOxide::new(flags)),
            sink,
            buffer: vec![0; 32 << 10],
        }
    }

    /// Writes the end of the stream and gives the sink back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        while self.step(&[], MZFlush::Finish)?.1 != MZStatus::StreamEnd {}
        Ok(self.sink)
    }

    fn step(&mut self, input: &[u8], flush: MZFlush) -> io::Result<(usize, MZStatus)> {
        let result = deflate(&mut self.compressor, input, &mut self.buffer, flush);
        let status = match result.status {
            Ok(status) => status,
            Err(error) => return Err(io::Error::other(format!("cannot deflate: {error:?}"))),
        };
        self.sink.write_all(&self.buffer[..result.bytes_written])?;
        Ok((result.bytes_consumed, status))
    }
}

impl<W: Write> Write for Deflate<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        loop {
            match self.step(bytes, MZFlush::None)?.0 {
                0 => {}
                consumed => return Ok(consumed),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
