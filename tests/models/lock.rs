//! `ForkLock`. It fails if the lock is released or taken with `Relaxed`, if the unlocking thread wakes nobody, or if a
//! thread that has slept takes the lock as if no other could be asleep.

use crate::sys::lock::ForkLock;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

type Lock = ForkLock<UnsafeCell<u32>>;

fn add(value: &UnsafeCell<u32>) {
    // SAFETY: loom checks that nobody else is at it.
    value.with_mut(|v| unsafe { *v += 1 });
}

fn get(value: &UnsafeCell<u32>) -> u32 {
    // SAFETY: as above.
    value.with(|v| unsafe { *v })
}

#[test]
fn threads_take_turns() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let lock = Arc::new(Lock::new(UnsafeCell::new(0)));
        drop(lock.lock());
        let others: Vec<_> = (0..2)
            .map(|_| {
                let lock = lock.clone();
                thread::spawn(move || add(&lock.lock()))
            })
            .collect();
        add(&lock.lock());
        others.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(get(&lock.lock()), 3);
    });
}

/// The child has a copy of the lock as it was at the fork, and none of the other threads.
#[test]
fn a_child_frees_what_another_thread_held_and_finds_what_that_had_written() {
    loom::model(|| {
        let lock = Arc::new(Lock::new(UnsafeCell::new(0)));
        drop(lock.lock());
        lock.in_child(|v, torn| assert!(get(v) == 0 && !torn));
        let other = {
            let lock = lock.clone();
            thread::spawn(move || {
                let guard = lock.lock();
                add(&guard);
                std::mem::forget(guard);
            })
        };
        other.join().unwrap();
        assert!(lock.try_lock().is_none());
        let mut was_torn = false;
        lock.in_child(|v, torn| {
            add(v);
            was_torn = torn;
        });
        assert!(was_torn);
        assert_eq!(get(&lock.lock()), 2);
    });
}

#[test]
fn a_child_of_the_thread_that_has_the_lock_goes_on_with_it() {
    loom::model(|| {
        let lock = Lock::new(UnsafeCell::new(0));
        let guard = lock.lock();
        lock.in_child(|_, _| panic!("adopted what this thread is changing"));
        assert!(lock.try_lock().is_none());
        add(&guard);
        drop(guard);
        assert_eq!(get(&lock.lock()), 1);
    });
}
