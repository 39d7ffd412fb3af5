//! The tree of a configuration that has been checked: every text obeys its rule, every key is known.

/// One value, with numbers kept as the text of their digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Text(String),
    Truth(bool),
    List(Vec<Node>),
    /// In the order of the file, without duplicates.
    Object(Vec<(String, Node)>),
}

/// An empty file.
impl Default for Node {
    fn default() -> Node {
        Node::Object(Vec::new())
    }
}

impl Node {
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, node)| node)
    }

    /// The text behind `key`.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Node::as_text)
    }

    /// The truth behind `key`; false when there is none.
    pub(super) fn is(&self, key: &str) -> bool {
        self.get(key) == Some(&Node::Truth(true))
    }

    /// The list behind `key`; empty when there is none.
    pub(super) fn items(&self, key: &str) -> &[Node] {
        match self.get(key) {
            Some(Node::List(items)) => items,
            _ => &[],
        }
    }

    /// The texts of a list.
    pub(super) fn texts(&self) -> Vec<String> {
        let Node::List(items) = self else {
            return Vec::new();
        };
        let texts = items.iter().filter_map(Node::as_text);
        texts.map(str::to_owned).collect()
    }

    pub(super) fn entries(&self) -> &[(String, Node)] {
        match self {
            Node::Object(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }
}
