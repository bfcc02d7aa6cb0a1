//! Examples: the fields that programs see, and batches that a filter or a clean-up function changes.

use super::super::filter;
use super::super::send::send;
use super::*;
use crate::outcome::Readiness;

#[test]
fn the_visible_fields_change_with_a_send_as_in_libowfat() {
    let mut e = Embedded::new();
    let b = e.view();
    let text = three(b);
    assert_eq!(seen(b), (19, 0, 3, 0, vec![[0, 10], [0, 6], [0, 3]]));
    let mut s = script(&[Answer::Some(13), Answer::Again]);
    assert_eq!(send(&mut s, b).outcome, Ok(13));
    assert_eq!(seen(b), (6, 1, 3, 0, vec![[0, 10], [3, 3], [0, 3]]));
    let sent = send(&mut s, b);
    assert_eq!((sent.outcome, sent.readiness), (Err(Stop::Again), Readiness::UsedUp));
    assert_eq!(seen(b).0, 6);
    let sent = send(&mut s, b);
    assert_eq!((sent.outcome, sent.readiness), (Ok(6), Readiness::Stands));
    assert_eq!((seen(b), &s.got[..]), ((0, 0, 0, 0, vec![]), text));
    assert_eq!((send(&mut s, b).outcome, s.calls), (Ok(0), 3));
}

#[test]
fn the_visible_fields_change_with_a_filter_as_in_libowfat() {
    let mut e = Embedded::new();
    let b = e.view();
    three(b);
    let mut s = script(&[Answer::Some(3); 20]);
    let mut turns = Vec::new();
    while b.bytesleft() > 0 {
        let n = filter::write(b, note_file, &mut s).unwrap();
        turns.push((n, seen(b).0, seen(b).4));
    }
    let row = |n, left, entries: [[u64; 2]; 3]| (n, left, entries.to_vec());
    assert_eq!(turns[0], row(3, 16, [[3, 7], [0, 6], [0, 3]]));
    assert_eq!(turns[2], row(3, 10, [[9, 1], [0, 6], [0, 3]]));
    assert_eq!(turns[3], row(4, 6, [[10, 0], [3, 3], [0, 3]]));
    assert_eq!(turns[4], (6, 0, vec![]));
}

#[test]
fn header_file_and_footer_leave_in_one_send() {
    let (_f, fd) = file_of(b"-file-");
    for cold in [false, true] {
        let mut e = Embedded::new();
        let b = e.view();
        let mut s = Script { cold, ..Script::default() };
        for e in [
            item::buffer(c"head".as_ptr(), 4, None),
            item::file(fd, 0, 6, note_file),
            item::buffer(c"foot".as_ptr(), 4, None),
        ] {
            b.add(e).unwrap();
        }
        assert_eq!(send(&mut s, b).outcome, Ok(14));
        assert_eq!((&s.got[..], s.calls, s.held), (&b"head-file-foot"[..], if cold { 3 } else { 1 }, false));
        assert_eq!(released(), [6]);
    }
}

#[test]
fn a_batch_that_is_never_empty_does_not_grow() {
    for autofree in [true, false] {
        let mut e = Embedded::new();
        let b = e.view();
        b.init(autofree, 0).unwrap();
        let add = |k: u64| b.add(item::buffer(c"0123456789".as_ptr(), k % 9 + 1, Some(note_buffer))).unwrap();
        (0..5).for_each(add);
        let mut s = Script::default();
        let mut sent = 0;
        for k in 5..1000 {
            add(k);
            let n = (k as usize - 5) % 9 + 1;
            s.answers = vec![Answer::Some(n)];
            assert_eq!(send(&mut s, b).outcome, Ok(n as u64));
            sent += n;
        }
        assert_eq!(s.got.len(), sent);
        let expected: Vec<u8> = (0..995).flat_map(|k| b"0123456789"[..k % 9 + 1].to_vec()).collect();
        assert_eq!(s.got, expected);
        assert_eq!(released(), if autofree { (0..995).map(|k| k % 9 + 1).collect() } else { vec![] });
        let room = b.with_array(|b| b.allocated) as u64 / ENTRY;
        assert!(if autofree { room <= 32 } else { room >= 1000 }, "{room}");
        b.reset();
        released();
    }
}

#[test]
fn a_file_that_ends_early_is_an_error_after_everything_before_the_gap() {
    let mut e = Embedded::new();
    let b = e.view();
    let (_f, fd) = file_of(&[7; 1000]);
    let mut s = Script::default();
    for e in [
        item::buffer(c"head".as_ptr(), 4, None),
        item::file(fd, 0, 5000, note_file),
        item::buffer(c"tail".as_ptr(), 4, None),
    ] {
        b.add(e).unwrap();
    }
    assert_eq!(send(&mut s, b).outcome, Ok(1004));
    let rest: Seen = (4004, 1, 2, 1, vec![[0, 4], [1000, 4000], [0, 4]]);
    assert_eq!(seen(b), rest);
    for _ in 0..2 {
        assert_eq!(send(&mut s, b).outcome, Err(Stop::Failed(Errno::EIO)));
        assert_eq!(filter::write(b, note_file, &mut s), Err(Stop::Failed(Errno::EIO)));
        assert_eq!(seen(b), rest);
    }
    assert_eq!(released(), [0; 0]);
    b.reset();
    assert_eq!(released(), [5000]);
}

/// A filter that does something to its own batch and then takes what it is told to.
struct Meddler<F> {
    batch: Batch,
    meddle: F,
    takes: Outcome<u64>,
}

impl<F: FnMut(Batch)> Filter for Meddler<F> {
    fn target(&self) -> i64 {
        -1
    }

