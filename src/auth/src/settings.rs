//! What the supervisor's setup means here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use roost_ipc::{AccountDefaults, AuthBackend, AuthSetup, Route};

use crate::pam::Pam;
use crate::passwd::PasswdFile;
use roost_accounts::{Defaults, Domains, Id, LoginName, NameError, PathTemplate, TemplateError};

/// Where a password can be checked.
pub enum Backend {
    Pam(Pam),
    File(Arc<PasswdFile>),
}

/// All settings of one setup; attempts keep those they began with.
pub struct Settings {
    /// Asked in this order; never empty.
    pub backends: Vec<Backend>,
    /// Those who may log in as any account.
    pub masters: Option<Arc<PasswdFile>>,
    pub domains: Vec<(IpAddr, String)>,
    pub default_domain: Option<String>,
    pub router: HashMap<String, Route>,
    pub lowercase_names: bool,
    pub minimum_uid: u32,
    pub allow_users: Vec<String>,
    pub deny_users: Vec<String>,
    pub allow_groups: Vec<String>,
    pub failure_delay: Duration,
    pub max_failures_per_minute: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("no authentication backend is configured")]
    NoBackend,
    #[error("PAM service name {0:?} is not a file name")]
    Service(String),
    #[error("{path}: {error}")]
    PasswdFile { path: String, error: std::io::Error },
    #[error("mail_home: {0}")]
    Home(#[from] TemplateError),
}

impl Settings {
    /// Takes over what an earlier reading of the same account file has
    /// brought. An account file that cannot be read is an error here: at the
    /// start and at a reload somebody looks.
    pub fn new(setup: AuthSetup, before: Option<&Self>) -> Result<Self, SettingsError> {
        let mut backends = Vec::new();
        let defaults = defaults(&setup.defaults)?;
        for backend in setup.backends.clone() {
            backends.push(match backend {
                AuthBackend::Pam { service } => pam(service, &setup)?,
                AuthBackend::PasswdFile { path } => {
                    let known = before.into_iter().flat_map(Self::files);
                    Backend::File(file(&path, setup.lowercase_names, &defaults, known)?)
                }
            });
        }
        if backends.is_empty() {
            return Err(SettingsError::NoBackend);
        }
        let masters = match &setup.master_file {
            Some(path) => {
                let known = before.into_iter().filter_map(|b| b.masters.as_ref());
                Some(file(
                    path,
                    setup.lowercase_names,
                    &Defaults::default(),
                    known,
                )?)
            }
            None => None,
        };
        Ok(Self {
            backends,
            masters,
            domains: setup.domains,
            default_domain: setup.default_domain,
            router: setup.router.into_iter().collect(),
            lowercase_names: setup.lowercase_names,
            minimum_uid: setup.minimum_uid,
            allow_users: setup.allow_users,
            deny_users: setup.deny_users,
            allow_groups: setup.allow_groups,
            failure_delay: setup.failure_delay,
            max_failures_per_minute: setup.max_failures_per_minute,
        })
    }

    /// The account that a login name means, for a client that connected to
    /// `local`: in its one spelling, and where the router has sent it.
    pub fn login_name(&self, raw: &str, local: IpAddr) -> Result<LoginName, NameError> {
        let name = self.spelled(raw, local)?;
        match self.route(&name) {
            // One step: what it leads to is sent nowhere else.
            Some(Route::Account { name }) => self.spelled(name, local),
            Some(Route::Elsewhere { .. }) | None => Ok(name),
        }
    }

    /// User and host, if the account is on another one.
    pub fn elsewhere(&self, raw: &str, local: IpAddr) -> Option<(&str, &str)> {
        match self.route(&self.spelled(raw, local).ok()?)? {
            Route::Elsewhere { user, host } => Some((user, host)),
            Route::Account { .. } => None,
        }
    }

    /// Under which name the failures of an account are counted: one for each
    /// account, however and at whatever address it is called. What has no
    /// spelling counts as it stands.
    pub fn counted_as(&self, raw: &str, local: IpAddr) -> String {
        let Ok(name) = self.login_name(raw, local) else {
            return raw.to_owned();
        };
        match name.domain() {
            Some(domain) if !self.is_own(domain) => name.full(),
            _ => name.local().to_owned(),
        }
    }

    /// Whether names of the domain may stand for bare ones.
    pub fn is_own(&self, domain: &str) -> bool {
        let of_addresses = self.domains.iter().map(|(_, domain)| domain);
        (of_addresses.chain(&self.default_domain)).any(|own| own.eq_ignore_ascii_case(domain))
    }

    fn route(&self, name: &LoginName) -> Option<&Route> {
        name.keys().find_map(|key| self.router.get(&key))
    }

    fn spelled(&self, raw: &str, local: IpAddr) -> Result<LoginName, NameError> {
        let local = local.to_canonical();
        let of_address = self
            .domains
            .iter()
            .find(|(address, _)| address.to_canonical() == local)
            .map(|(_, domain)| domain.as_str());
        let domains = Domains {
            local: of_address,
            default: self.default_domain.as_deref(),
        };
        LoginName::parse(raw, domains, self.lowercase_names)
    }

    pub fn uses_pam(&self) -> bool {
        self.backends.iter().any(|b| matches!(b, Backend::Pam(_)))
    }

    /// The account files, best first.
    pub fn files(&self) -> impl Iterator<Item = &Arc<PasswdFile>> {
        self.backends.iter().filter_map(|backend| match backend {
            Backend::File(file) => Some(file),
            Backend::Pam(_) => None,
        })
    }
}

fn pam(service: String, setup: &AuthSetup) -> Result<Backend, SettingsError> {
    if service.is_empty() || service.contains('/') || service.starts_with('.') {
        return Err(SettingsError::Service(service));
    }
    let pam = Pam::new(service, setup.pam_timeout).session(setup.pam_session);
    Ok(Backend::Pam(pam))
}

