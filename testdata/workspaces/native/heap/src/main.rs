//! Allocates from several threads.

#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let count = |n: usize| std::thread::spawn(move || vec![1_u8; n].len());
    let threads: Vec<_> = (1..=4).map(|n| count(n * 100_000)).collect();
    let sum: usize = threads.into_iter().map(|one| one.join().expect("it counts")).sum();
    println!("mimalloc gave {sum}");
}
