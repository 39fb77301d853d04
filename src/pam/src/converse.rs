//! The conversation function that libpam calls back, and what it answers.
//!
//! Prompts without echo get the password, prompts with echo the user name;
//! texts are kept for the log and never end the conversation (modules say
//! things such as "password expires in 3 days"). Every response handed to
//! libpam is malloc-ed as its contract demands; those not handed over are
//! wiped before they are freed.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_int, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::time::Duration;

use pam::ffi;
use zeroize::Zeroizing;

/// Texts kept of one conversation.
const MAX_MESSAGES: usize = 16;
/// Octets kept of one text.
const MAX_MESSAGE_LEN: usize = 512;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageKind {
    /// `PAM_ERROR_MSG`
    Error,
    /// `PAM_TEXT_INFO`
    Info,
}

/// A text that a module wanted the user to see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    pub kind: MessageKind,
    pub text: String,
}

/// What the callback finds behind `appdata_ptr`.
pub(crate) struct Answers {
    /// Both with a NUL at the end and none before it.
    user: Zeroizing<Vec<u8>>,
    password: Zeroizing<Vec<u8>>,
    messages: RefCell<Vec<Message>>,
    /// The wait after a failure that modules have asked for, in microseconds.
    delay: Cell<c_uint>,
}

impl Answers {
    pub(crate) fn new(user: &str, password: &[u8]) -> Self {
        Self {
            user: with_nul(user.as_bytes()),
            password: with_nul(password),
            messages: RefCell::new(Vec::new()),
            delay: Cell::new(0),
        }
    }

    pub(crate) fn delay(&self) -> Duration {
        Duration::from_micros(self.delay.get().into())
    }

    /// What modules have said since the last time.
    pub(crate) fn take_messages(&self) -> Vec<Message> {
        self.messages.take()
    }

    fn keep(&self, kind: MessageKind, text: &CStr) {
        let mut messages = self.messages.borrow_mut();
        if messages.len() < MAX_MESSAGES {
            let bytes = text.to_bytes();
            let bytes = bytes.get(..MAX_MESSAGE_LEN).unwrap_or(bytes);
            let text = String::from_utf8_lossy(bytes).into_owned();
            messages.push(Message { kind, text });
        }
    }

    /// The answer to one message; `None` where none is expected.
    fn answer(&self, style: c_int, text: &CStr) -> Result<Option<&[u8]>, Unsupported> {
        match style {
            ffi::PAM_PROMPT_ECHO_OFF => Ok(Some(&self.password)),
            ffi::PAM_PROMPT_ECHO_ON => Ok(Some(&self.user)),
            ffi::PAM_ERROR_MSG => {
                self.keep(MessageKind::Error, text);
                Ok(None)
            }
            ffi::PAM_TEXT_INFO => {
                self.keep(MessageKind::Info, text);
                Ok(None)
            }
            _ => Err(Unsupported),
        }
    }
}

/// A kind of message this program has no answer for.
struct Unsupported;

fn with_nul(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut v = Zeroizing::new(Vec::with_capacity(bytes.len() + 1));
    v.extend(bytes.iter().copied().take_while(|&b| b != 0));
    v.push(0);
    v
}

/// The responses of one call until libpam owns them.
struct Responses {
    first: *mut ffi::pam_response,
    len: usize,
}

impl Responses {
    fn new(len: usize) -> Option<Self> {
        // SAFETY: calloc has no preconditions; an all-zero pam_response is a
        // valid value (null pointer, code 0).
        let first = unsafe { libc::calloc(len, size_of::<ffi::pam_response>()) };
        let first = first.cast::<ffi::pam_response>();
        (!first.is_null()).then_some(Self { first, len })
    }

    /// Copies `bytes` (NUL included) into place `at`.
    fn fill(&mut self, at: usize, bytes: &[u8]) -> bool {
        if at >= self.len {
            return false;
        }
        // SAFETY: malloc has no preconditions.
        let copy = unsafe { libc::malloc(bytes.len()) }.cast::<u8>();
        if copy.is_null() {
            return false;
        }
        // SAFETY: `copy` has room for `bytes.len()` octets and is fresh, so
        // the two do not overlap; `at` is inside the calloc-ed array.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
            (*self.first.add(at)).resp = copy.cast();
        }
        true
    }

    fn hand_over(self) -> *mut ffi::pam_response {
        let first = self.first;
        std::mem::forget(self);
        first
    }
}

impl Drop for Responses {
    fn drop(&mut self) {
        for at in 0..self.len {
            // SAFETY: `at` is inside the array; each non-null `resp` was
            // malloc-ed by `fill` and ends in NUL.
            unsafe {
                let resp = (*self.first.add(at)).resp;
                if !resp.is_null() {
                    let len = libc::strlen(resp);
                    libc::explicit_bzero(resp.cast(), len);
                    libc::free(resp.cast());
                }
            }
        }
        // SAFETY: calloc-ed by `new`, freed once.
        unsafe { libc::free(self.first.cast()) };
    }
}

/// Keeps what libpam would wait after a failure: the caller waits itself,
/// without a process that does nothing else.
pub(crate) unsafe extern "C" fn note_delay(status: c_int, usec: c_uint, appdata: *mut c_void) {
    // SAFETY: libpam hands on the `appdata_ptr` of the conversation
    // (pam_fail_delay(3)), which is the `Answers` that outlives the handle.
    let answers = unsafe { appdata.cast::<Answers>().as_ref() };
    // It is told of successes too.
    if let Some(answers) = answers.filter(|_| status != ffi::PAM_SUCCESS) {
        answers.delay.set(answers.delay.get().max(usec));
    }
}

