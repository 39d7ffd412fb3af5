//! What a program asks of glibc: linked by tests without a C compiler, and run.

use std::cell::Cell;
use std::net::ToSocketAddrs;
use std::sync::atomic::{AtomicU32, Ordering};

struct Loud(Cell<u32>);

impl Drop for Loud {
    fn drop(&mut self) {
        print!("thread {} ", self.0.get());
        DROPPED.fetch_add(1, Ordering::SeqCst);
    }
}

thread_local! { static LOCAL: Loud = const { Loud(Cell::new(1)) }; }
static DROPPED: AtomicU32 = AtomicU32::new(0);
static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count() {
    FORKS.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn bye() {
    println!("bye");
}

unsafe extern "C" {
    fn pthread_atfork(
        before: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
    ) -> i32;
    fn atexit(call: extern "C" fn()) -> i32;
    fn at_quick_exit(call: extern "C" fn()) -> i32;
    fn fork() -> i32;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(code: i32) -> !;
}

fn forks() -> u32 {
    unsafe {
        pthread_atfork(Some(count), Some(count), None);
        let process = fork();
        if process == 0 {
            _exit(0);
        }
        waitpid(process, &mut 0, 0);
    }
    FORKS.load(Ordering::SeqCst)
}

fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    let thread = std::thread::spawn(|| LOCAL.with(|local| local.0.set(local.0.get() + 1)));
    thread.join().expect("a thread");
    println!("{}", ["left", "dropped"][DROPPED.load(Ordering::SeqCst) as usize]);
    let caught = std::panic::catch_unwind(|| panic!("caught"));
    println!("caught {}", caught.is_err());
    let resolved = "127.0.0.1:80".to_socket_addrs();
    println!("resolved {}", resolved.is_ok());
    println!("forks {}", forks());
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    println!("arguments {arguments:?}");
    println!("sine {}", (arguments.len() as f64).sin() > 0.5);
    unsafe {
        atexit(bye);
        at_quick_exit(bye);
    }
}
