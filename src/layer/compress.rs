//! A stream → one gzip member, compressed block by block on several threads.
//!
//! The input is cut into blocks of 1 MiB. Each is compressed by one call of a fresh compressor that knows the 32 KiB before it, so
//! the bytes depend on nothing but the input: not on the sizes of writes, not on the number of threads. The caller's thread
//! makes the blocks and writes the pieces in order; a bounded number of blocks is under way at any time. Never reuse a
//! compressor (zlib-rs issue 459), never compress a block in two calls: both have changed bytes before.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, ScopedJoinHandle};

use anyhow::Result;
use anyhow::bail;
use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress, Status};

use crate::interrupt;

const BLOCK: usize = 1 << 20;

/// How far back deflate can point.
const WINDOW: usize = 32 << 10;

const LEVEL: u32 = 3;

/// More than deflate can make of a block that does not compress, so that one call is always enough.
const ROOM: usize = BLOCK + BLOCK / 4;

/// Deflate, no flags, no time, no extra flags, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Gives `out` the gzip of what `produce` writes; `out` comes back with what `produce` made.
pub(super) fn gzip<W: Write, T>(
    out: W,
    threads: usize,
    produce: impl FnOnce(&mut Gzip<W>) -> Result<T>,
) -> Result<(W, T)> {
    run(threads, squeeze, out, produce)
}

/// As [`gzip`], with the work on a block as a value, so that a test can let it fail.
fn run<W: Write, T>(
    threads: usize,
    work: Work,
    out: W,
    produce: impl FnOnce(&mut Gzip<W>) -> Result<T>,
) -> Result<(W, T)> {
    let most = threads + 3;
    let (jobs, queue) = mpsc::sync_channel(most);
    let queue = Arc::new(Mutex::new(queue));
    thread::scope(|scope| {
        let mut workers = Vec::new();
        for _ in 0..threads {
            let queue = Arc::clone(&queue);
            let worker = move || serve(&queue, work);
            workers.push(thread::Builder::new().spawn_scoped(scope, worker)?);
        }
        drop(queue);
        let done = drive(Gzip::new(out, jobs, most), produce);
        // Every one is joined by hand, because the scope itself would pass a worker's panic on.
        let joined: Vec<_> = workers.into_iter().map(ScopedJoinHandle::join).collect();
        if joined.iter().any(Result::is_err) {
            bail!("a thread that compresses has panicked");
        }
        done
    })
}

/// Takes the stream with it, so that the queue is closed and the workers go home however this ends.
fn drive<W: Write, T>(
    mut gzip: Gzip<W>,
    produce: impl FnOnce(&mut Gzip<W>) -> Result<T>,
) -> Result<(W, T)> {
    gzip.out.write_all(&HEADER)?;
    let made = produce(&mut gzip)?;
    Ok((gzip.finish()?, made))
}

type Work = fn(&mut Block) -> io::Result<()>;

type Answer = io::Result<Block>;

/// A block and where it is waited for.
type Job = (Block, SyncSender<Answer>);

/// One block on its way to a worker and back; it is used again, so that memory does not grow with the stream.
struct Block {
    input: Vec<u8>,
    /// The last 32 KiB before the block; empty for the first.
    dictionary: Vec<u8>,
    last: bool,
    output: Vec<u8>,
    /// Of the input.
    checksum: Hasher,
}

impl Block {
    fn new() -> Block {
        Block {
            input: Vec::with_capacity(BLOCK),
            dictionary: Vec::with_capacity(WINDOW),
            last: false,
            output: Vec::with_capacity(ROOM),
            checksum: Hasher::new(),
        }
    }

    /// Empties the block for what comes after the bytes `before`.
    fn follow(&mut self, before: &[u8]) {
        let tail = before.len().saturating_sub(WINDOW);
        self.dictionary.clear();
        self.dictionary.extend_from_slice(&before[tail..]);
        self.input.clear();
    }
}

