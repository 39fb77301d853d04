//! The allocator's dealings with the kernel.

/// Arenas that the threads of a process share. The allocator's own choice is
/// eight for each core, each of which keeps what was freed in it.
const ARENAS: libc::c_int = 2;

/// To be called at the start, before there are threads.
pub fn share_arenas() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a number inside the allocator; takes no pointer.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}

/// Gives free memory back to the kernel. Takes some milliseconds after much
/// was used; other threads that allocate wait meanwhile.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: looks at free memory alone; allowed at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident() -> u64 {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages = text.split(' ').nth(1).unwrap();
        pages.parse::<u64>().unwrap() * 4096
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn what_was_freed_goes_back() {
        share_arenas();
        // Small pieces, and one behind them that keeps the heap's end.
        let pieces: Vec<Vec<u8>> = (0..100_000).map(|_| vec![1; 1000]).collect();
        let last = vec![1u8; 1000];
        let full = resident();
        drop(pieces);
        give_back();
        assert!(resident() + (50 << 20) < full);
        drop(last);
    }
}
