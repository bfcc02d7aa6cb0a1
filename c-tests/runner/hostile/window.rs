//! Zero windows: clients that ask for more than the sockets hold, and do not read.

use super::held::Held;
use super::{Launched, request};
use crate::servers::raw::open_narrow;
use crate::servers::victim::{Kind, Victim};
use std::io::Write;

const CONNECTIONS: usize = 100;

pub(super) fn launch(victim: &Victim) -> Launched {
    let request = request(victim.kind);
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = open_narrow(victim.address())?;
        stream.write_all(&request)?;
        if matches!(victim.kind, Kind::Echo | Kind::Loops) {
            stream.set_nonblocking(true)?;
            while stream.write(&[b'x'; 65_536]).is_ok() {}
        }
        streams.push(stream);
    }
    Ok(Held::idle(streams))
}
