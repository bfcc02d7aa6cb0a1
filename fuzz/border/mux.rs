//! `iom_*`.

use crate::border::input::Input;
use crate::border::io::{errno, set_errno};
use crate::border::world::World;
use owfat_io::capi::iom::{iom_abort, iom_add, iom_init, iom_requeue, iom_wait};
use owfat_io::ctypes::IoMux;
use std::ffi::c_ulong;
use std::{mem, ptr};

/// The first one opens a pipe that all of them use.
pub(crate) fn warm_up() {
    let mut muxes = Muxes::new();
    muxes.init();
    muxes.end();
}

pub(crate) struct Muxes {
    one: Box<IoMux>,
    live: bool,
}

impl Muxes {
    pub(crate) fn new() -> Muxes {
        // SAFETY: numbers, for which 0 is a value.
        Muxes { one: Box::new(unsafe { mem::zeroed() }), live: false }
    }

    fn init(&mut self) {
        self.end();
        // SAFETY: a multiplexer that nobody else uses.
        self.live = unsafe { iom_init(&mut *self.one) } == 1;
    }

    pub(crate) fn end(&mut self) {
        if mem::take(&mut self.live) {
            // SAFETY: nobody uses the multiplexer any more.
            unsafe { libc::close(self.one.ctx) };
            self.one.working = 0;
        }
    }
}

pub(crate) fn call(world: &mut World, input: &mut Input) {
    set_errno(0);
    let fd = world.number(input);
    let c = if input.byte() == 255 { ptr::null_mut() } else { &raw mut *world.muxes.one };
    let live = world.muxes.live && !c.is_null();
    let fails = |r, allowed: &[i32]| {
        assert!((r == -1 && errno() != 0) || (live && allowed.contains(&r)), "{r}");
    };
    match input.byte() % 8 {
        0 => world.muxes.init(),
        // SAFETY: a multiplexer, memory that may be one, or NULL.
        1..3 => fails(unsafe { iom_add(c, fd, input.word()) }, &[0]),
        // SAFETY: as above.
        3 => fails(unsafe { iom_requeue(c, fd, input.word()) }, &[0]),
        4..7 => {
            let (mut s, mut happened) = (-7, 99);
            let out = if input.byte() == 255 { ptr::null_mut() } else { &raw mut s };
            let timeout = c_ulong::from(input.byte() % 2);
            // SAFETY: as above, with room for the answer.
            let r = unsafe { iom_wait(c, out, &mut happened, timeout) };
            fails(r, &[0, 1, -2]);
            assert!(r != 1 || (s >= 0 && happened <= 7));
            assert!(r == 1 || (s, happened) == (-7, 99), "touched without an event");
        }
        // SAFETY: as above.
        _ => fails(unsafe { iom_abort(c) }, &[0]),
    }
}
