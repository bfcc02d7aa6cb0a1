//! The connections of an attack that stay open when it has reached its full size.

use crate::servers::raw::reset;
use std::io::Write;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

const BETWEEN_BYTES: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Held {
    pub(super) streams: Vec<TcpStream>,
    /// Sent on every connection, again and again, a second after the last.
    pub(super) drip: Option<u8>,
    pub(super) last_drip: Option<Instant>,
}

impl Held {
    pub(super) fn idle(streams: Vec<TcpStream>) -> Held {
        Held { streams, ..Held::default() }
    }

    /// Does for `span` what little there is to do.
    pub(super) fn stay(&mut self, span: Duration) {
        let Some(byte) = self.drip else { return sleep(span) };
        let end = Instant::now() + span;
        loop {
            let next = self.last_drip.map_or_else(Instant::now, |last| last + BETWEEN_BYTES);
            if next > end {
                return sleep(end.saturating_duration_since(Instant::now()));
            }
            sleep(next.saturating_duration_since(Instant::now()));
            for stream in &mut self.streams {
                // Whether the server has hung up is told by its descriptors.
                let _ = stream.write(&[byte]);
            }
            self.last_drip = Some(next);
        }
    }

    /// Ends every second connection with a reset and the others in order.
    pub(super) fn leave(self) -> nix::Result<()> {
        for (n, stream) in self.streams.into_iter().enumerate() {
            if n % 2 == 0 {
                reset(stream)?;
            }
        }
        Ok(())
    }
}
