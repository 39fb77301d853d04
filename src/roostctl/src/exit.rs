//! Exit codes of sysexits.h.

pub const OK: u8 = 0;
/// The command line was used wrongly.
pub const USAGE: u8 = 64;
/// What was looked at is not in order.
pub const DATAERR: u8 = 65;
/// There is no such Maildir or mailbox.
pub const NOINPUT: u8 = 66;
/// There is no such account.
pub const NOUSER: u8 = 67;
/// The server ended or does not understand us.
pub const UNAVAILABLE: u8 = 69;
/// An error of the operating system.
pub const OSERR: u8 = 71;
/// There is no room for it, or there is one of that name.
pub const CANTCREAT: u8 = 73;
/// Reading or writing failed.
pub const IOERR: u8 = 74;
/// Another process is at work there: try again later.
pub const TEMPFAIL: u8 = 75;
/// Not allowed for this user.
pub const NOPERM: u8 = 77;
/// The configuration is wrong.
pub const CONFIG: u8 = 78;

/// From what passes by itself to what keeps everything from being done. What is
/// not among them, such as a process that was killed, is the worst.
const BY_GRAVITY: [u8; 12] = [
    OK,
    TEMPFAIL,
    DATAERR,
    NOINPUT,
    NOUSER,
    CANTCREAT,
    NOPERM,
    UNAVAILABLE,
    IOERR,
    OSERR,
    CONFIG,
    USAGE,
];

/// That of several which tells most.
pub fn worse(a: u8, b: u8) -> u8 {
    let gravity = |code: u8| {
        let at = BY_GRAVITY.iter().position(|known| *known == code);
        at.unwrap_or(BY_GRAVITY.len())
    };
    if gravity(b) > gravity(a) { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_is_told() {
        let worst = |codes: &[u8]| codes.iter().copied().fold(OK, worse);
        assert_eq!(worst(&[]), OK);
        assert_eq!(worst(&[NOPERM, OK, TEMPFAIL]), NOPERM);
        assert_eq!(worst(&[IOERR, NOINPUT]), IOERR);
        assert_eq!(worst(&[DATAERR, 137, USAGE]), 137);
    }
}
