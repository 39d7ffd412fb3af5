//! The same gzip bytes for any core count, and readers that agree on them.

use std::io::Read;

use flate2::read::GzDecoder;
use flate2::read::MultiGzDecoder;

use super::*;
use crate::digest::Digest;

/// Bytes with both the repetition and the noise of machine code, the same on every machine.
fn sample(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let from = bytes.len().saturating_sub((state >> 50) as usize);
        match state & 7 {
            0..5 if from + 24 < bytes.len() => bytes.extend_from_within(from..from + 24),
            _ => bytes.extend_from_slice(&state.to_le_bytes()),
        }
    }
    bytes.truncate(size);
    bytes
}

/// Bytes that deflate can do nothing with.
fn noise(size: usize) -> Vec<u8> {
    let step = |state: &u64| {
        Some(
            state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1),
        )
    };
    std::iter::successors(Some(1_u64), step)
        .map(|state| (state >> 56) as u8)
        .take(size)
        .collect()
}

fn compressed(bytes: &[u8], threads: usize) -> Vec<u8> {
    let (out, ()) = gzip(Vec::new(), threads, |gzip| Ok(gzip.write_all(bytes)?)).expect("no fault");
    out
}

/// What a reader of one member and what a reader of many members make of it, and nothing may be left over.
fn inflated(bytes: &[u8]) -> Vec<u8> {
    let mut one = Vec::new();
    let mut reader = GzDecoder::new(bytes);
    reader.read_to_end(&mut one).expect("gzip");
    assert!(reader.into_inner().is_empty(), "one member is all there is");
    let mut many = Vec::new();
    MultiGzDecoder::new(bytes)
        .read_to_end(&mut many)
        .expect("gzip");
    assert_eq!(one, many);
    one
}

/// If this fails, every layer that was ever published gets another digest: say so in the release notes, and change `ASSEMBLY`.
#[test]
fn v04_three_mebibytes_have_the_bytes_that_they_always_had() {
    let bytes = compressed(&sample(3 << 20), 2);
    assert_eq!(
        (bytes.len(), Digest::of(&bytes).to_string().as_str()),
        (
            873_188,
            "sha256:db1aa11076cffffaf2f0e430496b60a11d96f33e596ac2fe56cf3ef80100343b"
        )
    );
}

#[test]
fn v04_the_number_of_threads_does_not_show() {
    let input = sample((4 << 20) + 12_345);
    let bytes = compressed(&input, 1);
    for threads in [2, 3, 8] {
        assert!(compressed(&input, threads) == bytes, "{threads} threads");
    }
    assert!(inflated(&bytes) == input);
}

#[test]
fn the_sizes_of_writes_do_not_show() {
    let input = sample((2 << 20) + 77);
    let bytes = compressed(&input, 2);
    for step in [997, BLOCK - 1, BLOCK + 1] {
        let (out, ()) = gzip(Vec::new(), 2, |gzip| {
            for part in input.chunks(step) {
                gzip.write_all(part)?;
                gzip.write_all(b"")?;
            }
            Ok(gzip.flush()?)
        })
        .expect("no fault");
        assert!(out == bytes, "writes of {step} bytes");
    }
}

#[test]
fn every_size_around_a_block_comes_back_as_it_was() {
    for size in [0, 1, WINDOW, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK] {
        let input = sample(size);
        let bytes = compressed(&input, 2);
        assert!(inflated(&bytes) == input, "{size} bytes");
        assert_eq!(bytes[..10], HEADER, "no time, no name, no system");
    }
}

#[test]
fn what_does_not_compress_hardly_grows() {
    let noise = noise(BLOCK + BLOCK / 2);
    let bytes = compressed(&noise, 2);
    assert!(bytes.len() < noise.len() + noise.len() / 1000);
    assert!(inflated(&bytes) == noise);
}

#[test]
fn a_block_knows_what_came_before_it() {
    let noise = noise(WINDOW / 2);
    let mut input = vec![0; BLOCK - WINDOW / 2];
    input.extend_from_slice(&noise);
    let alone = compressed(&input, 1).len();
    input.extend_from_slice(&noise);
    let both = compressed(&input, 1).len();
    assert!(both < alone + WINDOW / 16, "{both} after {alone}");
}

/// A writer that remembers how much reached it, and takes no more than it is allowed.
struct Pipe<'a> {
    arrived: &'a std::cell::Cell<usize>,
    room: usize,
}

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.arrived.get() + bytes.len() > self.room {
            return Err(io::Error::other("the disk is full"));
        }
        self.arrived.set(self.arrived.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn l03_no_more_than_a_few_blocks_are_ever_under_way() {
    let arrived = std::cell::Cell::new(0);
    let room = usize::MAX;
    let pipe = Pipe {
        arrived: &arrived,
        room,
    };
    let raw: Work = |block| {
        block.output.clone_from(&block.input);
        Ok(())
    };
    run(2, raw, pipe, |gzip| {
        for blocks in 1..=64 {
            gzip.write_all(&[0; BLOCK])?;
            let under_way = blocks - arrived.get() / BLOCK;
            assert!(under_way <= 2 + 3 + 1, "{under_way} blocks of {blocks}");
            assert!(gzip.spare.len() + gzip.waiting.len() <= 2 + 3 + 1);
        }
        Ok(())
    })
    .expect("no fault");
    assert!(arrived.get() > 64 * BLOCK);
}

#[test]
fn a_full_disk_is_an_error_and_not_a_hang() {
    for room in [0, HEADER.len(), BLOCK, 3 * BLOCK] {
        let arrived = std::cell::Cell::new(0);
        let pipe = Pipe {
            arrived: &arrived,
            room,
        };
        let raw: Work = |block| {
            block.output.clone_from(&block.input);
            Ok(())
        };
        let error = run(2, raw, pipe, |gzip| {
            for _ in 0..32 {
                gzip.write_all(&[0; BLOCK])?;
            }
            Ok(())
        });
        let error = error.map(|_| ()).expect_err("full").to_string();
        assert_eq!(error, "the disk is full", "{room}");
    }
}

#[test]
fn what_the_producer_says_went_wrong_is_what_comes_out() {
    let error = gzip(Vec::new(), 3, |gzip| -> Result<()> {
        gzip.write_all(&vec![0; 5 * BLOCK])?;
        bail!("the source has gone")
    });
    let error = error.map(|_| ()).expect_err("gone").to_string();
    assert_eq!(error, "the source has gone");
}

#[test]
fn a_block_that_fails_fails_the_stream() {
    let fail: Work = |block| match block.dictionary.is_empty() {
        true => Ok(()),
        false => Err(io::Error::other("zlib is unwell")),
    };
    let error = run(2, fail, Vec::new(), |gzip| {
        Ok(gzip.write_all(&vec![0; 9 * BLOCK])?)
    });
    let error = error.map(|_| ()).expect_err("unwell").to_string();
    assert_eq!(error, "zlib is unwell");
}

#[test]
fn a_worker_that_panics_is_an_error_and_neither_a_hang_nor_a_panic() {
    for threads in [1, 2, 4] {
        let panic: Work = |_| std::panic::resume_unwind(Box::new("quietly"));
        let error = run(threads, panic, Vec::new(), |gzip| {
            Ok(gzip.write_all(&vec![0; 20 * BLOCK])?)
        });
        let error = error.map(|_| ()).expect_err("panicked").to_string();
        assert!(error.contains("panicked"), "{error}");
    }
}
