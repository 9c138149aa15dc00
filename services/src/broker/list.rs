//! Doubly linked lists through the entries of a slab: constant time for everything, and nothing to allocate.
//!
//! An entry can be in several lists at once, one for each [`Link`] that it has; `N` says by which link a list goes. All
//! timers of the broker are such lists too: their delays are constant, so the entry that was added first is due first.

use std::ops::{Index, IndexMut};

/// No entry.
const NONE: usize = usize::MAX;

/// The neighbours of an entry in one list.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    previous: usize,
    next: usize,
    linked: bool,
}

impl Default for Link {
    fn default() -> Self {
        Self { previous: NONE, next: NONE, linked: false }
    }
}

/// An entry that has its `N`th link here.
pub trait Linked<const N: usize> {
    /// The link.
    fn link(&mut self) -> &mut Link;
}

/// A list of entries of the table `T`, which is given to every call.
#[derive(Clone, Copy, Debug)]
pub struct List<const N: usize> {
    head: usize,
    tail: usize,
    len: usize,
}

impl<const N: usize> Default for List<N> {
    fn default() -> Self {
        Self { head: NONE, tail: NONE, len: 0 }
    }
}

impl<const N: usize> List<N> {
    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first entry.
    pub fn front(&self) -> Option<usize> {
        (self.head != NONE).then_some(self.head)
    }

    /// Adds an entry that is in no list of this link at the end.
    pub fn push_back<T>(&mut self, table: &mut T, key: usize)
    where
        T: IndexMut<usize, Output: Linked<N>>,
    {
        debug_assert!(!table[key].link().linked, "an entry is in one list a link");
        *table[key].link() = Link { previous: self.tail, next: NONE, linked: true };
        match self.tail {
            NONE => self.head = key,
            tail => table[tail].link().next = key,
        }
        self.tail = key;
        self.len += 1;
    }

    /// Adds an entry that is in no list of this link at the beginning.
    pub fn push_front<T>(&mut self, table: &mut T, key: usize)
    where
        T: IndexMut<usize, Output: Linked<N>>,
    {
        debug_assert!(!table[key].link().linked, "an entry is in one list a link");
        *table[key].link() = Link { previous: NONE, next: self.head, linked: true };
        match self.head {
            NONE => self.tail = key,
            head => table[head].link().previous = key,
        }
        self.head = key;
        self.len += 1;
    }

    /// Takes an entry of this list out of it.
    pub fn remove<T>(&mut self, table: &mut T, key: usize)
    where
        T: IndexMut<usize, Output: Linked<N>>,
    {
        let Link { previous, next, linked } = std::mem::take(table[key].link());
        debug_assert!(linked, "only what is in the list is removed");
        match previous {
            NONE => self.head = next,
            previous => table[previous].link().next = next,
        }
        match next {
            NONE => self.tail = previous,
            next => table[next].link().previous = previous,
        }
        self.len -= 1;
    }

    /// Takes out the first entry.
    pub fn pop_front<T>(&mut self, table: &mut T) -> Option<usize>
    where
        T: IndexMut<usize, Output: Linked<N>>,
    {
        let key = self.front()?;
        self.remove(table, key);
        Some(key)
    }

    /// Takes an entry out if it is in the list of this link.
    pub fn remove_if_linked<T>(&mut self, table: &mut T, key: usize)
    where
        T: IndexMut<usize, Output: Linked<N>>,
    {
        if table[key].link().linked {
            self.remove(table, key);
        }
    }
}

/// The first entry as a value, for a look at when it is due.
pub fn first<'a, T, const N: usize>(list: &List<N>, table: &'a T) -> Option<&'a T::Output>
where
    T: Index<usize, Output: Sized>,
{
    list.front().map(|key| &table[key])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use slab::Slab;

    use super::*;

    #[derive(Default)]
    struct Entry(Link);

    impl Linked<0> for Entry {
        fn link(&mut self) -> &mut Link {
            &mut self.0
        }
    }

    proptest! {
        /// Whatever is added and removed, the list holds what a plain vector holds, in its order.
        #[test]
        fn a_list_is_a_sequence(steps in prop::collection::vec((0..4_u8, 0..20_usize), 0..200)) {
            let (mut table, mut list, mut model) = (Slab::new(), List::<0>::default(), Vec::new());
            for (what, which) in steps {
                match what {
                    0 | 1 => {
                        let key = table.insert(Entry::default());
                        if what == 0 {
                            list.push_back(&mut table, key);
                            model.push(key);
                        } else {
                            list.push_front(&mut table, key);
                            model.insert(0, key);
                        }
                    }
                    2 if !model.is_empty() => {
                        let key = model.remove(which % model.len());
                        list.remove(&mut table, key);
                        table.remove(key);
                    }
                    _ => {
                        let popped = list.pop_front(&mut table);
                        prop_assert_eq!(popped, model.first().copied());
                        model.drain(..usize::from(popped.is_some()));
                        popped.map(|key| table.remove(key));
                    }
                }
                prop_assert_eq!((list.len(), list.front()), (model.len(), model.first().copied()));
            }
            while let Some(key) = list.pop_front(&mut table) {
                prop_assert_eq!(key, model.remove(0));
            }
            prop_assert!(model.is_empty());
        }
    }
}
