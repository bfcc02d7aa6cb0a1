//! `tai.h`, `taia.h`, `uint32.h` and `uint64.h`.

use crate::border::input::Input;
use owfat_io::capi::{pack::*, tai::*};
use owfat_io::ctypes::{Tai, Taia};
use std::ffi::c_long;

const ZERO: Taia = Taia { sec: Tai { x: 0 }, nano: 0, atto: 0 };
const SECOND: u32 = 1_000_000_000;

fn label(input: &mut Input) -> Taia {
    Taia { sec: Tai { x: input.long() }, nano: input.word() % SECOND, atto: input.word() % SECOND }
}

pub(crate) fn call(input: &mut Input) {
    let (a, b) = (label(input), label(input));
    let mut room = vec![0u8; 16].into_boxed_slice();
    let (p, mut c, mut d) = (room.as_mut_ptr().cast(), ZERO, ZERO);
    let (mut n32, mut n64) = (0, 0);
    // SAFETY: labels, and room for the longest of the forms.
    unsafe {
        taia_pack(p, &a);
        taia_unpack(p, &mut c);
        assert_eq!(a, c);
        tai_pack(p, &a.sec);
        tai_unpack(p, &mut c.sec);
        assert_eq!(a.sec, c.sec);
        // What is added and taken away again is as before.
        taia_add(&mut c, &a, &b);
        taia_sub(&mut d, &c, &b);
        assert_eq!(d, a);
        tai_add(&mut c.sec, &a.sec, &b.sec);
        tai_sub(&mut c.sec, &c.sec, &b.sec);
        assert_eq!(c.sec, a.sec);
        assert_eq!(taia_less(&a, &b), (a < b).into());
        taia_half(&mut c, &a);
        assert!(c <= a && c.nano < SECOND && c.atto < SECOND);
        taia_addsec(&mut c, &a, input.word() as c_long);
        assert_eq!((c.nano, c.atto), (a.nano, a.atto));
        assert!((0.0..1.0).contains(&taia_frac(&a)) && taia_approx(&a) >= 0.0);
        let mut text = [0u8; 18];
        assert_eq!(taia_fmtfrac(text.as_mut_ptr().cast(), &a), 18);
        assert_eq!(std::str::from_utf8(&text), Ok(&*format!("{:09}{:09}", a.nano, a.atto)));
        for (pack, unpack, read) in [
            (
                uint64_pack as unsafe extern "C" fn(_, _),
                uint64_unpack as unsafe extern "C" fn(_, _),
                uint64_read as unsafe extern "C" fn(_) -> _,
            ),
            (uint64_pack_big, uint64_unpack_big, uint64_read_big),
        ] {
            pack(p, a.sec.x);
            unpack(p, &mut n64);
            assert_eq!((n64, read(p)), (a.sec.x, a.sec.x));
        }
        for (pack, unpack, read) in [
            (
                uint32_pack as unsafe extern "C" fn(_, _),
                uint32_unpack as unsafe extern "C" fn(_, _),
                uint32_read as unsafe extern "C" fn(_) -> _,
            ),
            (uint32_pack_big, uint32_unpack_big, uint32_read_big),
        ] {
            pack(p, a.nano);
            unpack(p, &mut n32);
            assert_eq!((n32, read(p)), (a.nano, a.nano));
        }
    }
}
