//! How transfers are shown on standard error: bars on a terminal, else a line for each that ends, or nothing.
//!
//! A bar lives as long as its transfer: none is left behind, and none is there while cargo draws its own. Notes are said above the bars.

use std::collections::BTreeMap;
use std::sync::Mutex;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::build;
use crate::cli::report;
use crate::plan::request::Progress;
use crate::progress::{Event, Transfers};
use crate::registry::Listeners;

/// What is gone before one could look has no bar, in bytes.
const TINY: u64 = 256 * 1024;

/// Nothing of it moved, so there is nothing to tell; the summary counts it.
const UNMOVED: &str = "there already";

/// Those who hear of a run: what is said and what moves, without one writing over the other.
pub(crate) fn listeners(progress: Progress) -> Listeners {
    match progress {
        Progress::Quiet => Listeners {
            notes: report::notes(true),
            transfers: Transfers::unwatched(),
        },
        Progress::Auto if report::is_watched() => drawn(),
        Progress::Auto | Progress::Plain => Listeners {
            notes: report::notes(false),
            transfers: lines(report::tell),
        },
    }
}

fn drawn() -> Listeners {
    let bars = MultiProgress::new();
    let beside = bars.clone();
    Listeners {
        notes: report::notes_by(move |line| beside.suspend(|| report::tell(line))),
        transfers: bars_in(bars),
    }
}

/// A bar for each transfer that is not tiny.
fn bars_in(all: MultiProgress) -> Transfers {
    let open: Mutex<BTreeMap<u64, ProgressBar>> = Mutex::default();
    Transfers::to(move |event| {
        let mut open = open.lock().expect("no listener panics");
        match event {
            Event::Begun { id, label, size } if *size >= TINY => {
                open.insert(*id, all.add(bar(label, *size)));
            }
            Event::Begun { .. } => (),
            Event::At { id, bytes } => {
                open.get(id).inspect(|bar| bar.set_position(*bytes));
            }
            Event::Ended { id, .. } => {
                open.remove(id).inspect(ProgressBar::finish_and_clear);
            }
        }
    })
}

fn bar(label: &str, size: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{msg} [{bar:25}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}",
    );
    ProgressBar::new(size)
        .with_style(style.expect("a test draws it").progress_chars("=> "))
        .with_message(report::escaped(label))
}

/// A line for each transfer that ends, unless nothing of it moved.
fn lines(tell: impl Fn(&str) + Send + Sync + 'static) -> Transfers {
    let open: Mutex<BTreeMap<u64, String>> = Mutex::default();
    Transfers::to(move |event| {
        let mut open = open.lock().expect("no listener panics");
        match event {
            Event::Begun { id, label, size } => {
                let line = format!("{} ({})", report::escaped(label), build::size(*size));
                open.insert(*id, line);
            }
            Event::At { .. } => (),
            Event::Ended { id, how } => {
                let line = open.remove(id).filter(|_| *how != UNMOVED);
                line.inspect(|line| tell(&format!("{line}: {how}")));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use indicatif::{ProgressDrawTarget, TermLike};

    use super::*;

    #[test]
    fn a_line_tells_what_moved_when_it_has_ended() {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let writer = Arc::clone(&told);
        let transfers = lines(move |line| writer.lock().expect("test").push(line.to_owned()));
        let first = transfers.begin("push sha256:0123", 7_600_000);
        first.at(7);
        assert!(told.lock().expect("test").is_empty());
        first.end("pushed");
        transfers.begin("push sha256:4567", 10).end("there already");
        drop(transfers.begin("pull \u{1b}]0;x\u{7}", 10));
        assert_eq!(
            *told.lock().expect("test"),
            [
                "push sha256:0123 (7.6 MB): pushed",
                "pull \\u{1b}]0;x\\u{7} (10 B): failed",
            ]
        );
    }

    /// A terminal that remembers all that was written to it.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl Screen {
        fn add(&self, text: &str) -> std::io::Result<()> {
            self.0.lock().expect("test").push_str(text);
            Ok(())
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            self.add("<up>")
        }
        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            self.add("<down>")
        }
        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn write_line(&self, line: &str) -> std::io::Result<()> {
            self.add(&format!("{line}\n"))
        }
        fn write_str(&self, text: &str) -> std::io::Result<()> {
            self.add(text)
        }
        fn clear_line(&self) -> std::io::Result<()> {
            self.add("<clear>")
        }
        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_bar_is_drawn_for_what_takes_time_and_is_gone_when_it_has_ended() {
        let screen = Screen::default();
        let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
        let transfers = bars_in(MultiProgress::with_draw_target(target));
        let drawn = || std::mem::take(&mut *screen.0.lock().expect("test"));
        let tiny = transfers.begin("push tiny", TINY - 1);
        tiny.at(5);
        tiny.end("pushed");
        assert_eq!(drawn(), "");
        let large = transfers.begin("push \u{1b}[2J", TINY);
        large.at(TINY / 2);
        let shown = drawn();
        assert!(
            shown.contains("push \\u{1b}[2J [") && !shown.contains('\u{1b}'),
            "{shown}"
        );
        large.end("pushed");
        let after = drawn();
        let left = after.replace("<up>", "").replace("<clear>", "");
        assert!(after.contains("<clear>"), "{after:?}");
        assert_eq!(left.trim(), "");
    }
}
