//! Entries of an answer become events.

use crate::backend::numbers::ByNumber;
use crate::backend::{Event, Events, Token};
use crate::sys::kevent::{Answer, Kevent};

/// Adds what `entry` says to the list of this wait. The two filters of a descriptor have an entry each, with others in
/// between, and make one event. `places` says where the last event of a number went, in whichever list; there is room.
pub(super) fn report(events: &mut Events, places: &mut ByNumber<u32>, entry: Kevent) {
    let Answer::Event(flags) = entry.answer() else { return };
    let event = Event::new(Token { fd: entry.fd, generation: entry.mark }, flags);
    let Some(place) = places.get_mut(entry.fd.index() as u32) else { return events.push(event) };
    if !events.merge(*place as usize, event) {
        *place = events.len() as u32;
        events.push(event);
    }
}