fn defaults(told: &AccountDefaults) -> Result<Defaults, TemplateError> {
    let id = |text: &Option<String>| text.as_deref().and_then(Id::parse);
    Ok(Defaults {
        uid: id(&told.uid),
        gid: id(&told.gid),
        home: told.home.as_deref().map(PathTemplate::parse).transpose()?,
    })
}

fn file<'a>(
    path: &Path,
    lowercase: bool,
    defaults: &Defaults,
    mut known: impl Iterator<Item = &'a Arc<PasswdFile>>,
) -> Result<Arc<PasswdFile>, SettingsError> {
    let new = || Arc::new(PasswdFile::new(path, lowercase, defaults.clone()));
    let known = known.find(|file| file.is(path, lowercase, defaults));
    let file = known.map_or_else(new, Arc::clone);
    match file.current() {
        Ok(_) => Ok(file),
        Err(error) => Err(SettingsError::PasswdFile {
            path: path.display().to_string(),
            error,
        }),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn setup(backends: Vec<AuthBackend>) -> AuthSetup {
        AuthSetup {
            log_level: roost_ipc::LogLevel::Problems,
            backends,
            defaults: AccountDefaults {
                uid: None,
                gid: None,
                home: None,
            },
            master_file: None,
            pam_timeout: Duration::from_secs(5),
            pam_session: false,
            domains: vec![("192.0.2.1".parse().unwrap(), "one.example".into())],
            default_domain: None,
            router: Vec::new(),
            lowercase_names: true,
            minimum_uid: 0,
            allow_users: Vec::new(),
            deny_users: Vec::new(),
            allow_groups: Vec::new(),
            failure_delay: Duration::ZERO,
            max_failures_per_minute: 0,
        }
    }

    /// Of a host with PAM.
    pub fn settings() -> Settings {
        let pam = AuthBackend::Pam {
            service: "roost".into(),
        };
        Settings::new(setup(vec![pam]), None).unwrap()
    }

    #[test]
    fn names_get_the_domain_of_the_local_address() {
        let s = settings();
        let full = |local: &str| {
            s.login_name("Alice", local.parse().unwrap())
                .unwrap()
                .full()
        };
        assert_eq!(full("192.0.2.1"), "alice@one.example");
        assert_eq!(full("::ffff:192.0.2.1"), "alice@one.example");
        assert_eq!(full("192.0.2.2"), "alice");
    }

    #[test]
    fn names_are_routed_as_given_and_with_their_domain() {
        let mut setup = setup(vec![AuthBackend::Pam {
            service: "roost".into(),
        }]);
        let account = |name: &str| Route::Account { name: name.into() };
        setup.router = vec![
            ("old".into(), account("new")),
            ("old@two.example".into(), account("other@two.example")),
            (
                "gone@one.example".into(),
                Route::Elsewhere {
                    user: "gone".into(),
                    host: "far.example".into(),
                },
            ),
        ];
        let s = Settings::new(setup, None).unwrap();
        let (one, none) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let full = |raw, local| s.login_name(raw, local).unwrap().full();
        assert_eq!(full("OLD", none), "new");
        assert_eq!(full("old", one), "new@one.example");
        assert_eq!(full("old%two.example", one), "other@two.example");
        assert_eq!(full("old@three.example", one), "old@three.example");
        assert_eq!(s.elsewhere("Gone", one), Some(("gone", "far.example")));
        assert_eq!(s.elsewhere("gone", none), None);
        assert_eq!(s.elsewhere("old", one), None);
    }

    #[test]
    fn failures_of_one_account_are_counted_together() {
        let mut s = settings();
        s.default_domain = Some("example.org".into());
        for raw in ["bob", "Bob@Example.org", "bob%one.example"] {
            for local in ["192.0.2.1", "192.0.2.2"] {
                let counted = s.counted_as(raw, local.parse().unwrap());
                assert_eq!(counted, "bob", "{raw} at {local}");
            }
        }
        let none = "192.0.2.2".parse().unwrap();
        assert_eq!(s.counted_as("Bob@else.example", none), "bob@else.example");
        assert_eq!(s.counted_as("a/B", none), "a/B");
    }

    #[test]
    fn a_route_with_a_domain_leads_to_it_from_everywhere() {
        let mut s = settings();
        s.default_domain = Some("example.org".into());
        let name = "sam@example.org".to_owned();
        s.router.insert("old".into(), Route::Account { name });
        let one = "192.0.2.1".parse().unwrap();
        assert_eq!(s.login_name("old", one).unwrap().full(), "sam@example.org");
    }

    #[test]
    fn useless_setups_are_refused() {
        assert!(matches!(
            Settings::new(setup(Vec::new()), None),
            Err(SettingsError::NoBackend)
        ));
        let service = "../x".to_owned();
        let pam = AuthBackend::Pam { service };
        assert!(Settings::new(setup(vec![pam]), None).is_err());
        let path = "/no/such/file".into();
        let file = AuthBackend::PasswdFile { path };
        assert!(matches!(
            Settings::new(setup(vec![file]), None),
            Err(SettingsError::PasswdFile { .. })
        ));
    }

    #[test]
    fn a_reload_keeps_what_was_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users");
        std::fs::write(&path, "a:{PLAIN}b\n").unwrap();
        let backend = AuthBackend::PasswdFile { path };
        let first = Settings::new(setup(vec![backend.clone()]), None).unwrap();
        let second = Settings::new(setup(vec![backend]), Some(&first)).unwrap();
        let (a, b) = (
            first.files().next().unwrap(),
            second.files().next().unwrap(),
        );
        assert!(Arc::ptr_eq(a, b));
    }
}
