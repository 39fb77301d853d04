//! Every connection the gate knows of: how many there are, and where to send
//! what concerns one of them.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use roost_ipc::{AuthResult, Bytes, GateLimits, Refusal, SessionBlock, Stranger};
use roost_types::SessionId;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Events that a connection may have waiting. Every peer has at most one
/// under way for a connection; more is a fault.
const EVENTS: usize = 8;
/// Session numbers left when more are asked for.
const LOW: u64 = 256;

/// What other tasks tell a connection before it is handed over.
#[derive(Debug)]
pub enum Event {
    /// A SASL challenge of auth's.
    Challenge(Bytes),
    /// Auth's last word.
    Outcome(AuthResult),
    /// The connection to auth is gone.
    AuthLost,
    /// The worker has the connection.
    HandedOver,
    /// It has not.
    Refused(Refusal),
    /// An administrator ends it.
    Kick,
    Shutdown,
}

enum State {
    BeforeLogin(mpsc::Sender<Event>),
    /// A TLS connection that is relayed.
    Relayed(AbortHandle),
    /// A clear connection that a worker serves by itself.
    HandedOver,
}

struct Entry {
    address: IpAddr,
    since: Instant,
    state: State,
    /// The session has ended before this process saw that it had begun.
    ended: bool,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<SessionId, Entry>,
    by_address: HashMap<IpAddr, u32>,
    numbers: VecDeque<SessionBlock>,
    /// More numbers were asked for and have not come yet.
    asked: bool,
    closing: bool,
}

#[derive(Default)]
pub struct Registry {
    inner: Mutex<Inner>,
}

/// Why a connection is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TooMany {
    All,
    FromAddress,
    /// No session number is left for the moment.
    NoNumber,
    Closing,
}

/// A connection that was taken.
pub struct Admitted {
    pub slot: Slot,
    pub events: mpsc::Receiver<Event>,
    /// Ask the supervisor for more session numbers.
    pub numbers_low: bool,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add_numbers(&self, block: SessionBlock) {
        let mut inner = self.lock();
        inner.numbers.push_back(block);
        inner.asked = false;
    }

    /// Takes a connection within the limits.
    pub fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        limits: &GateLimits,
    ) -> Result<Admitted, TooMany> {
        let mut inner = self.lock();
        let now = u32::try_from(inner.entries.len()).unwrap_or(u32::MAX);
        let network = network_of(address);
        let from_address = inner.by_address.get(&network).copied().unwrap_or(0);
        let per_ip = limits.max_connections_per_ip;
        if inner.closing {
            return Err(TooMany::Closing);
        }
        if now >= limits.max_connections {
            return Err(TooMany::All);
        }
        // Who has no address (see `proxy::nobody`) has none in common.
        let known = !address.is_unspecified();
        if per_ip > 0 && from_address >= per_ip && known {
            return Err(TooMany::FromAddress);
        }
        let id = inner.next_number().ok_or(TooMany::NoNumber)?;
        let (sender, events) = mpsc::channel(EVENTS);
        let state = State::BeforeLogin(sender);
        let entry = Entry {
            address,
            since: Instant::now(),
            state,
            ended: false,
        };
        inner.entries.insert(id, entry);
        *inner.by_address.entry(network).or_default() += 1;
        Ok(Admitted {
            slot: Slot {
                registry: Arc::clone(self),
                id,
                kept: false,
            },
            events,
            numbers_low: inner.numbers_low(),
        })
    }

    /// Whether to ask for more numbers although no connection got one.
    pub fn numbers_low(&self) -> bool {
        self.lock().numbers_low()
    }

    /// Tells a connection before login something; nothing happens when there
    /// is none of that number.
    pub fn tell(&self, id: SessionId, event: Event) {
        let inner = self.lock();
        if let Some(Entry {
            state: State::BeforeLogin(sender),
            ..
        }) = inner.entries.get(&id)
            && sender.try_send(event).is_err()
        {
            log::debug!("{id}: event lost");
        }
    }

    /// Tells all connections before login.
    pub fn tell_all(&self, make: impl Fn() -> Event) {
        for entry in self.lock().entries.values() {
            if let State::BeforeLogin(sender) = &entry.state {
                // One whose queue is full is about to end by itself.
                let _ = sender.try_send(make());
            }
        }
    }

    pub fn kick(&self, id: SessionId) {
        let inner = self.lock();
        match inner.entries.get(&id).map(|e| &e.state) {
            Some(State::BeforeLogin(sender)) => {
                let _ = sender.try_send(Event::Kick);
            }
            Some(State::Relayed(relay)) => relay.abort(),
            Some(State::HandedOver) | None => {}
        }
    }

    /// A session that a worker had is over. Relays end by themselves.
    pub fn session_ended(&self, id: SessionId) {
        let mut inner = self.lock();
        match inner.entries.get_mut(&id) {
            Some(Entry {
                state: State::HandedOver,
                ..
            }) => inner.remove(id),
            Some(entry) => entry.ended = true,
            None => {}
        }
    }

    /// The connections before login.
    pub fn strangers(&self) -> Vec<Stranger> {
        let inner = self.lock();
        let before =
            |(_, entry): &(&SessionId, &Entry)| matches!(entry.state, State::BeforeLogin(_));
        let stranger = |(id, entry): (&SessionId, &Entry)| Stranger {
            session: *id,
            address: entry.address,
            connected: entry.since.elapsed(),
        };
        inner.entries.iter().filter(before).map(stranger).collect()
    }

    pub fn before_login(&self) -> usize {
        let inner = self.lock();
        let before = |e: &&Entry| matches!(e.state, State::BeforeLogin(_));
        inner.entries.values().filter(before).count()
    }

    /// No connection is taken any more.
    pub fn close(&self) {
        self.lock().closing = true;
    }

    /// Connections that this process still has to do with.
    pub fn busy(&self) -> usize {
        let inner = self.lock();
        let busy = |e: &&Entry| !matches!(e.state, State::HandedOver);
        inner.entries.values().filter(busy).count()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.lock().entries.len()
    }
}