    fn take(&mut self, _: *const u8, n: u64) -> Outcome<u64> {
        (self.meddle)(self.batch);
        self.takes.map(|k| k.min(n))
    }

    fn takes_files(&self) -> bool {
        false
    }

    fn take_file(&mut self, _: i64, _: u64, _: u64) -> Outcome<u64> {
        unreachable!("asked first")
    }
}

#[test]
fn a_filter_may_add_entries() {
    let mut e = Embedded::new();
    let batch = e.view();
    three(batch);
    let mut rounds = 0;
    // So many entries that the array moves.
    let meddle = |b: Batch| {
        rounds += 1;
        if rounds <= 200 {
            b.add(item::buffer(c"more".as_ptr(), 4, None)).unwrap();
        }
    };
    let mut m = Meddler { batch, meddle, takes: Ok(u64::MAX) };
    assert_eq!(filter::write(batch, note_file, &mut m), Ok(19 + 800));
    assert_eq!(seen(batch), (0, 0, 0, 0, vec![]));
}

#[test]
fn a_filter_that_resets_its_batch_ends_the_call() {
    let (_f, fd) = file_of(&[7; 1000]);
    for takes in [Ok(2), Ok(u64::MAX), Err(Stop::Again)] {
        for refill in [0, 1, 3] {
            let mut e = Embedded::new();
            let batch = e.view();
            batch.add(item::file(fd, 0, 1000, note_file)).unwrap();
            three(batch);
            let meddle = |b: Batch| {
                b.reset();
                for _ in 0..refill {
                    b.add(item::buffer(c"new".as_ptr(), 3, None)).unwrap();
                }
            };
            let mut m = Meddler { batch, meddle, takes };
            let r = filter::write(batch, note_file, &mut m);
            assert_eq!(r, takes.map(|n| n.min(1000)));
            assert_eq!(released(), [1000]);
            assert_eq!(batch.bytesleft(), refill * 3, "the new entries are untouched");
            batch.reset();
        }
    }
}

#[test]
fn an_entry_is_not_released_again_by_a_reset_from_its_own_clean_up() {
    thread_local!(static BATCH: RefCell<Option<Batch>> = const { RefCell::new(None) });
    unsafe extern "C-unwind" fn resets(e: *mut IobEntry) {
        // SAFETY: called by the batch with a live entry.
        unsafe { note_buffer(e) };
        BATCH.with_borrow(|b| b.unwrap().reset());
    }
    for autofree in [false, true] {
        let mut e = Embedded::new();
        let batch = e.view();
        batch.init(autofree, 0).unwrap();
        BATCH.set(Some(batch));
        batch.add(item::buffer(c"ab".as_ptr(), 2, Some(resets))).unwrap();
        batch.add(item::buffer(c"abc".as_ptr(), 3, Some(note_buffer))).unwrap();
        let sent = send(&mut script(&[Answer::Some(3), Answer::Again]), batch);
        assert_eq!(sent.outcome, Ok(3));
        batch.reset();
        assert_eq!((released(), batch.len()), (vec![2, 3], 0));
    }
}

#[test]
fn what_cannot_be_added_changes_nothing_and_is_released_if_owned() {
    let mut e = Embedded::new();
    let b = e.view();
    three(b);
    let before = seen(b);
    let huge = item::buffer(ptr::dangling(), u64::MAX, None);
    assert_eq!(b.add(huge), Err(Errno::EOVERFLOW));
    let owned = item::buffer(ptr::dangling(), u64::MAX, Some(note_buffer));
    assert_eq!(item::add_owned(Ok(b), owned), Err(Errno::EOVERFLOW));
    assert_eq!(released(), [u64::MAX]);
    assert_eq!(seen(b), before);
    let nowhere = item::buffer(c"abc".as_ptr(), 3, Some(note_buffer));
    assert_eq!(item::add_owned(Err(Errno::EFAULT), nowhere), Err(Errno::EFAULT));
    assert_eq!(released(), [3]);
    b.reset();
    b.with_array(array::fail);
    let late = item::buffer(c"abcd".as_ptr(), 4, Some(note_buffer));
    assert_eq!(item::add_owned(Ok(b), late), Err(Errno::ENOMEM));
    assert_eq!((released(), b.bytesleft()), (vec![4], 0));
    b.reset();
    three(b);
    assert_eq!(b.bytesleft(), 19, "a reset cures a failed array");
    b.reset();
}

#[test]
fn fields_that_contradict_each_other_are_an_error_and_not_an_endless_zero() {
    let mut e = Embedded::new();
    e.batch.bytesleft = 7;
    let b = e.view();
    let mut s = Script::default();
    assert_eq!(send(&mut s, b).outcome, Err(Stop::Failed(Errno::EINVAL)));
    assert_eq!(filter::write(b, note_file, &mut s), Err(Stop::Failed(Errno::EINVAL)));
    three(b);
    // SAFETY: a valid batch.
    unsafe { (*b.raw()).next = c_long::MAX };
    assert_eq!(send(&mut s, b).outcome, Err(Stop::Failed(Errno::EINVAL)));
    b.reset();
    assert_eq!(seen(b), (0, 0, 0, 0, vec![]));
}

#[test]
fn room_that_is_allocated_in_advance_changes_no_visible_field() {
    let mut e = Embedded::new();
    let b = e.view();
    b.init(false, 100).unwrap();
    assert_eq!(seen(b), (0, 0, 0, 0, vec![]));
    let at = e.batch.b.p;
    for _ in 0..33 {
        three(e.view());
    }
    assert_eq!((e.batch.b.p, e.view().len()), (at, 99));
    e.view().reset();
}
