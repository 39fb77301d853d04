//! A full disk: every change that fails says so, and nothing is lost.

use super::{Place, USER, login, read};
use roost_tests::client::{Answer, Client};
use roost_tests::mail;
use roost_tests::maildir;
use roost_tests::process::in_namespace;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system of its own; it goes with the test.
pub(super) struct Mount(PathBuf);

impl Mount {
    pub fn new(at: &Path) -> Self {
        let options = "size=600k,nr_inodes=400";
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(at)
            .status();
        assert!(mount.unwrap().success());
        Self(at.to_owned())
    }

    /// An image with ext4, whose directories take blocks; `None` where the
    /// machine does not let us mount it.
    pub fn ext4(at: &Path) -> Option<Self> {
        let image = at.with_extension("image");
        fs::File::create(&image).unwrap().set_len(2 << 20).unwrap();
        let did = |program: &str, args: &[&str], last: &Path| {
            let done = Command::new(program).args(args).arg(last).status();
            done.is_ok_and(|status| status.success())
        };
        let features = [
            "-q",
            "-b",
            "1024",
            "-m",
            "0",
            "-N",
            "400",
            "-O",
            "^has_journal",
        ];
        let file = image.display().to_string();
        (did("mkfs.ext4", &features, &image)
            && did("mount", &["-o", "loop", "-t", "ext4", &file], at))
        .then(|| Self(at.to_owned()))
    }

    /// Takes every block and every inode.
    pub fn fill(&self) {
        let path = |n: usize| self.0.join(format!("filler{n}"));
        let mut file = fs::File::create(path(0)).unwrap();
        while file.write_all(&[b'x'; 1024]).is_ok() {}
        // Blocks are counted when they are asked for on some file systems,
        // when they are written on others.
        let _ = file.sync_all();
        let rest = (1..).find(|&n| fs::File::create(path(n)).is_err());
        assert!(rest.is_some());
    }

    /// One block and one inode are free again.
    pub fn give_back_one(&self) {
        fs::remove_file(self.0.join("filler1")).unwrap();
        let filler = fs::File::options().write(true).open(self.0.join("filler0"));
        let filler = filler.unwrap();
        let blocks = filler.metadata().unwrap().len() / 4096;
        filler.set_len((blocks - 1) * 4096).unwrap();
    }

    pub fn empty(&self) {
        for entry in fs::read_dir(&self.0).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with("filler") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn refused(answer: &Answer) {
    let codes = ["NO [OVERQUOTA]", "NO [LIMIT]", "NO [UNAVAILABLE]"];
    let told = codes.iter().any(|c| answer.tagged.starts_with(c));
    assert!(told, "{}", answer.tagged);
}

fn change(client: &mut Client) -> Vec<Answer> {
    let commands = [
        "COPY 1:5 Other",
        "MOVE 6:8 Other",
        "STORE 1:3 +FLAGS (NewWord)",
        "CREATE Another",
    ];
    let mut answers: Vec<_> = commands.map(|c| client.command(c).unwrap()).into();
    answers.push(
        client
            .append("INBOX", "(\\Seen Word)", &mail::small(900))
            .unwrap(),
    );
    answers.push(client.append("Other", "", &mail::small(901)).unwrap());
    answers
}

#[test]
fn a_full_disk_loses_nothing() {
    if !in_namespace("a small file system") {
        return;
    }
    let place = Place::new();
    let mount = Mount::new(&place.site.homes.join(USER));
    maildir::give(&place.site.homes.join(USER));
    let mut roost = place.roost();
    let mut client = login(&roost);
    client.ok("CREATE Other").unwrap();
    for n in 1..=20 {
        assert!(
            client
                .append("INBOX", "(Word)", &mail::small(n))
                .unwrap()
                .ok()
        );
    }
    let before = [read(&mut client, "INBOX"), read(&mut client, "Other")];
    client.ok("SELECT INBOX").unwrap();
    mount.fill();
    change(&mut client).iter().for_each(refused);
    // A rename may find room: what is acknowledged must be so.
    let flagged = client.command("STORE 9 +FLAGS (\\Flagged)").unwrap().ok();
    let removed = client.command("STORE 10 -FLAGS (Word)").unwrap().ok();
    let mut other = login(&roost);
    assert!(other.ok("SELECT Other").unwrap().ok());
    drop((client, other));
    roost.crash_and_restart().unwrap();
    // Still full.
    let mut client = login(&roost);
    let mut after = [read(&mut client, "INBOX"), read(&mut client, "Other")];
    for (at, done, flag) in [(9, flagged, "\\flagged"), (10, removed, "word")] {
        let message = after[0].messages.get_mut(&at).unwrap();
        let has = message.flags.iter().any(|f| f == flag);
        assert_eq!(
            has == (flag == "\\flagged"),
            done,
            "UID {at}: {:?}",
            message.flags
        );
        message.flags = before[0].messages[&at].flags.clone();
    }
    assert_eq!(after, before);
    mount.empty();
    client.ok("SELECT INBOX").unwrap();
    for answer in change(&mut client) {
        assert!(answer.ok(), "{}", answer.tagged);
    }
    let expected: Vec<u32> = (1..=5).chain(9..=21).collect();
    let inbox = read(&mut client, "INBOX");
    assert_eq!(inbox.messages.keys().copied().collect::<Vec<_>>(), expected);
    assert_eq!(read(&mut client, "Other").messages.len(), 9);
    // One delivery in, one out: nothing is left behind in tmp.
    let left = fs::read_dir(place.maildir().join("tmp")).unwrap().count();
    assert_eq!(left, 0);
}
