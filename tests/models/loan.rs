//! `Loan`. It fails if the value is lent, returned or dropped with `Relaxed`, or if owner and borrower both free it.

use crate::sys::loan::Loan;
use crate::sys::lock::ForkLock;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

type Lock = ForkLock<Option<Loan<Value>>>;

/// A value that counts its drops, outside of loom.
struct Value {
    number: UnsafeCell<u32>,
    ended: std::sync::Arc<AtomicUsize>,
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: nobody has it any more; loom checks that.
        self.number.with_mut(|v| unsafe { *v += 1 });
        self.ended.fetch_add(1, Relaxed);
    }
}

fn lendable() -> (Loan<Value>, std::sync::Arc<AtomicUsize>) {
    let ended = std::sync::Arc::default();
    let loan = Loan::new(Value { number: UnsafeCell::new(0), ended: std::sync::Arc::clone(&ended) }).unwrap();
    // loom's objects are made at their first use.
    assert!(!loan.is_lent_elsewhere());
    (loan, ended)
}

/// Acts like a thread that is cancelled in its wait call.
#[test]
fn what_is_given_back_without_the_lock_is_whole_for_the_next() {
    loom::model(|| {
        let (loan, ended) = lendable();
        let lock = Arc::new(Lock::new(Some(loan)));
        drop(lock.lock());
        let borrow = |lock: &Lock| {
            let lent = lock.lock().as_mut().and_then(Loan::lend);
            if let Some(lent) = lent {
                // SAFETY: lent to this thread alone; loom checks that.
                lent.number.with_mut(|v| unsafe { *v += 1 });
            }
        };
        let other = {
            let lock = lock.clone();
            thread::spawn(move || borrow(&lock))
        };
        borrow(&lock);
        other.join().unwrap();
        drop(lock.lock().take());
        assert_eq!(ended.load(Relaxed), 1);
    });
}

#[test]
fn the_last_of_owner_and_borrower_frees_it() {
    loom::model(|| {
        let (mut loan, ended) = lendable();
        let lent = {
            let lent = loan.lend().unwrap();
            // SAFETY: lent to this thread alone; loom checks that.
            lent.number.with_mut(|v| unsafe { *v += 1 });
            lent
        };
        let owner = thread::spawn(move || drop(loan));
        // SAFETY: as above.
        lent.number.with_mut(|v| unsafe { *v += 1 });
        drop(lent);
        owner.join().unwrap();
        assert_eq!(ended.load(Relaxed), 1);
    });
}
