//! Threads: starting them, naming them, and turning cancellation off.

pub(crate) use super::system::set_name;
use super::system::thread_number;
use nix::errno::Errno;
use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};

unsafe extern "C" {
    // POSIX; missing from the libc crate.
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

/// For `pthread_setcancelstate`.
const CANCEL_DISABLE: c_int = if cfg!(target_vendor = "apple") { 0 } else { 1 };

/// While this lives, the thread cannot be cancelled.
pub(crate) struct Uncancelled {
    /// The state to restore; `None` if there is no other thread that could cancel this one.
    before: Option<c_int>,
}

impl Uncancelled {
    #[inline]
    pub(crate) fn begin() -> Uncancelled {
        if single_threaded() {
            return Uncancelled { before: None };
        }
        let mut before = 0;
        // SAFETY: `before` lives through the call; the state is valid.
        let set = unsafe { pthread_setcancelstate(CANCEL_DISABLE, &mut before) };
        Uncancelled { before: (set == 0).then_some(before) }
    }
}

impl Drop for Uncancelled {
    #[inline]
    fn drop(&mut self) {
        if let Some(before) = self.before {
            let mut disabled = 0;
            // SAFETY: `disabled` lives through the call; the state is the one that was there.
            unsafe { pthread_setcancelstate(before, &mut disabled) };
        }
    }
}

/// A thread of the library.
pub(crate) struct Thread(libc::pthread_t);

// SAFETY: any thread may join another by its number, which some systems write as a pointer.
unsafe impl Send for Thread {}

impl Thread {
    /// Starts a thread that runs `body`. All signals are blocked in it, because they are meant for the program's threads.
    pub(crate) fn start(
        body: extern "C" fn(*mut c_void) -> *mut c_void,
        argument: *mut c_void,
    ) -> Result<Thread, Errno> {
        let mut thread = MaybeUninit::uninit();
        let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: the sets are filled by the calls before they are read. A new thread inherits the mask of this one.
        let r = unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            let r = libc::pthread_create(thread.as_mut_ptr(), ptr::null(), body, argument);
            libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
            r
        };
        match r {
            // SAFETY: filled, because the call succeeded.
            0 => Ok(Thread(unsafe { thread.assume_init() })),
            e => Err(Errno::from_raw(e)),
        }
    }

    /// Waits until it has ended.
    pub(crate) fn join(self) {
        // SAFETY: it was started by `start` and is joined once. Nobody else has its number.
        unsafe { libc::pthread_join(self.0, ptr::null_mut()) };
    }
}

/// Whether the C library says that there is only one thread.
#[inline]
pub(crate) fn single_threaded() -> bool {
    // SAFETY: a byte that lives as long as the process, and changes while only one thread runs, or atomically.
    let flag = unsafe { AtomicU8::from_ptr(single_threaded_byte().cast()) };
    flag.load(Ordering::Relaxed) != 0
}

thread_local! {
    /// The kernel's number of the thread; 0 if it was not asked for yet.
    static NUMBER: Cell<u32> = const { Cell::new(0) };
}

/// The number of the calling thread, as `top -H` shows it.
pub(crate) fn number() -> u32 {
    let ask = |known: &Cell<u32>| {
        if known.get() == 0 {
            known.set(thread_number());
        }
        known.get()
    };
    NUMBER.try_with(ask).unwrap_or(0)
}

/// For a new child process, whose thread has another number than the one that forked.
pub(crate) fn forget_number() {
    // Fails only in a thread that is ending, where it does not matter.
    let _ = NUMBER.try_with(|known| known.set(0));
}

/// A number that is unique among living threads. In a new child it is the same as that of the thread that forked.
#[cfg(all(target_arch = "x86_64", not(owfat_portable)))]
#[inline(always)]
pub(crate) fn this_thread() -> usize {
    let block: usize;
    // SAFETY: reads the address of the thread's control block, which the ABI keeps at its beginning.
    unsafe {
        std::arch::asm!("mov {}, fs:0", out(reg) block, options(nostack, pure, readonly, preserves_flags))
    };
    block
}

/// See above.
#[cfg(not(all(target_arch = "x86_64", not(owfat_portable))))]
pub(crate) fn this_thread() -> usize {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::pthread_self() as usize }
}

/// The byte that is not 0 while the C library knows of only one thread. It changes while only one runs, or atomically.
#[cfg(all(target_env = "gnu", not(owfat_portable)))]
#[inline(always)]
const fn single_threaded_byte() -> *mut c_char {
    unsafe extern "C" {
        // glibc 2.32; never written by us.
        static __libc_single_threaded: c_char;
    }
    (&raw const __libc_single_threaded).cast_mut()
}

/// Other C libraries do not tell, so it is always 0.
#[cfg(not(all(target_env = "gnu", not(owfat_portable))))]
const fn single_threaded_byte() -> *mut c_char {
    static MANY: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);
    MANY.as_ptr().cast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cancellation_state_is_restored() {
        let other = std::thread::spawn(|| {
            let state = || {
                let mut now = 0;
                // SAFETY: reads the state by setting it and putting it back.
                unsafe {
                    pthread_setcancelstate(CANCEL_DISABLE, &mut now);
                    pthread_setcancelstate(now, ptr::null_mut());
                }
                now
            };
            let before = state();
            let inside = {
                let _guard = Uncancelled::begin();
                state()
            };
            (before, inside, state())
        });
        assert_eq!(other.join().unwrap(), (0, CANCEL_DISABLE, 0));
    }
}
