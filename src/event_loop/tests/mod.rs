//! Tests of the loop's rules on a scripted backend, one at a time, and random programs against a naive model.

mod deadlines;
mod interest;
mod machine;
mod reports;
mod room;
mod stale;

use super::Limit;
use super::model::{File, Rig, scripted::access};
use crate::backend::scripted::Scripted;
use crate::fd::Fd;
use crate::interest::Interest;
use crate::slot::Slot;
use crate::sys::mode::Identity;
use crate::table;
use crate::time::Span;
use nix::errno::Errno;
use std::sync::Arc;

use crate::interest::Direction::{Read, Write};

fn fd(n: u32) -> Fd {
    Fd::from_index(n)
}

/// The file under a number; `version` tells it from others under the same one.
fn file(n: u32, version: u64) -> File {
    File { access: access(), identity: Identity { device: 1 + version, inode: n.into() } }
}

fn slot(n: u32) -> &'static Slot {
    table::slot(n).unwrap()
}

fn register(rig: &Rig, n: u32) {
    rig.register(fd(n), file(n, 0), false);
}

/// A rig with descriptors 0 to `n` - 1 registered and wanted for reading.
fn rig(n: u32) -> (Rig, Arc<Scripted>) {
    let kernel = Scripted::new();
    let rig = Rig::new(kernel.clone());
    for i in 0..n {
        register(&rig, i);
        rig.want(fd(i), Read);
    }
    (rig, kernel)
}

/// [`rig`] whose descriptors the backend watches.
fn watching_rig(n: u32) -> (Rig, Arc<Scripted>) {
    let (rig, kernel) = rig(n);
    assert!(sleeps(&rig));
    assert_eq!(kernel.script().watched.len(), n as usize);
    (rig, kernel)
}

fn set_ready(kernel: &Scripted, n: u32, interest: Interest) {
    kernel.script().ready.insert(fd(n), interest);
}

fn watched(kernel: &Scripted, n: u32) -> Interest {
    kernel.script().watched.get(&fd(n)).map(|(_, watch)| watch.interest).unwrap_or_default()
}

/// Calls of `set` and of `wait` so far.
fn calls(kernel: &Scripted) -> (usize, usize) {
    let s = kernel.script();
    (s.sets, s.waits)
}

/// Waits without limit and says whether it slept.
fn sleeps(rig: &Rig) -> bool {
    match rig.wait(Limit::Never) {
        Ok(_) => false,
        Err(e) => {
            assert_eq!(e, Errno::EINTR);
            true
        }
    }
}

/// A wait that does not sleep, and what it brings for reading.
fn readers(rig: &Rig) -> Vec<u32> {
    rig.wait(Limit::Now).unwrap();
    rig.drain(Read)
}
