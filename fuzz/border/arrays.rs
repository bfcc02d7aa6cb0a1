//! `array.h`, against `Vec`.

use crate::border::input::Input;
use crate::border::io::errno;
use owfat_io::capi::array::*;
use owfat_io::ctypes::Array;
use std::ptr;

/// Two arrays, and what must be in them; `None` if they have failed.
pub(crate) struct Arrays([(Array, Option<Vec<u8>>); 2]);

impl Arrays {
    pub(crate) fn new() -> Arrays {
        let empty = || Array { p: ptr::null_mut(), allocated: 0, initialized: 0, headroom: 77 };
        Arrays([(empty(), Some(Vec::new())), (empty(), Some(Vec::new()))])
    }

    pub(crate) fn end(&mut self) {
        // SAFETY: a valid array.
        self.0.iter_mut().for_each(|(x, _)| unsafe { array_reset(x) });
    }
}

/// More is refused, or is too much for a test.
const MOST: u64 = 60_000;

pub(crate) fn call(arrays: &mut Arrays, input: &mut Input) {
    let i = input.below(2);
    let other = arrays.0[1 - i].1.clone();
    let [a, b] = &mut arrays.0;
    let ((x, model), (y, _)) = if i == 0 { (a, b) } else { (b, a) };
    let (x, y) = (ptr::from_mut(x), ptr::from_ref(y));
    let (member, count) = (input.size(), input.size());
    let bytes = member.saturating_mul(count);
    let len = model.as_ref().map_or(0, |m| m.len() as u64);
    let text = b"0123456789";
    // SAFETY: valid arrays and memory.
    unsafe {
        match input.byte() % 16 {
            0..3 => {
                let need =
                    (count as i64 >= 0).then(|| member.checked_mul(count)?.checked_add(member)).flatten();
                if need.is_some_and(|n| (MOST..1 << 48).contains(&n)) {
                    return;
                }
                let p = array_allocate(x, member, count as i64);
                match (model.as_mut(), need) {
                    (Some(m), Some(n)) if n < MOST => {
                        m.resize(m.len().max(n as usize), 0);
                        assert!(!p.is_null() || m.is_empty());
                    }
                    _ => assert!(p.is_null() && errno() != 0),
                }
            }
            3 => {
                let p = array_get(x, member, count as i64);
                assert_eq!(!p.is_null(), count as i64 >= 0 && bytes < len);
            }
            4 => assert_eq!(
                array_length(x, member),
                match (&*model, member) {
                    (None, _) | (_, 0) => -1,
                    (Some(m), n) => (m.len() as u64 / n) as i64,
                }
            ),
            5 => {
                array_truncate(x, member, count as i64);
                if let (Some(m), true) = (model.as_mut(), count as i64 >= 0) {
                    m.truncate(bytes.min(len) as usize);
                }
            }
            6 => {
                array_shift(x, member, count);
                model.iter_mut().for_each(|m| drop(m.drain(..bytes.min(len) as usize)));
            }
            7 => {
                array_chop(x, member, count);
                model.iter_mut().for_each(|m| m.truncate((len - bytes.min(len)) as usize));
            }
            8..10 if len < MOST => {
                let n = input.below(text.len() + 1);
                array_catb(x, text.as_ptr().cast(), n as u64);
                model.iter_mut().for_each(|m| m.extend(&text[..n]));
            }
            10 if len < MOST => {
                array_cats(x, c"abc".as_ptr());
                array_cat0(x);
                model.iter_mut().for_each(|m| m.extend(b"abc\0"));
            }
            11 if len < MOST => {
                array_cat(x, y);
                *model = model.take().zip(other).map(|(m, other)| [m, other].concat());
            }
            12 if len < MOST => {
                // Of itself.
                array_cate(x, x, member as i64, count as i64);
                let part = |m: Vec<u8>| {
                    let (from, to) = (i64::try_from(member).ok()?, i64::try_from(count).ok()?);
                    // No bytes can be had anywhere.
                    let part = if from == to { vec![] } else { m.get(from as usize..to as usize)?.to_vec() };
                    Some([m, part].concat())
                };
                *model = model.take().and_then(part);
            }
            13 => {
                let same = model.clone().unwrap_or_default() == other.unwrap_or_default();
                assert_eq!(array_equal(x, y), same.into());
            }
            14 if input.byte() > 200 => {
                array_fail(x);
                *model = None;
            }
            15 => {
                array_reset(x);
                *model = Some(Vec::new());
            }
            _ => {}
        }
        assert_eq!((*x).headroom, 77);
        let (bytes, start) = (array_bytes(x), array_start(x));
        match model {
            None => assert!(bytes == -1 && start.is_null()),
            Some(m) if m.is_empty() => assert_eq!(bytes, 0),
            Some(m) => assert_eq!(std::slice::from_raw_parts(start.cast::<u8>(), bytes as usize), m),
        }
    }
}
