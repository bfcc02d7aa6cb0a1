//! The version, as `readelf -n` and `strings` show it for the library and for a program that it is linked into. It has no
//! exported name, which could clash with one of another library.

/// An ELF note: an owner and a text.
#[cfg(not(target_vendor = "apple"))]
#[repr(C, align(4))]
struct Note {
    owner_length: u32,
    text_length: u32,
    kind: u32,
    owner: [u8; OWNER.len()],
    text: [u8; ROOM],
}

#[cfg(not(target_vendor = "apple"))]
const OWNER: &[u8; 12] = b"libowfat_io\0";
const VERSION: &str = concat!("libowfat_io version ", env!("CARGO_PKG_VERSION"));
/// A multiple of four, and more than the text needs.
const ROOM: usize = 48;

const fn text() -> [u8; ROOM] {
    let (mut room, from) = ([0; ROOM], VERSION.as_bytes());
    assert!(from.len() < ROOM);
    let mut i = 0;
    while i < from.len() {
        room[i] = from[i];
        i += 1;
    }
    room
}

#[cfg(not(target_vendor = "apple"))]
#[used]
// SAFETY: a section of notes, in which this is a whole one.
#[unsafe(link_section = ".note.libowfat_io")]
static NOTE: Note =
    Note { owner_length: OWNER.len() as u32, text_length: ROOM as u32, kind: 1, owner: *OWNER, text: text() };

#[cfg(target_vendor = "apple")]
#[used]
static NOTE: [u8; ROOM] = text();
