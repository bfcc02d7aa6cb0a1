//! `io_passfd` and `io_receivefd`: sends and receives descriptors over Unix sockets.

use crate::fd::Fd;
use crate::sys::rights::{self, Received};
use nix::errno::Errno;
use std::os::fd::OwnedFd;

/// The byte that carries a descriptor. It must be exactly one, because libowfat sends and expects one, and programs mix
/// these messages with other bytes on one socket. The receiver ignores its value.
const CARRIER: u8 = b'x';

/// Tries once to send a duplicate of `fd`.
pub(crate) fn pass(sock: Fd, fd: Fd) -> Result<(), Errno> {
    rights::send(sock, CARRIER, fd)
}

/// Tries once to receive a descriptor.
pub(crate) fn receive(sock: Fd) -> Result<OwnedFd, Errno> {
    match rights::receive(sock)? {
        Received::Descriptor(fd) => Ok(fd),
        Received::Nothing => Err(Errno::EPROTO),
        Received::Refused => Err(Errno::EMFILE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;

    fn pair(kind: SockType) -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).unwrap()
    }

    fn number(fd: &OwnedFd) -> Fd {
        Fd::new(fd.as_raw_fd().into()).unwrap()
    }

    #[test]
    fn the_duplicate_is_of_the_same_file() {
        for kind in [SockType::Stream, SockType::Datagram, SockType::SeqPacket] {
            let (here, there) = pair(kind);
            let (reader, writer) = nix::unistd::pipe().unwrap();
            pass(number(&here), number(&writer)).unwrap();
            drop(writer);
            let received = receive(number(&there)).unwrap();
            File::from(received).write_all(b"through").unwrap();
            let mut got = String::new();
            File::from(reader).read_to_string(&mut got).unwrap();
            assert_eq!(got, "through", "{kind:?}");
        }
    }

    #[test]
    fn one_byte_is_sent_and_one_is_taken() {
        let (here, there) = pair(SockType::Stream);
        pass(number(&here), number(&here)).unwrap();
        send(here.as_raw_fd(), b"ab", MsgFlags::MSG_NOSIGNAL).unwrap();
        assert!(receive(number(&there)).is_ok());
        assert_eq!(receive(number(&there)).map(drop), Err(Errno::EPROTO));
        let mut rest = [0; 8];
        assert_eq!(recv(there.as_raw_fd(), &mut rest, MsgFlags::MSG_DONTWAIT), Ok(1));
        assert_eq!(rest[0], b'b');
    }
}
