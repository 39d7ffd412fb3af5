//! A layer as the stream of its tar, whatever it is packed with; the first bytes say so, because media types may lie.
//!
//! Memory is bounded by the windows: 32 KiB of gzip, [`WINDOW`] of zstd. What comes out is bounded by [`MOST`], so that a bomb costs
//! some time and nothing else. What the tar leaves unread is hashed all the same, see [`Layer::finish`].

use std::io::{self, BufRead, BufReader, Error, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::interrupt;

/// The largest window of a zstd frame, in bytes: what RFC 8878 (3.1.1.1.2) asks decoders to support, times four for `--ultra`.
const WINDOW: u64 = 32 << 20;
/// The most bytes that a layer may unpack to.
pub(super) const MOST: u64 = 64 << 30;
const BUFFER: usize = 128 << 10;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The last three bytes of the sixteen magic numbers of frames that are passed over (RFC 8878, 3.1.2).
const SKIPPED: [u8; 3] = [0x2a, 0x4d, 0x18];

/// The tar of a layer.
pub(super) struct Layer<R: Read> {
    stream: Stream<R>,
    /// How many more bytes it may unpack to.
    pub(super) left: u64,
}

enum Stream<R: Read> {
    Plain(BufReader<R>),
    Gzip(Box<MultiGzDecoder<BufReader<R>>>),
    Zstd(Box<Frames<R>>),
}

impl<R: Read> Layer<R> {
    pub(super) fn open(packed: R) -> io::Result<Layer<R>> {
        let mut source = BufReader::with_capacity(BUFFER, packed);
        let start = source.fill_buf()?;
        let stream = if start.starts_with(&GZIP) {
            Stream::Gzip(Box::new(MultiGzDecoder::new(source)))
        } else if start.starts_with(&ZSTD) || is_skipped(start) {
            Stream::Zstd(Box::new(Frames::new(source)))
        } else {
            Stream::Plain(source)
        };
        Ok(Layer { stream, left: MOST })
    }

    /// Reads what is left of the packed bytes, so that whoever hashes them has seen them all.
    pub(super) fn finish(self) -> io::Result<()> {
        let mut rest = match self.stream {
            Stream::Plain(source) => source,
            Stream::Gzip(decoder) => decoder.into_inner(),
            Stream::Zstd(frames) => frames.source,
        };
        io::copy(&mut rest, &mut io::sink()).map(drop)
    }
}

impl<R: Read> Read for Layer<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        interrupt::check()?;
        let count = match &mut self.stream {
            Stream::Plain(source) => source.read(buffer)?,
            Stream::Gzip(decoder) => decoder.read(buffer)?,
            Stream::Zstd(frames) => frames.read(buffer)?,
        };
        let left = self.left.checked_sub(count as u64);
        self.left = left.ok_or_else(|| invalid(format!("it unpacks to more than {MOST} bytes")))?;
        Ok(count)
    }
}

/// What is wrong with the bytes, and not with the disk that they come from.
pub(super) fn invalid(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, what.into())
}

fn is_skipped(start: &[u8]) -> bool {
    start.first().is_some_and(|first| first & 0xf0 == 0x50)
        && start.get(1..4).is_some_and(|rest| rest == SKIPPED)
}

/// Zstd frames one after the other; the decoder knows one of them.
struct Frames<R: Read> {
    source: BufReader<R>,
    decoder: FrameDecoder,
    is_begun: bool,
}

impl<R: Read> Frames<R> {
    fn new(source: BufReader<R>) -> Frames<R> {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW);
        Frames {
            source,
            decoder,
            is_begun: false,
        }
    }

    /// Whether there is another frame; those that hold nothing for us are passed over.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            let mut magic = [0; 4];
            match self.source.fill_buf()?.len() {
                0 => return Ok(false),
                1..4 => return Err(invalid("a zstd frame is cut off")),
                _ => magic.copy_from_slice(&self.source.fill_buf()?[..4]),
            }
            if !is_skipped(&magic) {
                self.decoder.init(&mut self.source).map_err(broken)?;
                self.is_begun = true;
                return Ok(true);
            }
            self.pass_over()?;
        }
    }

    fn pass_over(&mut self) -> io::Result<()> {
        let mut head = [0; 8];
        self.source.read_exact(&mut head)?;
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let mut frame = (&mut self.source).take(length.into());
        match io::copy(&mut frame, &mut io::sink())? == u64::from(length) {
            true => Ok(()),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Decodes until there is something to be had; says whether there is.
    fn decode(&mut self) -> io::Result<bool> {
        let one = || BlockDecodingStrategy::UptoBlocks(1);
        while self.decoder.can_collect() == 0 {
            if self.is_begun && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, one())
                    .map_err(broken)?;
            } else if !self.begin()? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.decode()? {
            true => self.decoder.read(buffer),
            false => Ok(0),
        }
    }
}

fn broken(error: impl std::fmt::Display) -> Error {
    invalid(error.to_string())
}
