//! Which names mean the same account, where somebody names one that need not be
//! logged in: auth is not asked.

/// As the configuration has names read.
#[derive(Clone, Debug)]
pub struct Names {
    /// Of names without one.
    pub default_domain: Option<String>,
    /// Capital letters mean nothing.
    pub lowercase: bool,
}

impl Names {
    /// `alice` is `alice@default_domain`, and domains know no case.
    pub fn same(&self, a: &str, b: &str) -> bool {
        let ((a, of_a), (b, of_b)) = (self.parts(a), self.parts(b));
        let local = match self.lowercase {
            true => a.eq_ignore_ascii_case(b),
            false => a == b,
        };
        local
            && match (of_a, of_b) {
                (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            }
    }

    /// The domain of an account.
    pub fn domain<'n>(&'n self, account: &'n str) -> Option<&'n str> {
        self.parts(account).1
    }

    /// As names are written down.
    pub fn spelled(&self, name: &str) -> String {
        match self.lowercase {
            true => name.to_ascii_lowercase(),
            false => name.to_owned(),
        }
    }

    /// Clients may write `alice%domain`.
    fn parts<'n>(&'n self, name: &'n str) -> (&'n str, Option<&'n str>) {
        let split = name.rsplit_once('@').or_else(|| name.rsplit_once('%'));
        let (local, domain) = split.unwrap_or((name, ""));
        let own = Some(domain).filter(|domain| !domain.is_empty());
        (local, own.or(self.default_domain.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_many_names() {
        let names = Names {
            default_domain: Some("Example.org".into()),
            lowercase: true,
        };
        let forms = [
            "alice",
            "Alice",
            "alice@example.org",
            "alice%EXAMPLE.org",
            "alice@",
        ];
        for (a, b) in forms.iter().flat_map(|a| forms.map(|b| (a, b))) {
            assert!(names.same(a, b), "{a} {b}");
        }
        for other in ["alic", "alice@other.example", "bob@example.org"] {
            assert!(!names.same("alice", other), "{other}");
        }
        let strict = Names {
            default_domain: None,
            lowercase: false,
        };
        assert!(strict.same("a@X.org", "a@x.org"));
        for (a, b) in [("Alice", "alice"), ("alice", "alice@example.org")] {
            assert!(!strict.same(a, b), "{a} {b}");
        }
    }
}
