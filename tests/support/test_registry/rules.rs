//! Which requests are answered in another way than the specification's.

use std::sync::Mutex;

use super::Action;
use super::request::{Request, header};

/// `Rule::on("PUT", "/v2/*/blobs/uploads/*").nth(2).times(1).then(Action::Status(503))`
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    method: String,
    path: String,
    query: String,
    header: Option<(String, String)>,
    nth: usize,
    times: usize,
    action: Action,
    /// Requests that fit so far.
    fitted: usize,
}

impl Rule {
    /// Method and path, the query left out; `*` stands for anything, slashes too.
    pub(crate) fn on(method: &str, path: &str) -> Rule {
        Rule {
            method: method.to_owned(),
            path: path.to_owned(),
            query: "*".to_owned(),
            header: None,
            nth: 1,
            times: usize::MAX,
            action: Action::Pass,
            fitted: 0,
        }
    }

    /// Only requests whose query is like this.
    pub(crate) fn query(mut self, pattern: &str) -> Rule {
        pattern.clone_into(&mut self.query);
        self
    }

    /// Only requests with such a header; `""` fits a header that is not there.
    pub(crate) fn header(mut self, name: &str, pattern: &str) -> Rule {
        self.header = Some((name.to_owned(), pattern.to_owned()));
        self
    }

    /// The first of the requests that fit to act on, from 1.
    pub(crate) fn nth(mut self, nth: usize) -> Rule {
        self.nth = nth;
        self
    }

    /// On how many requests to act; without end if not said.
    pub(crate) fn times(mut self, times: usize) -> Rule {
        self.times = times;
        self
    }

    pub(crate) fn then(mut self, action: Action) -> Rule {
        self.action = action;
        self
    }

    fn is_about(&self, request: &Request) -> bool {
        let header_fits = |(name, pattern): &(String, String)| {
            fits(pattern, header(&request.headers, name).unwrap_or_default())
        };
        fits(&self.method, &request.method)
            && fits(&self.path, &request.path)
            && fits(&self.query, &request.query)
            && self.header.as_ref().is_none_or(header_fits)
    }

    /// Counts a request, and says whether to act on it.
    fn takes(&mut self, request: &Request) -> bool {
        if !self.is_about(request) {
            return false;
        }
        self.fitted += 1;
        self.fitted >= self.nth && self.fitted - self.nth < self.times
    }
}

#[derive(Default)]
pub(super) struct Rules(Mutex<Vec<Rule>>);

impl Rules {
    pub(super) fn add(&self, rule: Rule) {
        self.0.lock().expect("sound").push(rule);
    }

    /// What the first rule that acts on a request says.
    pub(super) fn choose(&self, request: &Request) -> Option<Action> {
        let mut rules = self.0.lock().expect("sound");
        let rule = rules.iter_mut().find_map(|rule| {
            let takes = rule.takes(request);
            takes.then(|| rule.action.clone())
        });
        drop(rules);
        rule
    }
}

/// Whether a text is like a pattern in which `*` stands for any number of characters.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            (0..=text.len())
                .filter(|at| text.is_char_boundary(*at))
                .any(|at| fits(rest, &text[at..]))
        }),
    }
}
