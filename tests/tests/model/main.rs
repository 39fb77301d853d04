//! Random operations of several clients, of another program in the Maildir and
//! of whoever kills processes, against a reference model.
//!
//! What must hold: no UID ever names two messages; the MODSEQ of a message
//! rises with each of its changes; HIGHESTMODSEQ is never lower than what any
//! client has seen, whatever became of the index; and a client that comes back
//! and asks what has changed ends with exactly what the server has. A command
//! whose worker was killed is done for some of its messages or for none, and
//! for all once it was acknowledged.
//!
//! The cases are the same in every run, so that no commit fails by chance;
//! `MODEL_SEED=random` plays new ones, `MODEL_SEED=n` one case again.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod killed;
mod outside;
mod peer;
mod reference;
mod world;

use world::World;

/// Operations in one case.
const STEPS: u32 = 60;
/// Of these 1 and 2 have failed once.
const KEPT: [u64; 5] = [1, 2, 3, 4, 5];
/// With `MODEL_SEED=random`.
const NEW: u64 = 5;

#[test]
fn clients_that_come_back_end_with_what_the_server_has() {
    let seeds = match std::env::var("MODEL_SEED").as_deref() {
        Ok("random") => {
            let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64;
            (now..now + NEW).collect()
        }
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => KEPT.to_vec(),
    };
    for seed in seeds {
        println!("MODEL_SEED={seed}");
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.everybody_agrees();
    }
}

/// Numbers that are the same for the same seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end.max(1)
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}
