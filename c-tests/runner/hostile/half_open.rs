//! Peers of which only one side is left: they have ended their sending, or are gone without a word.

use super::held::Held;
use super::{Launched, beginning, request};
use crate::servers::raw::{open, open_narrow, vanish};
use crate::servers::victim::Victim;
use std::io::Write;
use std::net::Shutdown;

const CONNECTIONS: usize = 300;

/// A quarter says nothing, one stops in its request, one does so after it and takes no answer, and one vanishes then.
/// The server finds out about the last ones when it sends.
pub(super) fn launch(victim: &Victim) -> Launched {
    let request = request(victim.kind);
    let mut streams = Vec::new();
    for n in 0..CONNECTIONS {
        match n % 4 {
            0 => streams.push(open(victim.address())?),
            1 => {
                let mut stream = open(victim.address())?;
                stream.write_all(beginning(victim.kind))?;
                stream.shutdown(Shutdown::Write)?;
                streams.push(stream);
            }
            stage => {
                let mut stream = open_narrow(victim.address())?;
                stream.write_all(&request)?;
                if stage == 2 {
                    stream.shutdown(Shutdown::Write)?;
                    streams.push(stream);
                } else {
                    vanish(stream)?;
                }
            }
        }
    }
    Ok(Held::idle(streams))
}