fn serve(queue: &Mutex<Receiver<Job>>, work: Work) {
    while let Some((mut block, reply)) = next(queue) {
        let answer = work(&mut block).map(|()| block);
        // Nobody listens any more when the stream has failed.
        let _ = reply.send(answer);
    }
}

/// The lock is held only while waiting, never while working.
fn next<T>(queue: &Mutex<Receiver<T>>) -> Option<T> {
    queue.lock().ok()?.recv().ok()
}

fn squeeze(block: &mut Block) -> io::Result<()> {
    let mut deflate = Compress::new(Compression::new(LEVEL), false);
    if !block.dictionary.is_empty() {
        deflate.set_dictionary(&block.dictionary)?;
    }
    let (flush, end) = match block.last {
        true => (FlushCompress::Finish, Status::StreamEnd),
        false => (FlushCompress::Sync, Status::Ok),
    };
    block.output.clear();
    let status = deflate.compress_vec(&block.input, &mut block.output, flush)?;
    let whole = deflate.total_in() == block.input.len() as u64;
    if status != end || !whole || block.output.len() == block.output.capacity() {
        return Err(io::Error::other("zlib did not take a block in one call"));
    }
    block.checksum = Hasher::new();
    block.checksum.update(&block.input);
    Ok(())
}

/// The stream that is being compressed: what is written here comes out of the writer below it as gzip.
pub(super) struct Gzip<W> {
    out: W,
    jobs: SyncSender<Job>,
    /// One place for each block under way, oldest first.
    waiting: VecDeque<Receiver<Answer>>,
    most: usize,
    block: Block,
    spare: Vec<Block>,
    checksum: Hasher,
    size: u64,
}

impl<W: Write> Gzip<W> {
    fn new(out: W, jobs: SyncSender<Job>, most: usize) -> Gzip<W> {
        Gzip {
            out,
            jobs,
            waiting: VecDeque::new(),
            most,
            block: Block::new(),
            spare: Vec::new(),
            checksum: Hasher::new(),
            size: 0,
        }
    }

    /// Hands the block over, after waiting for the oldest one if enough are under way.
    fn submit(&mut self) -> io::Result<()> {
        interrupt::check()?;
        if self.waiting.len() == self.most {
            self.take_oldest()?;
        }
        let mut next = self.spare.pop().unwrap_or_else(Block::new);
        next.follow(&self.block.input);
        let block = mem::replace(&mut self.block, next);
        self.size += block.input.len() as u64;
        let (reply, answer) = mpsc::sync_channel(1);
        self.waiting.push_back(answer);
        self.jobs.send((block, reply)).map_err(|_| lost())
    }

    fn take_oldest(&mut self) -> io::Result<()> {
        let Some(answer) = self.waiting.pop_front() else {
            return Ok(());
        };
        let block = answer.recv().map_err(|_| lost())??;
        self.checksum.combine(&block.checksum);
        self.out.write_all(&block.output)?;
        self.spare.push(block);
        Ok(())
    }

    /// The last block, those still under way, and gzip's trailer: checksum and length, both modulo 2^32.
    fn finish(mut self) -> io::Result<W> {
        self.block.last = true;
        self.submit()?;
        while !self.waiting.is_empty() {
            interrupt::check()?;
            self.take_oldest()?;
        }
        let checksum = self.checksum.finalize();
        self.out.write_all(&checksum.to_le_bytes())?;
        self.out.write_all(&(self.size as u32).to_le_bytes())?;
        Ok(self.out)
    }
}

fn lost() -> io::Error {
    io::Error::other("a thread that compresses has ended early")
}

/// A full block waits for the byte after it, because the last block is compressed in another way.
impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.block.input.len() == BLOCK && !bytes.is_empty() {
            self.submit()?;
        }
        let taken = bytes.len().min(BLOCK - self.block.input.len());
        self.block.input.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
