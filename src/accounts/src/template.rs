//! Where an account's home, Maildir or index is, as a path with variables.

use std::fmt;
use std::path::{Path, PathBuf};

/// A path with variables: `~` or `%h` (home), `%u` (account), `%n` (account
/// without its domain), `%d` (its domain), `%%`. It begins with `/`, `~/` or
/// `%h`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathTemplate(String);

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("path begins with neither /, ~/ nor %h")]
    Relative,
    #[error("unknown variable %{0}: only %h, %u, %n, %d and %% are known")]
    Variable(String),
    #[error("option `{0}` behind the path is not supported")]
    Option(String),
    #[error("path holds a control character")]
    Control,
    #[error("account has no home directory")]
    NoHome,
    #[error("account name cannot be part of a path")]
    Account,
}

impl PathTemplate {
    /// `~/Maildir`
    pub fn in_home() -> Self {
        Self("~/Maildir".to_owned())
    }

    /// Also takes Dovecot's spelling `maildir:PATH`; options behind the path
    /// (`:CONTROL=…`) are refused, for to ignore them would show other mail.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let path = text.strip_prefix("maildir:").unwrap_or(text);
        if path.chars().any(char::is_control) {
            return Err(TemplateError::Control);
        }
        if let Some((_, option)) = path.split_once(':')
            && text != path
        {
            return Err(TemplateError::Option(option.to_owned()));
        }
        if !(path.starts_with('/')
            || path.starts_with("~/")
            || path == "~"
            || path.starts_with("%h"))
        {
            return Err(TemplateError::Relative);
        }
        let template = Self(path.to_owned());
        template.pieces().try_for_each(|piece| piece.map(|_| ()))?;
        Ok(template)
    }

    /// The path for one account.
    ///
    /// # Errors
    /// When a variable is needed that the account lacks, or whose value would
    /// lead elsewhere (`/`, `..`).
    pub fn expand(&self, account: &str, home: &Path) -> Result<PathBuf, TemplateError> {
        let (name, domain) = match account.rsplit_once('@') {
            Some((name, domain)) => (name, domain),
            None => (account, ""),
        };
        let mut path = std::ffi::OsString::new();
        for piece in self.pieces() {
            match piece? {
                Piece::Text(text) => path.push(text),
                Piece::Home if home.is_absolute() => path.push(home),
                Piece::Home => return Err(TemplateError::NoHome),
                Piece::Account => path.push(component(account)?),
                Piece::Name => path.push(component(name)?),
                Piece::Domain => path.push(component(domain)?),
            }
        }
        Ok(path.into())
    }

    /// [`expand`](Self::expand) for a folder that no two accounts may share:
    /// a path without any variable gets one below it for each account.
    pub fn expand_own(&self, account: &str, home: &Path) -> Result<PathBuf, TemplateError> {
        let mut path = self.expand(account, home)?;
        let text = |piece| matches!(piece, Ok(Piece::Text(_)));
        if self.pieces().all(text) {
            path.push(component(account)?);
        }
        Ok(path)
    }

    /// Whether the account's name is in the path.
    pub fn names_account(&self) -> bool {
        let is_name = |piece| matches!(piece, Ok(Piece::Account | Piece::Name));
        self.pieces().any(is_name)
    }

    /// Whether the path is below the account's home.
    pub fn needs_home(&self) -> bool {
        self.pieces().any(|piece| matches!(piece, Ok(Piece::Home)))
    }

    fn pieces(&self) -> impl Iterator<Item = Result<Piece<'_>, TemplateError>> {
        let (home, mut rest) = match self.0.strip_prefix('~') {
            Some(rest) => (Some(Ok(Piece::Home)), rest),
            None => (None, &*self.0),
        };
        home.into_iter().chain(std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let Some(after) = rest.strip_prefix('%') else {
                let (text, behind) = rest.split_at(rest.find('%').unwrap_or(rest.len()));
                rest = behind;
                return Some(Ok(Piece::Text(text)));
            };
            let variable = after.chars().next();
            rest = variable.map_or("", |c| after.get(c.len_utf8()..).unwrap_or_default());
            Some(match variable {
                Some('h') => Ok(Piece::Home),
                Some('u') => Ok(Piece::Account),
                Some('n') => Ok(Piece::Name),
                Some('d') => Ok(Piece::Domain),
                Some('%') => Ok(Piece::Text("%")),
                other => Err(TemplateError::Variable(other.into_iter().collect())),
            })
        }))
    }
}

