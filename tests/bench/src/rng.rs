//! Numbers that look random and are the same in every run (SplitMix64).

#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 for an `n` of 0.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n.max(1) as u64;
        usize::try_from(self.next() % n).unwrap_or(0)
    }

    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        let at = self.below(from.len());
        from[at]
    }

    /// A size about `median`, log-normal as sizes of mail are: one in six is
    /// above `median * spread`, one in forty above `median * spread²`.
    pub fn size(&mut self, median: usize, spread: f64, most: usize) -> usize {
        // The sum of twelve even numbers is near enough to a normal one.
        let sum: f64 = (0..12).map(|_| self.below(1 << 20) as f64).sum();
        let normal = sum / f64::from(1 << 20) - 6.0;
        let size = median as f64 * spread.powf(normal);
        (size as usize).clamp(1, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_lie_about_their_median() {
        let mut rng = Rng::new(7);
        let mut sizes: Vec<_> = (0..4001).map(|_| rng.size(1000, 3.0, 1 << 30)).collect();
        sizes.sort_unstable();
        assert!((800..1250).contains(&sizes[2000]), "{}", sizes[2000]);
        assert!(sizes[4000] > 9000);
    }
}
