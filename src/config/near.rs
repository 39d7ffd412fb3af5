//! "did you mean": the known word that a typed one is close to.
//!
//! A guess is made only when it is nearly sure: a wrong guess is worse than the list of what is known.

/// The candidate that differs by case, `_` or `-`, by one or two slips, or only by what stands before or after the word.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let typed = plain(word);
    let allowed = (typed.chars().count() / 3).min(2);
    candidates
        .into_iter()
        .map(|candidate| (distance(&typed, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Slips of the pen; a word of three letters or more inside a longer candidate counts as one.
fn distance(typed: &str, candidate: &str) -> usize {
    match typed.len() >= 3 && candidate != typed && candidate.contains(typed) {
        true => 1,
        false => strsim::damerau_levenshtein(typed, candidate),
    }
}

/// At most 64 characters, since the comparison is quadratic.
fn plain(word: &str) -> String {
    word.chars()
        .take(64)
        .filter(|c| !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect()
}
