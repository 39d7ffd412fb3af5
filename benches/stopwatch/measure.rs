//! Figures of many rounds.

use std::collections::BTreeMap;

/// What each program took, round by round, in milliseconds.
#[derive(Default)]
pub(crate) struct Rounds(BTreeMap<&'static str, Vec<f64>>);

impl Rounds {
    pub(crate) fn add(&mut self, name: &'static str, milliseconds: f64) {
        self.0.entry(name).or_default().push(milliseconds);
    }

    pub(crate) fn of(&self, name: &str) -> &[f64] {
        &self.0[name]
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&&'static str, &Vec<f64>)> {
        self.0.iter()
    }
}

/// What `whole` took beyond all of `parts`, round by round: neighbours in time share what the machine was busy with.
pub(crate) fn beyond(whole: &[f64], parts: &[&[f64]]) -> Vec<f64> {
    let rest = |(at, whole): (usize, &f64)| whole - parts.iter().map(|part| part[at]).sum::<f64>();
    whole.iter().enumerate().map(rest).collect()
}

pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => f64::midpoint(sorted[half - 1], sorted[half]),
        _ => sorted[half],
    }
}