/// The function given to libpam.
pub(crate) unsafe extern "C" fn converse(
    count: c_int,
    messages: *mut *const ffi::pam_message,
    responses: *mut *mut ffi::pam_response,
    appdata: *mut c_void,
) -> c_int {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: libpam calls with the arguments that pam_conv(3) promises,
        // and `appdata` is the `Answers` that outlives the handle.
        unsafe { respond(count, messages, appdata) }
    }));
    match outcome {
        Ok(Ok(filled)) if !responses.is_null() => {
            // SAFETY: `responses` is the place libpam wants the array in.
            unsafe { *responses = filled.hand_over() };
            ffi::PAM_SUCCESS
        }
        Ok(Ok(_)) | Err(_) => ffi::PAM_CONV_ERR,
        Ok(Err(code)) => code,
    }
}

/// # Safety
/// `messages` must point to `count` pointers to messages (Linux-PAM's layout)
/// and `appdata` to a live [`Answers`].
unsafe fn respond(
    count: c_int,
    messages: *mut *const ffi::pam_message,
    appdata: *mut c_void,
) -> Result<Responses, c_int> {
    let len = usize::try_from(count).unwrap_or(0);
    let too_many = count > ffi::PAM_MAX_NUM_MSG;
    if len == 0 || too_many || messages.is_null() || appdata.is_null() {
        return Err(ffi::PAM_CONV_ERR);
    }
    // SAFETY: the caller's promise.
    let answers = unsafe { &*appdata.cast::<Answers>() };
    let mut filled = Responses::new(len).ok_or(ffi::PAM_BUF_ERR)?;
    for at in 0..len {
        // SAFETY: `at` is below the number of messages libpam announced.
        let message = unsafe { (*messages.add(at)).as_ref() }.ok_or(ffi::PAM_CONV_ERR)?;
        let text = if message.msg.is_null() {
            c""
        } else {
            // SAFETY: a message text is a C string that lives for this call.
            unsafe { CStr::from_ptr(message.msg) }
        };
        let answer = answers.answer(message.msg_style, text);
        match answer.map_err(|Unsupported| ffi::PAM_CONV_ERR)? {
            Some(bytes) if !filled.fill(at, bytes) => return Err(ffi::PAM_BUF_ERR),
            _ => {}
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(answers: &Answers, messages: &[(c_int, &CStr)]) -> (c_int, Vec<Option<Vec<u8>>>) {
        let structs: Vec<_> = messages
            .iter()
            .map(|(style, text)| ffi::pam_message {
                msg_style: *style,
                msg: text.as_ptr(),
            })
            .collect();
        let mut pointers: Vec<*const ffi::pam_message> =
            structs.iter().map(|m| m as *const _).collect();
        let mut out: *mut ffi::pam_response = ptr::null_mut();
        // SAFETY: the arrays live for the call and have `len` entries.
        let code = unsafe {
            converse(
                pointers.len() as c_int,
                pointers.as_mut_ptr(),
                &mut out,
                (answers as *const Answers).cast_mut().cast(),
            )
        };
        if out.is_null() {
            return (code, Vec::new());
        }
        let owned = Responses {
            first: out,
            len: messages.len(),
        };
        let got = (0..messages.len())
            .map(|at| {
                // SAFETY: inside the array that the callback returned.
                let resp = unsafe { (*owned.first.add(at)).resp };
                // SAFETY: a response is null or a C string.
                (!resp.is_null()).then(|| unsafe { CStr::from_ptr(resp) }.to_bytes().to_vec())
            })
            .collect();
        (code, got)
    }

    #[test]
    fn prompts_are_answered_and_texts_collected() {
        let answers = Answers::new("alice", b"secret");
        let (code, got) = call(
            &answers,
            &[
                (ffi::PAM_PROMPT_ECHO_ON, c"login:"),
                (ffi::PAM_TEXT_INFO, c"hello"),
                (ffi::PAM_PROMPT_ECHO_OFF, c"Password:"),
                (ffi::PAM_ERROR_MSG, c"locked soon"),
            ],
        );
        assert_eq!(code, ffi::PAM_SUCCESS);
        assert_eq!(
            got,
            [
                Some(b"alice".to_vec()),
                None,
                Some(b"secret".to_vec()),
                None
            ]
        );
        let kinds: Vec<_> = answers
            .take_messages()
            .into_iter()
            .map(|m| m.kind)
            .collect();
        assert_eq!(kinds, [MessageKind::Info, MessageKind::Error]);
    }

    #[test]
    fn unknown_styles_and_silly_counts_end_the_conversation() {
        let answers = Answers::new("alice", b"secret");
        let (code, got) = call(
            &answers,
            &[
                (ffi::PAM_PROMPT_ECHO_OFF, c"Password:"),
                (ffi::PAM_BINARY_PROMPT, c""),
            ],
        );
        assert_eq!((code, got.len()), (ffi::PAM_CONV_ERR, 0));
        let many = [(ffi::PAM_TEXT_INFO, c"x"); 33];
        assert_eq!(call(&answers, &many).0, ffi::PAM_CONV_ERR);
        assert_eq!(call(&answers, &[]).0, ffi::PAM_CONV_ERR);
    }

    #[test]
    fn texts_are_bounded() {
        let answers = Answers::new("alice", b"secret");
        let long = std::ffi::CString::new(vec![b'x'; 5000]).unwrap();
        for _ in 0..40 {
            call(&answers, &[(ffi::PAM_TEXT_INFO, &long)]);
        }
        let messages = answers.take_messages();
        assert_eq!(messages.len(), MAX_MESSAGES);
        assert!(messages.iter().all(|m| m.text.len() == MAX_MESSAGE_LEN));
    }
}
