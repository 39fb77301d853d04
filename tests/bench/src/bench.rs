//! One run: the mail, the servers, the workloads in turns, the table.

use crate::answer::Answers;
use crate::client::Client;
use crate::deadline;
use crate::error::{Error, Result, fail};
use crate::machine::{self, cpu_seconds};
use crate::maildir::{self, Master};
use crate::options::Options;
use crate::row::Row;
use crate::server::{Kind, MAIL_UID, Server};
use crate::{report, work};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub struct Bench {
    pub options: Options,
    pub dir: PathBuf,
    pub master: Master,
    pub servers: Vec<Server>,
    pub rows: Vec<Row>,
    /// What else stands below the table.
    pub notes: Vec<String>,
    made: HashSet<String>,
    differences: String,
}

/// Rounds that have taken so long are followed by no other.
const ENOUGH: Duration = Duration::from_secs(75);

/// Where the measurements of one server in one round go.
pub struct Takes<'a> {
    kind: Kind,
    rows: &'a mut [Row],
}

impl Takes<'_> {
    fn row(&mut self, id: &str) -> Option<&mut Row> {
        self.rows.iter_mut().find(|r| r.id == id)
    }

    pub fn put(&mut self, id: &str, value: f64) {
        let kind = self.kind;
        if let Some(row) = self.row(id) {
            row.samples.entry(kind).or_default().push(value);
        }
    }

    /// What `id` cannot be below, measured beside it; with Roost only.
    pub fn floor(&mut self, id: &str, what: &'static str, value: f64) {
        if self.kind == Kind::Roost
            && let Some(row) = self.row(id)
        {
            row.floor.get_or_insert((what, Vec::new())).1.push(value);
        }
    }

    /// The same: what a command takes that has nothing to do.
    pub fn noop(&mut self, id: &str, c: &mut Client) -> Result<()> {
        let start = Instant::now();
        c.run("NOOP")?;
        let taken = start.elapsed().as_secs_f64();
        self.floor(id, "a NOOP in the same connection", taken);
        Ok(())
    }

    /// Measures the seconds that `f` takes.
    pub fn time<T>(&mut self, id: &str, f: impl FnOnce() -> Result<T>) -> Result<T> {
        self.measure(id, |seconds, _| seconds, f)
    }

    /// Measures `f`, which does `count` things, as things in a second.
    pub fn rate<T>(&mut self, id: &str, count: f64, f: impl FnOnce() -> Result<T>) -> Result<T> {
        self.measure(id, |seconds, _| count / seconds, f)
    }

    /// Measures `f`; `value` makes the figure of the seconds and of what came.
    pub fn measure<T>(
        &mut self,
        id: &str,
        value: impl FnOnce(f64, &T) -> f64,
        f: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let (cpu, start) = (cpu_seconds(), Instant::now());
        let done = f()?;
        let (seconds, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        self.put(id, value(seconds, &done));
        if let Some(row) = self.row(id) {
            row.client.0 += cpu;
            row.client.1 += seconds;
        }
        Ok(done)
    }
}

pub fn run(options: Options) -> Result<()> {
    if options.list {
        work::ALL.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    }
    if !roost_tests::process::in_namespace("the benchmark") {
        return fail("run it by tests/in-namespace, as root");
    }
    let wanted = work::wanted(&options.only)?;
    machine::raise_limits();
    deadline::watch_signals()?;
    let started = Instant::now();
    let mut bench = Bench::new(options)?;
    let mut failed = 0;
    for (name, workload) in wanted {
        let before = Instant::now();
        let rows = bench.rows.len();
        deadline::begin(deadline::WORKLOAD);
        if let Err(e) = no_panic(|| workload(&mut bench)) {
            eprintln!("{name}: {e}");
            bench.notes.push(format!("`{name}` failed: {e}"));
            failed += 1;
        }
        eprintln!("{name}: {:.1} s", before.elapsed().as_secs_f64());
        eprint!("{}", report::table(&bench.rows[rows..]));
        // What follows may fail in ways that leave nothing behind.
        bench.write(started.elapsed().as_secs())?;
        if deadline::interrupted() {
            break;
        }
    }
    bench.finish(started.elapsed().as_secs())?;
    match failed {
        0 => Ok(()),
        n => fail(format!("{n} of the workloads failed; the table says which")),
    }
}

