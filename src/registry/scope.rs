//! What a token is asked for: `repository:NAME:pull,push` (distribution, "Token Scope Documentation").

use std::fmt;

use crate::registry::auth::Access;

/// Resources with actions, in the order in which they are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scopes(Vec<Scope>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Scope {
    /// `repository:NAME`.
    resource: String,
    actions: Vec<String>,
}

impl Scopes {
    /// What an access to a repository needs, its own scope first: some servers look at no other.
    pub(super) fn of(repository: &str, access: &Access) -> Scopes {
        let own = |actions| Scope::new(repository, actions);
        Scopes(match access {
            Access::Enter => Vec::new(),
            Access::Pull => vec![own(&["pull"])],
            Access::Push => vec![own(&["pull", "push"])],
            Access::PushFrom(source) => {
                vec![own(&["pull", "push"]), Scope::new(source, &["pull"])]
            }
        })
    }

    /// The `scope` of a challenge; what is no scope is passed over.
    pub(super) fn parse(text: &str) -> Scopes {
        let scopes = text.split_whitespace().filter_map(Scope::parse);
        scopes.fold(Scopes::default(), Scopes::with_scope)
    }

    /// These, then what `more` adds to them.
    pub(super) fn with(self, more: Scopes) -> Scopes {
        more.0.into_iter().fold(self, Scopes::with_scope)
    }

    fn with_scope(mut self, more: Scope) -> Scopes {
        match self.0.iter_mut().find(|one| one.resource == more.resource) {
            None => self.0.push(more),
            Some(known) => {
                let new = |action: &String| !known.actions.contains(action);
                let actions: Vec<String> = more.actions.into_iter().filter(new).collect();
                known.actions.extend(actions);
            }
        }
        self
    }

    /// Whether nothing in `other` is missing here.
    pub(super) fn cover(&self, other: &Scopes) -> bool {
        self.clone().with(other.clone()) == *self
    }

    /// Whether more than one repository is meant.
    pub(super) fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    /// One word each.
    pub(super) fn words(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }
}

impl Scope {
    fn new(repository: &str, actions: &[&str]) -> Scope {
        Scope {
            resource: format!("repository:{repository}"),
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
        }
    }

    /// Names may hold colons, actions do not.
    fn parse(word: &str) -> Option<Scope> {
        let (resource, actions) = word.rsplit_once(':')?;
        resource.split_once(':')?;
        Some(Scope {
            resource: resource.to_owned(),
            actions: actions.split(',').map(str::to_owned).collect(),
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.resource, self.actions.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(scopes: &Scopes) -> Vec<String> {
        scopes.words().collect()
    }

    #[test]
    fn a01_our_own_scope_comes_first_and_the_source_of_a_mount_after_it() {
        let of = |access| words(&Scopes::of("z/x", &access));
        assert_eq!(of(Access::Pull), ["repository:z/x:pull"]);
        assert_eq!(of(Access::Push), ["repository:z/x:pull,push"]);
        assert_eq!(
            of(Access::PushFrom("a/b".to_owned())),
            ["repository:z/x:pull,push", "repository:a/b:pull"]
        );
        assert!(of(Access::Enter).is_empty());
    }

    #[test]
    fn a24_a_challenge_adds_what_is_new_and_keeps_the_order() {
        let own = Scopes::of("x", &Access::Pull);
        let challenge =
            Scopes::parse("repository:host:5000/y:pull repository:x:push,pull nonsense");
        let merged = own.clone().with(challenge.clone());
        assert_eq!(
            words(&merged),
            ["repository:x:pull,push", "repository:host:5000/y:pull"]
        );
        assert!(merged.cover(&own) && merged.cover(&challenge) && merged.cover(&merged));
        assert!(!own.cover(&challenge));
        assert!(Scopes::of("x", &Access::Push).cover(&own));
        assert!(own.cover(&Scopes::parse("")));
    }
}
