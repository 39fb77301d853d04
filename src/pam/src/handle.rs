//! A libpam handle that is always ended, with the few calls Roost makes.

use std::ffi::{CStr, CString, c_int, c_uint, c_void};
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use pam::ffi;

use crate::code::Error;
use crate::converse::{Answers, converse, note_delay};

/// The items Roost sets.
#[derive(Clone, Copy)]
pub(crate) enum Item {
    RemoteHost,
    Tty,
    RemoteUser,
}

impl Item {
    fn number(self) -> c_int {
        match self {
            Self::RemoteHost => ffi::PAM_RHOST,
            Self::Tty => ffi::PAM_TTY,
            Self::RemoteUser => ffi::PAM_RUSER,
        }
    }
}

/// A started transaction. Borrows the answers, because libpam keeps a pointer
/// to them until `pam_end`.
pub(crate) struct Handle<'a> {
    raw: *mut ffi::pam_handle_t,
    last: c_int,
    _answers: PhantomData<&'a Answers>,
}

impl<'a> Handle<'a> {
    pub(crate) fn start(
        service: &str,
        user: &str,
        confdir: Option<&Path>,
        answers: &'a Answers,
    ) -> Result<Self, Error> {
        let service = CString::new(service).map_err(|_| Error::Service)?;
        let user = CString::new(user).map_err(|_| Error::UserUnknown)?;
        let confdir = confdir
            .map(|dir| CString::new(dir.as_os_str().as_bytes()))
            .transpose()
            .map_err(|_| Error::Service)?;
        let conv = ffi::pam_conv {
            conv: Some(converse),
            appdata_ptr: ptr::from_ref(answers).cast_mut().cast(),
        };
        let mut raw = ptr::null_mut();
        // SAFETY: all strings live through the call (libpam copies them, and
        // the pam_conv too); `answers` outlives the handle by its lifetime.
        let code = unsafe {
            match &confdir {
                Some(dir) => ffi::pam_start_confdir(
                    service.as_ptr(),
                    user.as_ptr(),
                    &conv,
                    dir.as_ptr(),
                    &mut raw,
                ),
                None => ffi::pam_start(service.as_ptr(), user.as_ptr(), &conv, &mut raw),
            }
        };
        if code != ffi::PAM_SUCCESS || raw.is_null() {
            return Err(Error::System {
                code,
                text: "pam_start failed".to_owned(),
            });
        }
        Ok(Self {
            raw,
            last: code,
            _answers: PhantomData,
        })
    }

    pub(crate) fn set(&mut self, item: Item, value: &str) -> Result<(), Error> {
        let value = CString::new(value).map_err(|_| Error::System {
            code: ffi::PAM_BAD_ITEM,
            text: "NUL in a PAM item".to_owned(),
        })?;
        // SAFETY: the handle is live; libpam copies the string.
        let code = unsafe { ffi::pam_set_item(self.raw, item.number(), value.as_ptr().cast()) };
        self.checked(code)
    }

    /// Failures are not delayed here; [`Answers::delay`] tells what modules
    /// want.
    pub(crate) fn note_fail_delay(&mut self) -> Result<(), Error> {
        let function = note_delay as unsafe extern "C" fn(c_int, c_uint, *mut c_void);
        // SAFETY: PAM_FAIL_DELAY takes a function pointer of this type
        // (pam_fail_delay(3)); a static function is valid for ever.
        let code =
            unsafe { ffi::pam_set_item(self.raw, ffi::PAM_FAIL_DELAY, function as *const c_void) };
        self.checked(code)
    }

    pub(crate) fn authenticate(&mut self) -> Result<(), Error> {
        // SAFETY: the handle is live.
        let code = unsafe { ffi::pam_authenticate(self.raw, ffi::PAM_DISALLOW_NULL_AUTHTOK) };
        self.checked(code)
    }

    pub(crate) fn account(&mut self) -> Result<(), Error> {
        // SAFETY: the handle is live.
        let code = unsafe { ffi::pam_acct_mgmt(self.raw, ffi::PAM_DISALLOW_NULL_AUTHTOK) };
        self.checked(code)
    }

    /// Credentials, and a session.
    pub(crate) fn open_session(&mut self) -> Result<(), Error> {
        self.credentials(ffi::PAM_ESTABLISH_CRED as c_int)?;
        // SAFETY: the handle is live.
        let code = unsafe { ffi::pam_open_session(self.raw, 0) };
        let opened = self.checked(code);
        if opened.is_err() {
            // The first failure is the one to tell of.
            let _ = self.credentials(ffi::PAM_DELETE_CRED as c_int);
        }
        opened
    }

    /// Both away again, the credentials even where the session stays.
    pub(crate) fn close_session(&mut self) -> Result<(), Error> {
        // SAFETY: the handle is live.
        let code = unsafe { ffi::pam_close_session(self.raw, 0) };
        let closed = self.checked(code);
        closed.and(self.credentials(ffi::PAM_DELETE_CRED as c_int))
    }

    fn credentials(&mut self, what: c_int) -> Result<(), Error> {
        // SAFETY: the handle is live.
        let code = unsafe { ffi::pam_setcred(self.raw, what) };
        self.checked(code)
    }

    /// `PAM_USER` as it is now.
    pub(crate) fn user(&mut self) -> Result<String, Error> {
        let mut item: *const c_void = ptr::null();
        // SAFETY: the handle is live and `item` a place for the pointer.
        let code = unsafe { ffi::pam_get_item(self.raw, ffi::PAM_USER, &mut item) };
        self.checked(code)?;
        if item.is_null() {
            return Err(Error::UserUnknown);
        }
        // SAFETY: PAM_USER is a C string that the handle owns.
        let name = unsafe { CStr::from_ptr(item.cast()) };
        name.to_str()
            .map(str::to_owned)
            .map_err(|_| Error::UserUnknown)
    }

    fn checked(&mut self, code: c_int) -> Result<(), Error> {
        self.last = code;
        if code == ffi::PAM_SUCCESS {
            return Ok(());
        }
        Err(Error::from_code(code, || self.describe(code)))
    }

    fn describe(&self, code: c_int) -> String {
        // SAFETY: the handle is live; the result is a static C string or null.
        let text = unsafe { ffi::pam_strerror(self.raw, code) };
        if text.is_null() {
            return String::new();
        }
        // SAFETY: not null, so a C string.
        unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .into_owned()
    }
}

impl Drop for Handle<'_> {
    fn drop(&mut self) {
        // SAFETY: started by `start`, ended only here.
        unsafe { ffi::pam_end(self.raw, self.last) };
    }
}
