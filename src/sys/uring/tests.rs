//! The queues, with a kernel behind them.

use super::*;

#[test]
fn the_queues_go_round() {
    let Ok(mut ring) = Ring::open(8, 16) else { return };
    let mut next = 0;
    for round in 0..10 {
        // Not a divisor of either size, so that both queues are met at every offset.
        for i in 0..7 {
            assert!(ring.push(Request::Nop { data: round * 7 + i }));
        }
        assert_eq!(ring.pending(), 7);
        assert_eq!(enter(ring.fd(), 7, Wait::UpTo(None)), Ok(7));
        while let Some(c) = ring.pop() {
            assert_eq!((c.data, c.result), (next, 0));
            next += 1;
        }
    }
    assert_eq!((next, ring.pending()), (70, 0));
}

#[test]
fn a_full_queue_takes_no_more_and_loses_nothing() {
    let Ok(mut ring) = Ring::open(4, 4) else { return };
    let mut taken = 0;
    for round in 0..3 {
        (0..4).for_each(|i| assert!(ring.push(Request::Nop { data: round * 4 + i })));
        assert!(!ring.push(Request::Nop { data: 99 }));
        enter(ring.fd(), 4, Wait::No).unwrap();
    }
    assert!(ring.has_overflow());
    while taken < 12 {
        match ring.pop() {
            Some(c) => {
                assert_eq!(c.data, taken);
                taken += 1;
            }
            None => drop(enter(ring.fd(), 0, Wait::Flush).unwrap()),
        }
    }
    assert!(!ring.has_overflow() && ring.pop().is_none() && ring.lost() == 0);
}

#[test]
fn a_wait_ends_with_its_time() {
    let Ok(ring) = Ring::open(4, 4) else { return };
    let begun = std::time::Instant::now();
    let limit = Duration::from_micros(2500);
    assert_eq!(enter(ring.fd(), 0, Wait::UpTo(Some(limit))), Err(Errno::ETIME));
    assert!(begun.elapsed() >= limit);
}
