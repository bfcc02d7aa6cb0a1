//! Sockets that are used as no decent client does.

use super::process::PATIENCE;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrIn, connect, send, setsockopt, socket, sockopt,
};
use std::error::Error;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};

pub(super) fn open(address: SocketAddr) -> Result<TcpStream, Box<dyn Error>> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    patient(&stream)?;
    Ok(stream)
}

/// A connection that takes but a few kilobytes before its owner reads.
pub(super) fn open_narrow(address: SocketAddr) -> Result<TcpStream, Box<dyn Error>> {
    let SocketAddr::V4(address) = address else { return Err("not an IPv4 address".into()) };
    let narrow = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // Before the connection: the window is agreed on with the first packets.
    setsockopt(&narrow, sockopt::RcvBuf, &4096)?;
    connect(narrow.as_raw_fd(), &SockaddrIn::from(address))?;
    let stream = TcpStream::from(narrow);
    patient(&stream)?;
    Ok(stream)
}

fn patient(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)
}

/// Closes the connection with a reset.
pub(super) fn reset(stream: TcpStream) -> nix::Result<()> {
    setsockopt(&stream, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })
}

/// Sends a byte that stands beside the stream.
pub(super) fn send_urgent(stream: &TcpStream) -> nix::Result<()> {
    send(stream.as_raw_fd(), b"!", MsgFlags::MSG_OOB | MsgFlags::MSG_NOSIGNAL).map(drop)
}

/// What comes until the server closes the connection. A reset is an end, too: it follows when bytes were left unread.
pub(super) fn rest_of(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Err(e) if e.kind() == ErrorKind::ConnectionReset => Ok(rest),
        read => read.map(|_| rest),
    }
}

/// A connection that is begun but not waited for.
pub(super) fn begin(address: SocketAddr) -> Result<OwnedFd, Box<dyn Error>> {
    let SocketAddr::V4(address) = address else { return Err("not an IPv4 address".into()) };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
    match connect(socket.as_raw_fd(), &SockaddrIn::from(address)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(socket),
        Err(e) => Err(format!("connect: {e}").into()),
    }
}

/// Closes the connection without a word to the other side; that needs a privilege, and without it is a reset.
pub(super) fn vanish(stream: TcpStream) -> nix::Result<()> {
    match setsockopt(&stream, sockopt::TcpRepair, &1) {
        Err(Errno::EPERM) => reset(stream),
        done => done,
    }
}
