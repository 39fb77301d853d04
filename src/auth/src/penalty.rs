//! Failures counted for each account and each address: how many there may be
//! in a minute, and how long the next answer waits.
//!
//! Attempts under way count as well, so that parallel ones cannot pass the
//! limit together; one that is over the limit only because of them waits for
//! their outcome, so that many clients of one user can log in at once.
//! Strangers choose the keys: the tables are bounded, and the entries not
//! touched for longest go first. Clients whose proxy does not say their address
//! have none in common: only their accounts count.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout;

const WINDOW: Duration = Duration::from_secs(60);
/// A run of failures is forgotten after this long.
const FORGET: Duration = Duration::from_secs(900);
/// How long an attempt waits for others to show whether they fail.
const PATIENCE: Duration = Duration::from_secs(10);
/// Entries of one table.
const MAX_KEYS: usize = 16 * 1024;
/// The most failures remembered for one key.
const MAX_LIMIT: u32 = 1000;
/// How many different accounts an address may be told of that they have moved,
/// for each failure that it may have.
const REFERRALS: usize = 10;
/// The delay of the first, second, … failure in a row, in quarters of the
/// configured one: 2, 4, 8, 15 seconds for the usual 2.
const GROWTH: [u32; 4] = [4, 8, 16, 30];

/// One attempt that failed, or may yet.
struct Tried {
    at: Instant,
    id: u64,
    failed: bool,
}

/// The attempts of an account or address, newest last.
struct Record {
    attempts: VecDeque<Tried>,
    /// Failures since the last success.
    streak: usize,
    touched: Instant,
}

impl Record {
    fn new(now: Instant) -> Self {
        Self {
            attempts: VecDeque::new(),
            streak: 0,
            touched: now,
        }
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some(tried) = self.attempts.front()
            && now.saturating_duration_since(tried.at) >= WINDOW
        {
            self.attempts.pop_front();
        }
        if now.saturating_duration_since(self.touched) >= FORGET {
            self.streak = 0;
        }
        self.touched = now;
    }

    fn failed(&self) -> usize {
        self.attempts.iter().filter(|t| t.failed).count()
    }
}

type Table = HashMap<u64, Record>;

struct Tables {
    accounts: Table,
    addresses: Table,
    /// By address the accounts that it was referred with, each once.
    referrals: Table,
    next_ticket: u64,
}

/// Shared by all attempts.
pub struct Penalties {
    tables: Mutex<Tables>,
    hasher: RandomState,
    /// An attempt has come to its end.
    settled: Notify,
}

/// Why an attempt may not begin now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Denied {
    LimitReached,
    /// Too many are under way of which it is not known yet.
    Undecided,
}

/// The account or the address has failed too often in the last minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LimitReached;

impl Default for Penalties {
    fn default() -> Self {
        Self {
            tables: Mutex::new(Tables {
                accounts: HashMap::new(),
                addresses: HashMap::new(),
                referrals: HashMap::new(),
                next_ticket: 0,
            }),
            hasher: RandomState::new(),
            settled: Notify::new(),
        }
    }
}

impl Penalties {
    /// Begins an attempt, if need be after others have ended. `limit` is
    /// failures per minute, 0 for any number.
    pub async fn begin(
        self: &Arc<Self>,
        account: &str,
        address: IpAddr,
        limit: u32,
    ) -> Result<Ticket, LimitReached> {
        let waiting = async {
            loop {
                let settled = self.settled.notified();
                match self.try_begin(account, address, limit, Instant::now()) {
                    Ok(ticket) => return Ok(ticket),
                    Err(Denied::LimitReached) => return Err(LimitReached),
                    Err(Denied::Undecided) => settled.await,
                }
            }
        };
        timeout(PATIENCE, waiting)
            .await
            .unwrap_or(Err(LimitReached))
    }

    fn try_begin(
        self: &Arc<Self>,
        account: &str,
        address: IpAddr,
        limit: u32,
        now: Instant,
    ) -> Result<Ticket, Denied> {
        let account = self.hasher.hash_one(account);
        let known = !address.to_canonical().is_unspecified();
        let key = || NonZeroU64::new(self.hasher.hash_one(network_of(address)));
        let address = known.then(key).flatten();
        let allowed = allowed(limit);
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let id = tables.next_ticket;
        tables.next_ticket = id.wrapping_add(1);
        let Tables {
            accounts,
            addresses,
            ..
        } = &mut *tables;
        let by_account = record(accounts, account, now);
        let by_address = address.map(|address| record(addresses, address.get(), now));
        if limit > 0 {
            for record in std::iter::once(&*by_account).chain(by_address.as_deref()) {
                if record.attempts.len() >= allowed {
                    return Err(match record.failed() >= allowed {
                        true => Denied::LimitReached,
                        false => Denied::Undecided,
                    });
                }
            }
            for record in std::iter::once(by_account).chain(by_address) {
                record.attempts.push_back(Tried {
                    at: now,
                    id,
                    failed: false,
                });
            }
        }
        Ok(Ticket {
            penalties: Arc::clone(self),
            account,
            address,
            id,
        })
    }
}

