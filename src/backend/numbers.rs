//! Descriptor number → something of the backend's.

use crate::fd::Fd;
use crate::grow::try_lengthen;
use crate::sys::mem::boxed_array;
use nix::errno::Errno;

const PAGE: usize = 128;

/// In pages, so that memory follows the numbers in use.
#[derive(Debug)]
pub(super) struct ByNumber<T> {
    pages: Vec<Option<Box<[T; PAGE]>>>,
}

impl<T: Copy + Default> ByNumber<T> {
    pub(super) fn new() -> ByNumber<T> {
        ByNumber { pages: Vec::new() }
    }

    pub(super) fn get(&self, number: u32) -> T {
        let i = number as usize;
        self.pages.get(i / PAGE).and_then(Option::as_ref).map_or_else(T::default, |page| page[i % PAGE])
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let i = number as usize;
        self.pages.get_mut(i / PAGE)?.as_mut().map(|page| &mut page[i % PAGE])
    }

    /// The place of `fd`, made if it is missing.
    pub(super) fn get_or_new(&mut self, fd: Fd) -> Result<&mut T, Errno> {
        let (page, i) = (fd.index() / PAGE, fd.index() % PAGE);
        try_lengthen(&mut self.pages, page + 1)?;
        let page = match self.pages.get_mut(page).ok_or(Errno::ENOMEM)? {
            Some(page) => page,
            vacant => vacant.insert(boxed_array()?),
        };
        Ok(&mut page[i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_numbers_make_no_near_places() {
        let mut by_number = ByNumber::<u32>::new();
        *by_number.get_or_new(Fd::from_index(1_000_000)).unwrap() = 7;
        assert_eq!(by_number.get(1_000_000), 7);
        assert_eq!((by_number.get(3), by_number.get_mut(3)), (0, None));
        assert_eq!(by_number.pages.iter().flatten().count(), 1);
    }
}
