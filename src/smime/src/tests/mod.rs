mod certificates;
mod openssl;
mod sealing;

use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A key pair with a certificate, made by openssl, which also decrypts.
struct Holder {
    dir: TempDir,
}

const RSA: &[&str] = &["-newkey", "rsa:2048"];
const P256: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

impl Holder {
    /// `key`: arguments of `openssl req` that choose the key.
    fn new(key: &[&str]) -> Self {
        Self::with(key, &["-days", "30"])
    }

    fn with(key: &[&str], more: &[&str]) -> Self {
        let holder = Self {
            dir: TempDir::new().unwrap(),
        };
        let fixed = "req -x509 -nodes -keyout key.pem -out cert.pem -subj /O=Roost/CN=Ann";
        let fixed = fixed.split(' ');
        holder.openssl(fixed.chain(key.iter().copied()).chain(more.iter().copied()));
        holder
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn openssl<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(self.path())
            .output()
            .expect("openssl is there");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl: {errors}");
        output.stdout
    }

    fn pem(&self) -> Vec<u8> {
        std::fs::read(self.path().join("cert.pem")).unwrap()
    }

    fn der(&self) -> Vec<u8> {
        self.openssl("x509 -in cert.pem -outform DER".split(' '))
    }

    /// What the holder of the key reads.
    fn decrypt(&self, message: &[u8]) -> Vec<u8> {
        std::fs::write(self.path().join("message"), message).unwrap();
        self.openssl("cms -decrypt -in message -inkey key.pem".split(' '))
    }
}
