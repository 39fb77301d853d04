//! Classes of how long something took, as monitors show them.

/// The upper bounds of all classes but the last, in microseconds.
pub const LATENCY_BOUNDS: [u32; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];
/// How many classes there are; what is slower than all bounds is in the last.
pub const LATENCY_CLASSES: usize = LATENCY_BOUNDS.len() + 1;

/// The class of what took so many microseconds.
pub fn latency_class(micros: u64) -> usize {
    LATENCY_BOUNDS.partition_point(|&bound| u64::from(bound) < micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_class() {
        let classes = [0, 500, 501, 1_000, 10_000_000, 10_000_001, u64::MAX].map(latency_class);
        assert_eq!(classes, [0, 0, 1, 1, 13, 14, 14]);
        assert!(LATENCY_BOUNDS.is_sorted());
    }
}
