//! The C functions, called with anything that their contract allows: any descriptor number, length, flag and NULL, but
//! only memory that is there.
//!
//! What is looked for: crashes, panics, what a sanitizer sees, calls that never end, codes and errno outside the
//! documented ones, events of descriptors that were closed, bytes that a batch counts wrongly, descriptors that stay
//! open. An input is a program; whatever it does, it leaves the process as it was.
//!
//! Left out: `io_starteventloopthread` with threads, and fork, because an input must do the same each time; and calls
//! that would rightly block.

mod arrays;
mod batches;
mod input;
mod io;
mod kernel;
mod labels;
mod mux;
mod world;

use input::Input;
use std::ffi::CStr;
use std::sync::Once;
use world::World;

/// Longer programs find nothing that a shorter one does not.
const CALLS_MAX: usize = 150;

/// Runs one program.
pub(crate) fn run(bytes: &[u8]) {
    static BEFORE: Once = Once::new();
    BEFORE.call_once(|| {
        limit_files();
        // What the library opens for good.
        mux::warm_up();
        owfat_io::capi::io_sendfile::io_sigpipe();
    });
    let open_before = world::open_numbers();
    let mut input = Input::new(bytes);
    let backend = [c"epoll", c"poll", c"nonsense"][usize::from(input.byte() % 3)];
    setenv(c"OWFAT_IO_BACKEND", backend);
    let mut world = World::new();
    for _ in 0..CALLS_MAX {
        if input.is_over() {
            break;
        }
        match input.byte() % 16 {
            0..3 => world.happen(&mut input),
            3..9 => io::call(&mut world, &mut input),
            9..13 => batches::call(&mut world, &mut input),
            13 => mux::call(&mut world, &mut input),
            14 => arrays::call(&mut world.arrays, &mut input),
            _ => labels::call(&mut input),
        }
    }
    drop(world);
    assert_eq!(world::open_numbers(), open_before, "descriptors that were open before and are now");
}

/// A file that is sent to itself grows in one call for as long as it is let.
fn limit_files() {
    const LARGEST: libc::rlim_t = 16 << 20;
    // SAFETY: the structure lives through the call; the signal that a larger file raises is ignored.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(
            libc::setrlimit(libc::RLIMIT_FSIZE, &libc::rlimit { rlim_cur: LARGEST, rlim_max: LARGEST }),
            0
        );
    }
}

fn setenv(name: &CStr, value: &CStr) {
    // SAFETY: strings, and there is no other thread.
    unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) };
}
