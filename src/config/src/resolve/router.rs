//! `[router]`: login names that stand for other accounts, here or elsewhere.
//!
//! Each name comes out with where it leads in the end, so that whoever uses the
//! table takes one step: there is nothing to go round in.

use std::collections::BTreeMap;
use std::net::IpAddr;

use roost_accounts::{Domains, LoginName};

use super::Values;
use crate::model::{Auth, Route, Server};

/// A line of the section.
struct Line {
    target: LoginName,
    /// The target's domain stands there.
    has_domain: bool,
    line: usize,
}

/// What is needed to tell names.
struct Naming<'a> {
    lowercase: bool,
    default: Option<&'a str>,
    domains: &'a BTreeMap<IpAddr, String>,
}

impl Values {
    pub(super) fn router(
        &mut self,
        server: &Server,
        auth: &Auth,
        domains: &BTreeMap<IpAddr, String>,
    ) -> BTreeMap<String, Route> {
        let naming = Naming {
            lowercase: auth.lowercase_names,
            default: server.default_domain.as_deref(),
            domains,
        };
        let mut lines = BTreeMap::new();
        for entry in std::mem::take(&mut self.router) {
            let (name, target) = match (naming.plain(&entry.key), naming.full(&entry.value)) {
                (Ok(name), Ok(target)) => (name, target),
                (Err(error), _) => {
                    self.errors
                        .push((entry.line, format!("`{}`: {error}", entry.key)));
                    continue;
                }
                (_, Err(error)) => {
                    self.errors
                        .push((entry.line, format!("`{}`: {error}", entry.value)));
                    continue;
                }
            };
            let line = entry.line;
            let to = Line {
                has_domain: (naming.plain(&entry.value)).is_ok_and(|to| to.domain().is_some()),
                target,
                line,
            };
            if lines.insert(name.full(), to).is_some() {
                self.errors
                    .push((line, format!("`{}` is set already", entry.key)));
            }
        }
        let mut router = BTreeMap::new();
        for (name, line) in &lines {
            match naming.end_of(line, &lines) {
                Some(route) => {
                    router.insert(name.clone(), route);
                }
                None => self
                    .errors
                    .push((line.line, format!("`{name}` leads to itself"))),
            }
        }
        router
    }
}

impl Naming<'_> {
    /// As it stands, without a domain that it does not have.
    fn plain(&self, text: &str) -> Result<LoginName, String> {
        LoginName::parse(text, Domains::default(), self.lowercase).map_err(|e| e.to_string())
    }

    fn full(&self, text: &str) -> Result<LoginName, String> {
        let domains = Domains {
            local: None,
            default: self.default,
        };
        LoginName::parse(text, domains, self.lowercase).map_err(|e| e.to_string())
    }

    /// Follows the names; `None` for those that lead round.
    fn end_of(&self, line: &Line, lines: &BTreeMap<String, Line>) -> Option<Route> {
        let mut line = line;
        for _ in 0..=lines.len() {
            match line.target.keys().find_map(|key| lines.get(&key)) {
                Some(next) => line = next,
                None => return Some(self.route(line)),
            }
        }
        None
    }

    fn route(
        &self,
        Line {
            target, has_domain, ..
        }: &Line,
    ) -> Route {
        let own = |domain: &str| {
            self.default.is_some_and(|d| d.eq_ignore_ascii_case(domain))
                || self.domains.values().any(|d| d == domain)
        };
        match target.domain() {
            Some(host) if !own(host) => Route::Elsewhere {
                user: target.local().to_owned(),
                host: host.to_owned(),
            },
            // One that was added is added again at each login.
            _ if !has_domain => Route::Account(target.local().to_owned()),
            _ => Route::Account(target.full()),
        }
    }
}
