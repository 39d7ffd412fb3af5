//! Refusals of several platforms as one: who mended the first should not be told of the second by the next build.

use anyhow::Error;

use crate::fault::{Fault, Kind};
use crate::platform::Platform;

/// Whether an error is a refusal and nothing else, so that others may follow it.
pub(super) fn is_one(error: &Error) -> bool {
    let fault = error.downcast_ref::<Fault>();
    fault.is_some_and(|fault| fault.kind == Kind::Refused) && error.chain().count() == 1
}

/// One refusal for all; what is said of one platform alone, or of all in the same words, stays as it is.
pub(super) fn together(refused: Vec<(&Platform, Error)>) -> Option<Error> {
    let faults = refused
        .iter()
        .filter_map(|(platform, error)| Some((*platform, error.downcast_ref::<Fault>()?)));
    let faults: Vec<(&Platform, &Fault)> = faults.collect();
    let (_, first) = faults.first()?;
    if faults.iter().all(|(_, fault)| fault == first) {
        return refused.into_iter().next().map(|(_, error)| error);
    }
    Some(joined(&faults).into())
}

fn joined(faults: &[(&Platform, &Fault)]) -> Fault {
    let names = faults.iter().map(|(platform, _)| format!("for {platform}"));
    let names: Vec<String> = names.collect();
    let fault = Fault::refused(format!("cannot build {}", names.join(", ")));
    let mut reasons: Vec<String> = Vec::new();
    for (platform, fault) in faults {
        let mut own = fault.reasons().to_vec();
        own.retain(|reason| !reasons.contains(reason));
        reasons.push(format!("{platform}: {fault}"));
        reasons.extend(own);
    }
    let fault = reasons.into_iter().fold(fault, Fault::because);
    hints(faults).into_iter().fold(fault, Fault::hint)
}

/// Each way out once, with those that it serves.
fn hints(faults: &[(&Platform, &Fault)]) -> Vec<String> {
    let mut hints: Vec<(String, &String)> = Vec::new();
    for (platform, fault) in faults {
        for hint in fault.hints() {
            match hints.iter_mut().find(|(_, known)| *known == hint) {
                Some((platforms, _)) => *platforms = format!("{platforms}, {platform}"),
                None => hints.push((platform.to_string(), hint)),
            }
        }
    }
    let told = hints.into_iter();
    told.map(|(platforms, hint)| format!("{platforms}: {hint}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;
    use crate::testing::platform;

    fn lack(what: &str) -> Fault {
        Fault::refused(format!("it lacks {what}"))
            .because("looked for all")
            .because(format!("looked for {what}"))
            .hint(format!("bring {what}"))
            .hint("or do without")
    }

    fn told(faults: [Fault; 2]) -> Fault {
        let platforms = ["linux/amd64", "linux/arm64"].map(platform);
        let errors = faults.map(Error::from);
        let error = together(platforms.iter().zip(errors).collect()).expect("an error");
        error.downcast().expect("a fault")
    }

    #[test]
    fn what_each_platform_lacks_is_said_at_once_and_nothing_twice() {
        let fault = told([lack("gcc"), lack("clang")]);
        assert_eq!(fault.kind, Kind::Refused);
        assert_eq!(
            fault.to_string(),
            "cannot build for linux/amd64, for linux/arm64"
        );
        let reasons = [
            "linux/amd64: it lacks gcc",
            "looked for all",
            "looked for gcc",
            "linux/arm64: it lacks clang",
            "looked for clang",
        ];
        assert_eq!(fault.reasons(), reasons);
        let hints = [
            "linux/amd64: bring gcc",
            "linux/amd64, linux/arm64: or do without",
            "linux/arm64: bring clang",
        ];
        assert_eq!(fault.hints(), hints);
    }

    #[test]
    fn a_refusal_in_the_same_words_stays_as_it_is() {
        assert_eq!(told([lack("gcc"), lack("gcc")]), lack("gcc"));
    }

    #[test]
    fn another_error_or_one_with_a_context_is_not_joined() {
        assert!(is_one(&lack("gcc").into()));
        assert!(!is_one(&Fault::new(Kind::Cargo, "no").into()));
        assert!(!is_one(&anyhow::anyhow!("no")));
        let error = Err::<(), Fault>(lack("gcc")).context("while");
        assert!(!is_one(&error.expect_err("an error")));
    }
}