impl Inner {
    fn next_number(&mut self) -> Option<SessionId> {
        loop {
            let block = self.numbers.front_mut()?;
            if block.count == 0 {
                self.numbers.pop_front();
                continue;
            }
            let id = block.first;
            block.first = SessionId(id.0.wrapping_add(1));
            block.count -= 1;
            return Some(id);
        }
    }

    /// True once for each time that few are left.
    fn numbers_low(&mut self) -> bool {
        let left: u64 = self.numbers.iter().map(|b| u64::from(b.count)).sum();
        let low = left < LOW && !self.asked;
        self.asked |= low;
        low
    }

    fn remove(&mut self, id: SessionId) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        let network = network_of(entry.address);
        if let Some(count) = self.by_address.get_mut(&network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_address.remove(&network);
            }
        }
    }
}

/// An IPv6 customer has a whole /64 to choose addresses from.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        // Not the network of loopback.
        nobody if nobody.is_unspecified() => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        v4 => v4,
    }
}

/// A connection's place in the registry, given back when dropped.
pub struct Slot {
    registry: Arc<Registry>,
    id: SessionId,
    kept: bool,
}

impl Slot {
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The place itself, leaving one behind that means nothing.
    pub fn take(&mut self) -> Self {
        let taken = Self {
            registry: Arc::clone(&self.registry),
            id: self.id,
            kept: self.kept,
        };
        self.kept = true;
        taken
    }

    /// A relay serves the connection now, and holds the slot.
    pub fn relayed_by(&self, relay: AbortHandle) {
        if let Some(entry) = self.registry.lock().entries.get_mut(&self.id) {
            entry.state = State::Relayed(relay);
        }
    }