fn allowed(limit: u32) -> usize {
    usize::try_from(limit.min(MAX_LIMIT)).unwrap_or(usize::MAX)
}

/// An IPv6 customer has a whole /64 to choose addresses from.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        v4 => v4,
    }
}

fn record(table: &mut Table, key: u64, now: Instant) -> &mut Record {
    if table.len() >= MAX_KEYS && !table.contains_key(&key) {
        make_room(table, now);
    }
    let record = table.entry(key).or_insert_with(|| Record::new(now));
    record.forget_old(now);
    record
}

/// Drops what is forgotten anyway, else the eighth that was not touched for
/// longest; so the cost is spread over many insertions.
fn make_room(table: &mut Table, now: Instant) {
    table.retain(|_, r| now.saturating_duration_since(r.touched) < FORGET);
    if table.len() < MAX_KEYS {
        return;
    }
    let mut ages: Vec<Instant> = table.values().map(|r| r.touched).collect();
    let (_, cutoff, _) = ages.select_nth_unstable(MAX_KEYS / 8);
    let cutoff = *cutoff;
    // Many may share the cutoff's moment; one pass must make room all the same.
    let mut spare = MAX_KEYS / 8;
    table.retain(|_, r| {
        let keep = r.touched > cutoff || spare == 0;
        spare -= usize::from(!keep);
        keep
    });
}

/// One attempt under way. Dropped without a word it stays a failure.
#[must_use]
pub struct Ticket {
    penalties: Arc<Penalties>,
    account: u64,
    /// `None` for who has none.
    address: Option<NonZeroU64>,
    id: u64,
}

impl Ticket {
    /// The attempt succeeded: it counts no more, and the run of failures is over.
    pub fn success(self) {
        self.take_back(true);
    }

    /// The attempt said nothing about the password.
    pub fn release(self) {
        self.take_back(false);
    }

    /// The account is elsewhere, whatever the password. `limit` is as for
    /// [`Penalties::begin`].
    ///
    /// # Errors
    /// The address was told that of too many other accounts in the last
    /// minute; its failures are not touched.
    pub fn referred(self, account: &str, limit: u32) -> Result<(), LimitReached> {
        self.referred_at(account, limit, Instant::now())
    }

    fn referred_at(self, account: &str, limit: u32, now: Instant) -> Result<(), LimitReached> {
        let penalties = Arc::clone(&self.penalties);
        let (id, address) = (penalties.hasher.hash_one(account), self.address);
        self.release();
        let Some(address) = address.filter(|_| limit > 0) else {
            return Ok(());
        };
        let mut tables = penalties
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = record(&mut tables.referrals, address.get(), now);
        if known.attempts.iter().any(|tried| tried.id == id) {
            return Ok(());
        }
        if known.attempts.len() >= allowed(limit) * REFERRALS {
            return Err(LimitReached);
        }
        known.attempts.push_back(Tried {
            at: now,
            id,
            failed: false,
        });
        Ok(())
    }

    fn take_back(self, reset: bool) {
        self.with(|record, id| {
            record.attempts.retain(|tried| tried.id != id);
            if reset {
                record.streak = 0;
            }
        });
    }

    /// The attempt failed; how long its answer is to wait, `base` being the
    /// delay of a first failure.
    pub fn failure(self, base: Duration) -> Duration {
        let mut failures = 0;
        self.with(|record, _| {
            record.streak = record.streak.saturating_add(1);
            failures = record.streak;
        });
        let index = failures.saturating_sub(1).min(GROWTH.len() - 1);
        let quarters = GROWTH.get(index).copied().unwrap_or(4);
        base.saturating_mul(quarters) / 4
    }

    /// Both records; the address's is last, if it has one.
    fn with(&self, mut change: impl FnMut(&mut Record, u64)) {
        let lock = self.penalties.tables.lock();
        let mut tables = lock.unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = tables.accounts.get_mut(&self.account) {
            change(record, self.id);
        }
        let address = self.address.map(NonZeroU64::get);
        if let Some(record) = address.and_then(|address| tables.addresses.get_mut(&address)) {
            change(record, self.id);
        }
    }
}

