//! Whole batches against a naive model: a row of bytes, and a row of owners.

use super::super::filter;
use super::super::send::send;
use super::*;
use proptest::prelude::*;

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        4 => Just(Answer::All),
        4 => (1..300usize).prop_map(Answer::Some),
        1 => Just(Answer::Again),
        1 => Just(Answer::Fail),
    ]
}

#[derive(Clone, Debug)]
struct Piece {
    file: bool,
    owned: bool,
    bytes: Vec<u8>,
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = (any::<bool>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..400));
    prop::collection::vec(piece.prop_map(|(file, owned, bytes)| Piece { file, owned, bytes }), 1..12)
}

/// Queues the pieces; what is expected to arrive, and to be released.
fn fill(b: Batch, pieces: &[Piece], files: &mut Vec<File>) -> (Vec<u8>, Vec<u64>) {
    let (mut stream, mut owners) = (Vec::new(), Vec::new());
    for p in pieces {
        let n = p.bytes.len() as u64;
        let e = if p.file {
            let (f, fd) = file_of(&p.bytes);
            files.push(f);
            item::file(fd, 0, n, if p.owned { note_file } else { drop_window })
        } else {
            item::buffer(p.bytes.as_ptr().cast(), n, p.owned.then_some(note_buffer as item::Cleanup))
        };
        item::add_owned(Ok(b), e).unwrap();
        stream.extend(&p.bytes);
        if p.owned {
            owners.push(n);
        }
    }
    // Empty pieces were released at once.
    assert_eq!(released(), owners.iter().filter(|&&n| n == 0).copied().collect::<Vec<_>>());
    owners.retain(|&n| n > 0);
    (stream, owners)
}

/// Calls `turn` until the batch is empty and checks the books after each call.
fn drain(
    b: Batch,
    script: &mut Script,
    stream: &[u8],
    mut turn: impl FnMut(Batch, &mut Script) -> Outcome,
) -> Result<(), TestCaseError> {
    for _ in 0..10_000 {
        let before = script.got.len();
        let r = turn(b, script);
        let moved = script.got.len() - before;
        match r {
            Ok(n) => prop_assert_eq!(n, moved),
            Err(_) => prop_assert_eq!(moved, 0),
        }
        prop_assert_eq!(script.got.len() as u64 + b.bytesleft(), stream.len() as u64);
        prop_assert!(!script.held, "the call ended with bytes that wait for more");
        if b.bytesleft() == 0 {
            prop_assert_eq!(&script.got, stream);
            prop_assert_eq!(seen(b), (0, 0, 0, 0, vec![]));
            return Ok(());
        }
    }
    Err(TestCaseError::fail("never done"))
}

proptest! {
    #[test]
    fn every_byte_once_and_every_owner_once(
        pieces in pieces(), answers in prop::collection::vec(answer(), 0..20),
        autofree: bool, filtered: bool, cold: bool,
    ) {
        let mut e = Embedded::new();
        let b = e.view();
        b.init(autofree, 0).unwrap();
        let mut script = Script { answers, cold, ..Script::default() };
        let mut files = Vec::new();
        let (stream, owners) = fill(b, &pieces, &mut files);
        let mut gone = Vec::new();
        drain(b, &mut script, &stream, |b, script| {
            let r = if filtered { filter::write(b, note_file, script) } else { send(script, b).outcome };
            let now = released();
            assert!(autofree || now.is_empty() || b.bytesleft() == 0, "released early");
            gone.extend(now);
            r
        })?;
        prop_assert_eq!(gone, owners);
        prop_assert_eq!(b.autofree(), autofree);
        prop_assert_eq!(e.behind, BEHIND);
    }

    #[test]
    fn sending_and_filtering_may_take_turns(
        pieces in pieces(), answers in prop::collection::vec(answer(), 0..20), first: bool
    ) {
        let mut e = Embedded::new();
        let b = e.view();
        let mut script = Script { answers, ..Script::default() };
        let mut files = Vec::new();
        let (stream, owners) = fill(b, &pieces, &mut files);
        let mut filtered = first;
        drain(b, &mut script, &stream, |b, script| {
            filtered = !filtered;
            if filtered { filter::write(b, note_file, script) } else { send(script, b).outcome }
        })?;
        prop_assert_eq!(released(), owners);
    }
}
