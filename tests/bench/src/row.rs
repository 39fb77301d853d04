//! A row of the table: what was measured, for each server.

use crate::server::Kind;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Shown in milliseconds; fewer are better.
    Seconds,
    /// Shown in KiB; fewer are better.
    Octets,
    /// Millions of octets in a second; more are better.
    Megabytes,
    /// In a second; more are better.
    PerSecond,
}

#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// Dovecot's better figure by Roost's, or the other way round where more
    /// are better.
    Ratio(f64),
    /// The ratio, or the figure itself at most so many seconds or octets.
    RatioOr(f64, f64),
    /// The figure itself.
    AtMost(f64),
    /// This share of the speed that the row's limit stands for.
    OfLimit(f64),
}

/// What the machine itself would take for the same, at best.
#[derive(Debug, Clone)]
pub struct Limit {
    pub what: String,
    pub value: f64,
}

#[derive(Debug, Clone)]
pub struct Row {
    pub id: &'static str,
    pub title: String,
    pub unit: Unit,
    pub target: Option<Target>,
    pub samples: BTreeMap<Kind, Vec<f64>>,
    pub failures: BTreeMap<Kind, String>,
    pub limit: Option<Limit>,
    /// What the machine took for the least of the same, each time that Roost
    /// was measured.
    pub floor: Option<(&'static str, Vec<f64>)>,
    /// Whether the servers said the same.
    pub answers: Option<String>,
    /// The load generator's CPU seconds and the seconds measured.
    pub client: (f64, f64),
}

pub fn row(id: &'static str, unit: Unit, title: impl Into<String>) -> Row {
    Row {
        id,
        title: title.into(),
        unit,
        target: None,
        samples: BTreeMap::new(),
        failures: BTreeMap::new(),
        limit: None,
        floor: None,
        answers: None,
        client: (0.0, 0.0),
    }
}

impl Row {
    pub fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    pub fn ratio(self, ratio: f64) -> Self {
        self.target(Target::Ratio(ratio))
    }

    pub fn median(&self, kind: Kind) -> Option<f64> {
        median(self.samples.get(&kind)?)
    }

    /// Also of what was measured beside Roost's own figures.
    pub fn limit(&self) -> Option<Limit> {
        let beside = || {
            let (what, all) = self.floor.as_ref()?;
            Some(Limit {
                what: (*what).to_owned(),
                value: median(all)?,
            })
        };
        self.limit.clone().or_else(beside)
    }

    fn more_is_better(&self) -> bool {
        matches!(self.unit, Unit::Megabytes | Unit::PerSecond)
    }

    /// The better of the peers' medians.
    pub fn peer(&self) -> Option<f64> {
        let peers = Kind::PEERS.iter().filter_map(|k| self.median(*k));
        if self.more_is_better() {
            peers.max_by(f64::total_cmp)
        } else {
            peers.min_by(f64::total_cmp)
        }
    }

    /// How many times better Roost is.
    pub fn factor(&self) -> Option<f64> {
        let (roost, peer) = (self.median(Kind::Roost)?, self.peer()?);
        Some(if self.more_is_better() {
            roost / peer
        } else {
            peer / roost
        })
    }

    /// None where there is no target or no figure.
    pub fn met(&self) -> Option<bool> {
        let roost = self.median(Kind::Roost)?;
        match self.target? {
            Target::Ratio(r) => Some(self.factor()? >= r),
            Target::RatioOr(r, most) => Some(roost <= most || self.factor()? >= r),
            Target::AtMost(most) => Some(roost <= most),
            Target::OfLimit(share) => Some(self.limit()?.value >= roost * share),
        }
    }
}

fn median(all: &[f64]) -> Option<f64> {
    let mut all = all.to_vec();
    all.sort_by(f64::total_cmp);
    let middle = all.len() / 2;
    match all.len() {
        0 => None,
        n if n % 2 == 1 => all.get(middle).copied(),
        _ => Some((all.get(middle - 1)? + all.get(middle)?) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_take_the_better_peer() {
        let mut r = row("x", Unit::Seconds, "x").ratio(5.0);
        r.samples.insert(Kind::Roost, vec![9.0, 1.0, 2.0]);
        r.samples.insert(Kind::Tuned, vec![8.0, 10.0]);
        r.samples.insert(Kind::Default, vec![20.0]);
        assert_eq!((r.factor(), r.met()), (Some(4.5), Some(false)));
        r.unit = Unit::PerSecond;
        assert_eq!(r.factor(), Some(0.1));
        r.target = Some(Target::RatioOr(5.0, 2.0));
        assert_eq!(r.met(), Some(true));
        assert!(r.limit().is_none());
        r.floor = Some(("y", vec![3.0, 1.0, 2.0]));
        assert_eq!(r.limit().map(|l| l.value), Some(2.0));
        r.target = Some(Target::OfLimit(1.0));
        assert_eq!(r.met(), Some(true));
        r.target = Some(Target::OfLimit(1.1));
        assert_eq!(r.met(), Some(false));
    }
}
