//! The permission to go online, as a value.
//!
//! The field is private, so a [`Network`] cannot be made up: whoever holds one was given it by an online request.
//! Nothing else in the crate may ask "are we offline?".

/// Held only by what may open a socket, or start a child process that may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network(());

impl Network {
    /// The one constructor, called once, where the request is read.
    pub(crate) fn unless(offline: bool) -> Option<Network> {
        (!offline).then_some(Network(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offline_request_holds_no_permission() {
        assert_eq!(Network::unless(true), None);
        assert!(Network::unless(false).is_some());
    }
}