enum Piece<'a> {
    Text(&'a str),
    Home,
    Account,
    Name,
    Domain,
}

/// What a client chose, at least in part, must stay one level of the path.
fn component(text: &str) -> Result<&str, TemplateError> {
    let harmless = !text.is_empty()
        && !text.starts_with('.')
        && !text.contains('/')
        && !text.chars().any(char::is_control);
    if harmless {
        Ok(text)
    } else {
        Err(TemplateError::Account)
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(template: &str, account: &str, home: &str) -> Result<String, TemplateError> {
        let path = PathTemplate::parse(template)?.expand(account, Path::new(home))?;
        Ok(path.to_str().unwrap().to_owned())
    }

    #[test]
    fn variables_are_replaced() {
        let cases = [
            ("~/Maildir", "/home/joe/Maildir"),
            ("~", "/home/joe"),
            ("%h/mail", "/home/joe/mail"),
            ("maildir:~/x", "/home/joe/x"),
            ("/var/mail/%d/%n", "/var/mail/example.org/joe"),
            ("/var/mail/%u/100%%", "/var/mail/joe@example.org/100%"),
            ("/with:colon/ü%n", "/with:colon/üjoe"),
        ];
        for (template, expected) in cases {
            let got = expand(template, "joe@example.org", "/home/joe");
            assert_eq!(got.as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn a_folder_of_ones_own() {
        let own = |template: &str| {
            let template = PathTemplate::parse(template).unwrap();
            template.expand_own("joe@example.org", Path::new("/home/joe"))
        };
        assert_eq!(own("~/idx").unwrap(), Path::new("/home/joe/idx"));
        assert_eq!(own("/idx/%n").unwrap(), Path::new("/idx/joe"));
        assert_eq!(own("/idx").unwrap(), Path::new("/idx/joe@example.org"));
        let template = PathTemplate::parse("/idx").unwrap();
        let outside = template.expand_own("../x", Path::new("/"));
        assert_eq!(outside, Err(TemplateError::Account));
    }

    #[test]
    fn what_a_path_is_made_of() {
        let of = |template: &str| {
            let template = PathTemplate::parse(template).unwrap();
            (template.names_account(), template.needs_home())
        };
        assert_eq!(of("~/Maildir"), (false, true));
        assert_eq!(of("/m/%h/%u"), (true, true));
        assert_eq!(of("/m/%d/%n"), (true, false));
        assert_eq!(of("/m/%u"), (true, false));
        assert_eq!(of("/m/%d/%%n"), (false, false));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        let cases = [
            ("Maildir", TemplateError::Relative),
            ("~joe/Maildir", TemplateError::Relative),
            ("", TemplateError::Relative),
            ("/x/%L", TemplateError::Variable("L".into())),
            ("/x/%", TemplateError::Variable(String::new())),
            (
                "maildir:~/x:CONTROL=/y",
                TemplateError::Option("CONTROL=/y".into()),
            ),
            ("/a\nb", TemplateError::Control),
        ];
        for (template, expected) in cases {
            assert_eq!(PathTemplate::parse(template), Err(expected), "{template}");
        }
    }

    #[test]
    fn accounts_cannot_lead_elsewhere() {
        for account in ["..", ".", "a/b", "/etc", "", ".hidden", "a\0b"] {
            let got = expand("/var/mail/%u", account, "/home/x");
            assert_eq!(got, Err(TemplateError::Account), "{account}");
        }
        assert_eq!(expand("/m/%d", "joe", "/h"), Err(TemplateError::Account));
        assert_eq!(expand("~/M", "joe", ""), Err(TemplateError::NoHome));
    }
}
