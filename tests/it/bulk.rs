//! The far end of very large blobs: gives zeros without end to read, takes what is sent and forgets it.
//!
//! A test registry sends its clients here for a layer that it could not hold.

#![expect(
    clippy::disallowed_types,
    reason = "the other end of the network is made here"
)]

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sha2::{Digest, Sha256};

/// Zeros, as a layer.
#[derive(Clone, Copy)]
pub(crate) struct Layer {
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) digest: &'static str,
}

pub(crate) const FIVE_GIB: Layer = Layer {
    size: 5 << 30,
    digest: "sha256:7f06c62352aebd8125b2a1841e2b9e1ffcbed602f381c3dcb3200200e383d1d5",
};

pub(crate) const HALF_A_GIB: Layer = Layer {
    size: 512 << 20,
    digest: "sha256:9acca8e8c22201155389f65abbf6bc9723edc7384ead80503839f49dcc56d767",
};

/// Serves until the test program ends.
pub(crate) struct Bulk {
    pub(crate) origin: String,
    taken: Arc<AtomicU64>,
}

impl Bulk {
    pub(crate) fn of(layer: Layer) -> Bulk {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
        let address = listener.local_addr().expect("it is bound");
        let taken = Arc::default();
        let bulk = Bulk {
            origin: format!("http://{address}"),
            taken: Arc::clone(&taken),
        };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let taken = Arc::clone(&taken);
                // Whoever hangs up has seen enough.
                thread::spawn(move || answer(stream, layer, &taken));
            }
        });
        bulk
    }

    /// How many bytes of good uploads came.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// One request: a GET is given the layer, a PUT brings it.
fn answer(stream: TcpStream, layer: Layer, taken: &AtomicU64) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    if head.starts_with("GET ") {
        return give(reader.get_mut(), layer.size);
    }
    let status = match digest_of(&mut reader, layer.size)? == layer.digest {
        true => "201 Created",
        false => "400 Bad Request",
    };
    taken.fetch_add(layer.size, Ordering::Relaxed);
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

fn give(stream: &mut TcpStream, size: u64) -> Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    )?;
    let zeros = [0; 256 * 1024];
    for _ in 0..size / zeros.len() as u64 {
        stream.write_all(&zeros)?;
    }
    Ok(())
}

fn digest_of(reader: &mut impl Read, size: u64) -> Result<String> {
    let (mut hash, mut left) = (Sha256::new(), size);
    let mut buffer = vec![0; 256 * 1024];
    while left > 0 {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        left -= count as u64;
    }
    let digest = hash.finalize();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256:{hex}"))
}