impl Drop for Ticket {
    /// What is not taken back has failed.
    fn drop(&mut self) {
        self.with(|record, id| {
            if let Some(tried) = record.attempts.iter_mut().find(|t| t.id == id) {
                tried.failed = true;
            }
        });
        self.penalties.settled.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_secs(2);

    fn address(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    #[test]
    fn delays_grow_for_an_address_and_a_success_resets_them() {
        let p = Arc::new(Penalties::default());
        let now = Instant::now();
        let fail = |account: &str| {
            p.try_begin(account, address(1), 100, now)
                .unwrap()
                .failure(BASE)
        };
        let secs: Vec<_> = ["a", "b", "c", "d", "e"]
            .map(fail)
            .iter()
            .map(Duration::as_secs)
            .collect();
        assert_eq!(secs, [2, 4, 8, 15, 15]);
        let other = p.try_begin("a", address(2), 100, now).unwrap();
        assert_eq!(other.failure(BASE), BASE);
        p.try_begin("z", address(1), 100, now).unwrap().success();
        assert_eq!(fail("a"), BASE);
    }

    #[test]
    fn a_run_of_failures_is_forgotten() {
        let p = Arc::new(Penalties::default());
        let now = Instant::now();
        for _ in 0..3 {
            p.try_begin("a", address(1), 0, now).unwrap().failure(BASE);
        }
        let later = p.try_begin("a", address(1), 0, now + FORGET).unwrap();
        assert_eq!(later.failure(BASE), BASE);
    }

    #[test]
    fn failures_per_minute_of_account_and_address() {
        let p = Arc::new(Penalties::default());
        let now = Instant::now();
        for n in 0..10 {
            p.try_begin("alice", address(n), 10, now)
                .unwrap()
                .failure(BASE);
        }
        assert!(p.try_begin("alice", address(99), 10, now).is_err());
        assert!(p.try_begin("bob", address(99), 10, now).is_ok());
        assert!(p.try_begin("alice", address(99), 10, now + WINDOW).is_ok());
        for n in 0..10 {
            let _ = p
                .try_begin(&format!("u{n}"), address(200), 10, now)
                .unwrap();
        }
        assert!(p.try_begin("bob", address(200), 10, now).is_err());
    }

    #[test]
    fn referrals_are_no_failures_and_count_each_account_once() {
        let p = Arc::new(Penalties::default());
        let now = Instant::now();
        let refer = |account: &str, from, at| {
            let ticket = p.try_begin(account, address(from), 2, at).unwrap();
            ticket.referred_at(account, 2, at)
        };
        for _ in 0..100 {
            assert_eq!(refer("a", 1, now), Ok(()));
        }
        for n in 1..2 * REFERRALS {
            assert_eq!(refer(&n.to_string(), 1, now), Ok(()));
        }
        assert_eq!(refer("b", 1, now), Err(LimitReached));
        assert_eq!(refer("a", 1, now), Ok(()));
        assert_eq!(refer("b", 2, now), Ok(()));
        assert_eq!(refer("b", 1, now + WINDOW), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_under_way_are_waited_for() {
        let p = Arc::new(Penalties::default());
        let now = Instant::now();
        let first = p.try_begin("a", address(1), 2, now).unwrap();
        let second = p.try_begin("a", address(1), 2, now).unwrap();
        assert_eq!(
            p.try_begin("a", address(1), 2, now).err(),
            Some(Denied::Undecided)
        );
        let third = tokio::spawn({
            let p = Arc::clone(&p);
            async move { p.begin("a", address(1), 2).await.map(Ticket::success) }
        });
        tokio::task::yield_now().await;
        first.success();
        assert_eq!(third.await.unwrap(), Ok(()));
        second.failure(BASE);
        let _ = p.try_begin("a", address(1), 2, now).unwrap();
        assert_eq!(p.begin("a", address(1), 2).await.err(), Some(LimitReached));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let p = Arc::new(Penalties::default());
        let _open = p.try_begin("a", address(1), 1, Instant::now()).unwrap();
        assert_eq!(p.begin("a", address(1), 1).await.err(), Some(LimitReached));
    }

    #[test]
    fn who_has_no_address_answers_for_nobody_else() {
        let p = Arc::new(Penalties::default());
        let now = Instant::now();
        for nowhere in ["0.0.0.0", "::", "::ffff:0.0.0.0"] {
            let nowhere: IpAddr = nowhere.parse().unwrap();
            let begin = |account: &str| p.try_begin(account, nowhere, 2, now);
            for n in 0..20 {
                let delay = begin(&format!("{n}{nowhere}")).unwrap().failure(BASE);
                assert_eq!(delay, BASE);
            }
            let mut delays = (0..2).map(|_| begin(&nowhere.to_string()).unwrap().failure(BASE));
            assert_eq!(delays.next(), Some(BASE));
            assert_eq!(delays.next(), Some(BASE * 2));
            assert!(begin(&nowhere.to_string()).is_err());
        }
        let here: IpAddr = "::1".parse().unwrap();
        for n in 0..2 {
            let ticket = p.try_begin(&n.to_string(), here, 2, now);
            let _ = ticket.unwrap().failure(BASE);
        }
        assert!(p.try_begin("c", here, 2, now).is_err());
    }

    #[test]
    fn a_whole_64_counts_as_one_address() {
        let net = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(net("2001:db8::1"), net("2001:db8::ffff:2"));
        assert_ne!(net("2001:db8::1"), net("2001:db8:0:1::1"));
        assert_eq!(net("::ffff:192.0.2.1"), address(1));
    }

    #[test]
    fn tables_stay_bounded() {
        let p = Arc::new(Penalties::default());
        let now = Instant::now();
        for n in 0..3 * MAX_KEYS {
            let ticket = p.try_begin(&n.to_string(), address(1), 0, now);
            ticket.unwrap().failure(BASE);
        }
        assert!(p.tables.lock().unwrap().accounts.len() <= MAX_KEYS);
    }
}
