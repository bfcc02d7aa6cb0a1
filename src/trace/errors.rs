//! The names of error numbers. nix has them too, but only through the formatting of the standard library, which can panic.

use crate::sys::A_BUG;
use nix::errno::Errno;

macro_rules! named {
    ($e:expr, $($name:ident)*) => {
        match $e {
            $(Errno::$name => stringify!($name),)*
            e if e == A_BUG.0 => A_BUG.1,
            _ => "E?",
        }
    };
}

/// The name of `e`; `E?` for one that no function of this library, and hardly any filter, returns.
pub(super) fn name(e: Errno) -> &'static str {
    named! { e,
        EPERM ENOENT EINTR EIO ENXIO E2BIG EBADF EAGAIN ENOMEM EACCES EFAULT EBUSY EEXIST EXDEV ENODEV
        ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM
        ERANGE EDEADLK ENAMETOOLONG ENOSYS ELOOP EPROTO EOVERFLOW EILSEQ EUSERS ENOTSOCK EDESTADDRREQ
        EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT EOPNOTSUPP EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL
        ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN
        ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EDQUOT
        ECANCELED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_manual() {
        assert_eq!((name(Errno::EAGAIN), name(Errno::ECONNRESET)), ("EAGAIN", "ECONNRESET"));
        assert_eq!(name(Errno::UnknownErrno), "E?");
    }
}