    /// A worker serves the connection; its place is kept until the supervisor
    /// says that the session has ended.
    pub fn hand_over(mut self) {
        let registry = Arc::clone(&self.registry);
        let mut inner = registry.lock();
        if let Some(entry) = inner.entries.get_mut(&self.id)
            && !entry.ended
        {
            entry.state = State::HandedOver;
            self.kept = true;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.kept {
            self.registry.lock().remove(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn limits(all: u32, per_ip: u32) -> GateLimits {
        GateLimits {
            max_connections: all,
            max_connections_per_ip: per_ip,
            login_timeout: Duration::from_secs(60),
            max_bad_commands: 3,
        }
    }

    fn registry(count: u32) -> Arc<Registry> {
        let registry = Arc::new(Registry::default());
        let first = SessionId(7);
        registry.add_numbers(SessionBlock { first, count });
        registry
    }

    fn address(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    #[test]
    fn limits_of_all_and_of_an_address() {
        let r = registry(100);
        let a = r.admit(address(1), &limits(3, 2)).unwrap();
        let _b = r.admit(address(1), &limits(3, 2)).unwrap();
        let third = r.admit(address(1), &limits(3, 2));
        assert_eq!(third.err(), Some(TooMany::FromAddress));
        let _c = r.admit(address(2), &limits(3, 2)).unwrap();
        assert_eq!(r.admit(address(3), &limits(3, 0)).err(), Some(TooMany::All));
        drop(a);
        assert!(r.admit(address(1), &limits(3, 2)).is_ok());
        assert_eq!(r.admit(address(9), &limits(0, 0)).err(), Some(TooMany::All));
    }

    #[test]
    fn clients_without_an_address_do_not_share_one() {
        let r = registry(100);
        let mut held = Vec::new();
        for nobody in ["0.0.0.0", "::"] {
            let admit = || r.admit(nobody.parse().unwrap(), &limits(9, 1));
            held.push(admit().unwrap());
            assert!(admit().is_ok(), "{nobody}");
        }
        let here = || r.admit("::1".parse().unwrap(), &limits(9, 1));
        let _first = here().unwrap();
        assert_eq!(here().err(), Some(TooMany::FromAddress));
        let all: Vec<_> = (0..10)
            .map(|_| r.admit("::".parse().unwrap(), &limits(9, 1)))
            .collect();
        assert!(all[5].is_ok());
        assert_eq!(all[6].as_ref().err(), Some(&TooMany::All));
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let r = registry(100);
        let admit = |a: &str| r.admit(a.parse().unwrap(), &limits(9, 1));
        let a = admit("2001:db8::1").unwrap();
        assert_eq!(admit("2001:db8::2").err(), Some(TooMany::FromAddress));
        assert!(admit("2001:db8:0:1::1").is_ok());
        drop(a);
        assert!(admit("2001:db8::2").is_ok());
    }

    #[test]
    fn numbers_run_out_and_are_asked_for_once() {
        let r = registry(2);
        let a = r.admit(address(1), &limits(9, 0)).unwrap();
        assert_eq!((a.slot.id(), a.numbers_low), (SessionId(7), true));
        let b = r.admit(address(1), &limits(9, 0)).unwrap();
        assert_eq!((b.slot.id(), b.numbers_low), (SessionId(8), false));
        assert_eq!(
            r.admit(address(1), &limits(9, 0)).err(),
            Some(TooMany::NoNumber)
        );
        r.add_numbers(SessionBlock {
            first: SessionId(50),
            count: 1000,
        });
        let c = r.admit(address(1), &limits(9, 0)).unwrap();
        assert_eq!((c.slot.id(), c.numbers_low), (SessionId(50), false));
    }

    #[test]
    fn a_session_with_a_worker_counts_until_it_ends() {
        let r = registry(10);
        let a = r.admit(address(1), &limits(1, 0)).unwrap();
        let id = a.slot.id();
        a.slot.hand_over();
        assert_eq!((r.len(), r.busy()), (1, 0));
        assert!(r.admit(address(1), &limits(1, 0)).is_err());
        r.session_ended(id);
        assert!(r.admit(address(1), &limits(1, 0)).is_ok());
    }

    #[test]
    fn only_those_before_login_are_strangers() {
        let r = registry(10);
        let a = r.admit(address(1), &limits(9, 0)).unwrap();
        let b = r.admit(address(2), &limits(9, 0)).unwrap();
        a.slot.hand_over();
        let strangers = r.strangers();
        assert_eq!(r.before_login(), 1);
        let seen: Vec<_> = strangers.iter().map(|s| (s.session, s.address)).collect();
        assert_eq!(seen, [(b.slot.id(), address(2))]);
    }

    #[test]
    fn a_session_may_end_before_its_handover_is_seen() {
        let r = registry(10);
        let a = r.admit(address(1), &limits(1, 0)).unwrap();
        r.session_ended(a.slot.id());
        assert_eq!(r.len(), 1);
        a.slot.hand_over();
        assert_eq!(r.len(), 0);
    }
}
