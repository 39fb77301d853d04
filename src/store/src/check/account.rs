//! Files of the account as a whole.

use super::{Cure, Finding, INDEX, Problem, quota};
use crate::account::Account;
use crate::error::Error;
use crate::format::{FolderFile, folders, subscriptions};

impl Account {
    pub(super) fn check_account(
        &self,
        mend: bool,
        tell: &mut dyn FnMut(Finding),
    ) -> Result<(), Error> {
        for problem in self.account_problems()? {
            let mended = mend && self.mend_account(&problem)?;
            tell(problem.finding(None, mended));
        }
        Ok(())
    }

    fn account_problems(&self) -> Result<Vec<Problem>, Error> {
        // Everything else reads it too, and fails with it.
        if let Err(e) = FolderFile::load(self.root()) {
            let problem = Problem::new(folders::FILE, Cure::None, e.to_string());
            return Ok(vec![problem]);
        }
        let mut found = Vec::new();
        let encoding = self.encoding()?;
        match subscriptions::strange_lines(self.root(), encoding) {
            Ok(0) => {}
            Ok(lines) => {
                let text = format!("{lines} lines are no mailbox names (kept, not used)");
                found.push(Problem::new(subscriptions::FILE, Cure::None, text));
            }
            Err(e) => found.push(Problem::new(subscriptions::FILE, Cure::None, e.to_string())),
        }
        let counts_trash = self.quota_options().count_trash;
        found.extend(quota::look(self.root(), counts_trash)?);
        let strays = self.strays()?.len();
        if strays > 0 {
            let text = format!("files of {strays} mailboxes that are gone");
            found.push(Problem::new(INDEX, Cure::Sweep, text));
        }
        Ok(found)
    }

    fn mend_account(&self, problem: &Problem) -> Result<bool, Error> {
        match problem.cure {
            Cure::SetAside => {}
            Cure::Sweep => {
                self.sweep_index()?;
                return Ok(self.strays()?.is_empty());
            }
            _ => return Ok(false),
        }
        self.root().set_aside(&problem.file, "wrong")?;
        let removed = roost_os::file::unlink(self.root(), problem.file.as_bytes());
        removed.map_err(|e| Error::io(&self.root().entry(problem.file.as_bytes()), e))?;
        Ok(true)
    }
}