/// A fault of one workload's own costs the others nothing.
fn no_panic(work: impl FnOnce() -> Result<()>) -> Result<()> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| fail("the load generator panicked"))
}

impl Bench {
    fn new(options: Options) -> Result<Self> {
        let dir = match &options.dir {
            Some(dir) => dir.clone(),
            None => usual_dir(),
        };
        fs::create_dir_all(&dir)?;
        let dir = fs::canonicalize(dir)?;
        eprintln!("mail below {}", dir.display());
        let master = Master::make(&dir, options.messages)?;
        machine::certificate(&dir)?;
        let mut servers = Vec::new();
        for kind in Kind::ALL {
            let _ = fs::remove_dir_all(dir.join(kind.name()));
            if options.servers.is_empty() || options.servers.iter().any(|s| s == kind.name()) {
                servers.push(Server::prepare(&dir, kind)?);
            }
        }
        Ok(Self {
            options,
            dir,
            master,
            servers,
            rows: Vec::new(),
            notes: Vec::new(),
            made: HashSet::new(),
            differences: String::new(),
        })
    }

    fn finish(mut self, seconds: u64) -> Result<()> {
        self.servers.iter_mut().for_each(Server::stop);
        if !self.differences.is_empty() {
            let file = self.dir.join("differences.txt");
            fs::write(&file, &self.differences)?;
            eprintln!("differences in answers: {}", file.display());
        }
        match &self.options.output {
            Some(_) => self.write(seconds)?,
            None => print!("{}", report::whole(&self, seconds)),
        }
        if !self.options.keep {
            for kind in [Kind::Roost, Kind::Tuned, Kind::Default, Kind::Hibernate] {
                let _ = fs::remove_dir_all(self.dir.join(kind.name()));
            }
        }
        Ok(())
    }

    /// The table as it is by now, where a file is wanted.
    fn write(&self, seconds: u64) -> Result<()> {
        match &self.options.output {
            Some(file) => Ok(fs::write(file, report::whole(self, seconds))?),
            None => Ok(()),
        }
    }

    /// The ordinary mailbox has this many messages.
    pub fn messages(&self) -> usize {
        self.options.messages
    }

    /// Gives every server an account whose INBOX has `count` messages.
    pub fn account(&mut self, user: &str, count: usize) -> Result<()> {
        self.folder(user, "", count)
    }

    /// The same for a mailbox below it; `""` is INBOX.
    pub fn folder(&mut self, user: &str, mailbox: &str, count: usize) -> Result<()> {
        if !self.made.insert(format!("{user}/{mailbox}")) {
            return Ok(());
        }
        let validity = 1_700_000_000 + u32::try_from(self.made.len()).unwrap_or(0);
        for server in &self.servers {
            self.place(server, user, mailbox, count, validity)?;
        }
        Ok(())
    }

    /// The same for one server.
    pub fn place(
        &self,
        server: &Server,
        user: &str,
        mailbox: &str,
        count: usize,
        validity: u32,
    ) -> Result<()> {
        let home = server.home(user);
        let mut maildir = home.join("Maildir");
        fs::create_dir_all(&maildir)?;
        chown(&home, Some(MAIL_UID), Some(MAIL_UID))?;
        if !mailbox.is_empty() {
            maildir.push(format!(".{mailbox}"));
        }
        self.master.mailbox(&maildir, count, validity)
    }

    /// Removes an account everywhere.
    pub fn drop_account(&mut self, user: &str) {
        for server in &self.servers {
            let _ = fs::remove_dir_all(server.home(user));
        }
        let prefix = format!("{user}/");
        self.made.retain(|m| !m.starts_with(&prefix));
    }

