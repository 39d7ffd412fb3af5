//! What is printed: medians, then each figure that has a limit.

use crate::measure::{Rounds, median};

#[derive(Default)]
pub(crate) struct Table {
    failures: usize,
}

impl Table {
    pub(crate) fn section(&mut self, title: &str, seen: &Rounds) {
        println!("\n{title}");
        for (name, figures) in seen.all() {
            let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
            println!("  {name:<36} {:>9.1}   least {least:.1}", median(figures));
        }
    }

    pub(crate) fn at_most(&mut self, what: &str, figure: f64, limit: f64) {
        self.judge(what, figure, ("at most", limit, figure <= limit));
    }

    pub(crate) fn at_least(&mut self, what: &str, figure: f64, limit: f64) {
        self.judge(what, figure, ("at least", limit, figure >= limit));
    }

    pub(crate) fn holds(&self) -> bool {
        self.failures == 0
    }

    fn judge(&mut self, what: &str, figure: f64, (word, limit, good): (&str, f64, bool)) {
        let verdict = if good { "PASS" } else { "FAIL" };
        println!("  {what:<36} {figure:>9.2}   {word} {limit}   {verdict}");
        self.failures += usize::from(!good);
    }
}
