//! Workers that are killed while a command is under way.

use super::peer::{change, number_after};
use super::reference::{Flags, flags};
use super::world::{FLAGS, PATIENCE, SUBJECT, World, on_disk};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use roost_tests::client::Answer;
use roost_tests::mail;
use roost_tests::process::eventually;
use std::fs;
use std::time::Duration;

impl World {
    /// Kills the worker while a command is under way: what it would have done
    /// to a message is done or not, and is done if it was acknowledged.
    pub(super) fn kill_within(&mut self, at: usize) {
        self.everybody_agrees();
        let known: Vec<u32> = self.peers[at].cache.keys().copied().collect();
        let (command, outcome) = self.command_in_flight(&known);
        let mut client = self.peers[at].connection.take().unwrap();
        let moment = Duration::from_micros(self.moment());
        let workers = self.roost().role_pids("worker");
        let tag = client.send(&command).unwrap();
        std::thread::sleep(moment);
        self.kill(&workers);
        for peer in &mut self.peers {
            peer.connection = None;
        }
        let done = client.wait(&tag).ok().filter(Answer::ok);
        let moved = command.starts_with(b"UID MOVE");
        for (number, after) in &outcome {
            match (&done, after) {
                (None, after) => self.reference.doubt(*number, after.clone()),
                (Some(_), Some(flags)) => {
                    self.reference.messages.insert(*number, flags.clone());
                }
                (Some(_), None) => drop(self.reference.messages.remove(number)),
            }
        }
        if let Some(answer) = &done
            && let Some((_, rest)) = answer.tagged.split_once("[APPENDUID ")
        {
            let uid = rest.split([' ', ']']).nth(1).unwrap().parse().unwrap();
            self.reference.is_named(uid, outcome[0].0);
        }
        if self.random.one_in(3) {
            let _ = fs::remove_dir_all(self.maildir().join("roost-index"));
        }
        self.settle();
        self.reference.is_certain();
        if moved {
            let gone = outcome.into_iter().map(|(number, _)| number);
            let there = |n: &u32| self.reference.messages.contains_key(n);
            self.away.extend(gone.filter(|n| !there(n)));
        }
        self.nothing_is_lost_on_the_way();
    }

    /// A command, and what it makes of messages; `None`: it takes them away.
    fn command_in_flight(&mut self, known: &[u32]) -> (Vec<u8>, Vec<(u32, Option<Flags>)>) {
        let of = |uid: &u32| self.reference.number_of(*uid);
        let numbers: Vec<u32> = known.iter().filter_map(of).collect();
        match self.random.below(4) {
            0 if !known.is_empty() => {
                let flag = self.random.of(&FLAGS);
                let with_flag = |&number: &u32| {
                    let mut after = self.reference.messages[&number].clone();
                    change(&mut after, "+", flag);
                    (number, Some(after))
                };
                let command = format!("UID STORE 1:* +FLAGS ({flag})");
                (
                    command.into_bytes(),
                    numbers.iter().map(with_flag).collect(),
                )
            }
            1 => {
                let gone = |n: &&u32| self.reference.messages[n].contains("\\deleted");
                let outcome = numbers.iter().filter(gone).map(|&n| (n, None)).collect();
                (b"EXPUNGE".to_vec(), outcome)
            }
            2 if !known.is_empty() => {
                let first = self.random.of(known);
                let moved = numbers.iter().zip(known).filter(|&(_, &uid)| uid >= first);
                let outcome = moved.map(|(&n, _)| (n, None)).collect();
                (format!("UID MOVE {first}:* Other").into_bytes(), outcome)
            }
            _ => {
                let number = self.reference.reserve();
                let message = mail::small(number);
                let mut command = format!("APPEND INBOX ($a) {{{}+}}\r\n", message.len());
                command.push_str(&String::from_utf8(message).unwrap());
                (command.into_bytes(), vec![(number, Some(flags("$a")))])
            }
        }
    }

    /// What was moved is in the other mailbox, once.
    fn nothing_is_lost_on_the_way(&mut self) {
        let mut checker = self.checker();
        let away: Vec<u32> = self.away.iter().copied().collect();
        let mut held = Vec::new();
        let found = eventually(PATIENCE, || {
            checker.ok("EXAMINE Other").unwrap();
            let answer = checker.ok(&format!("UID FETCH 1:* ({SUBJECT})")).unwrap();
            let subject = |line: String| number_after(&line, "Subject: Message ");
            held = answer
                .lines()
                .filter_map(subject)
                .map(|n| n as u32)
                .collect();
            held.sort_unstable();
            (held == away && on_disk(&self.maildir().join(".Other")) == held).then_some(())
        });
        assert!(
            found.is_some(),
            "moved {away:?}\nthere {held:?}\n{}",
            self.roost().log()
        );
    }

    /// Some moment within most commands, in microseconds.
    fn moment(&mut self) -> u64 {
        let longest = self.random.of(&[1, 300, 1_000, 4_000]);
        self.random.below(longest) as u64
    }

    /// Kills processes and waits until they are gone: what one does in the
    /// kernel goes on for a moment.
    pub(super) fn kill(&self, processes: &[Pid]) {
        for &process in processes {
            nix::sys::signal::kill(process, Signal::SIGKILL).unwrap();
        }
        let gone = || {
            let left = self.roost().role_pids("worker");
            (!left.iter().any(|pid| processes.contains(pid))).then_some(())
        };
        eventually(PATIENCE, gone).expect("workers end");
    }
}