    /// Measures `rows` on every server in turns. A server that fails has the
    /// reason in the rows that it gave nothing for.
    pub fn rounds(
        &mut self,
        mut rows: Vec<Row>,
        usual: usize,
        workload: impl FnMut(&mut Server, &mut Takes<'_>) -> Result<()>,
    ) -> Result<()> {
        let done = self.all_rounds(&mut rows, usual, workload);
        self.rows.append(&mut rows);
        done
    }

    fn all_rounds(
        &mut self,
        rows: &mut [Row],
        usual: usize,
        mut workload: impl FnMut(&mut Server, &mut Takes<'_>) -> Result<()>,
    ) -> Result<()> {
        for server in &mut self.servers {
            server.start()?;
        }
        let count = self.servers.len();
        let (begin, rounds) = (Instant::now(), self.options.rounds(usual));
        for round in 0..rounds {
            if round > 0 && begin.elapsed() > ENOUGH {
                if let Some(row) = rows.first() {
                    let title = &row.title;
                    self.notes.push(format!(
                        "{title}, and what follows: {round} rounds of {rounds}"
                    ));
                }
                break;
            }
            for turn in 0..count {
                deadline::check()?;
                let server = &mut self.servers[(round + turn) % count];
                let kind = server.kind;
                let mut takes = Takes { kind, rows };
                if let Err(e) = workload(server, &mut takes) {
                    eprintln!("{}: {e}", kind.name());
                    failed(rows, kind, &e);
                    let _ = server.restart();
                }
            }
        }
        Ok(())
    }

    pub fn row(&mut self, id: &str) -> Option<&mut Row> {
        self.rows.iter_mut().find(|r| r.id == id)
    }

    /// Asks every server the same and writes into row `id` whether Roost said
    /// what Dovecot did.
    pub fn compare(&mut self, id: &str, user: &str, mailbox: &str, command: &str) -> Result<()> {
        let mut answers = Vec::new();
        for server in &mut self.servers {
            server.start()?;
            let said = server
                .selected(user, mailbox)
                .and_then(|mut c| c.ask(command));
            match said {
                Ok(said) => answers.push((server.kind, Answers::new(&said.responses))),
                Err(e) => eprintln!("{}: {e}", server.kind.name()),
            }
        }
        let of = |kind: Kind| answers.iter().find(|a| a.0 == kind).map(|a| &a.1);
        let peer = of(Kind::Tuned).or_else(|| of(Kind::Default));
        let (Some(roost), Some(peer)) = (of(Kind::Roost), peer) else {
            return Ok(());
        };
        let found = peer.compare(roost);
        let text = match found.different {
            0 => "same".to_owned(),
            n => format!("{n} of {} differ", found.items),
        };
        if found.different > 0 {
            let _ = writeln!(self.differences, "== {id}: {command}: {text}");
            for sample in &found.samples {
                let _ = writeln!(self.differences, "{sample}");
            }
        }
        if let Some(row) = self.row(id) {
            row.answers = Some(text);
        }
        Ok(())
    }
}

fn failed(rows: &mut [Row], kind: Kind, e: &Error) {
    let mut told = false;
    for row in rows.iter_mut() {
        if !row.samples.contains_key(&kind) {
            row.failures.insert(kind, e.to_string());
            told = true;
        }
    }
    // A round that fails is told even where others gave all figures.
    if !told && let Some(row) = rows.last_mut() {
        row.failures.insert(kind, e.to_string());
    }
}

/// Deletes what `server` made of `user`'s Maildir, and starts it anew.
pub fn unseen(server: &mut Server, user: &str) -> Result<()> {
    server.stop();
    maildir::forget(&server.home(user).join("Maildir"))?;
    server.start()
}

/// Beside the executables, or where every user can go.
fn usual_dir() -> PathBuf {
    let near = roost_tests::process::executables();
    let near = near.parent().unwrap_or(Path::new("/var/tmp"));
    let open = |p: &Path| fs::metadata(p).is_ok_and(|m| m.mode() & 0o1 == 1);
    if near.ancestors().all(open) {
        near.join("bench")
    } else {
        PathBuf::from("/var/tmp/roost-bench")
    }
}
