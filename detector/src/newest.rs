//! Items in, one after the other; the newest of them out, at most a given number.

use std::collections::VecDeque;

/// The newest items, oldest first.
#[derive(Clone, Debug)]
pub struct Newest<T> {
    items: VecDeque<T>,
    most: usize,
}

impl<T> Newest<T> {
    /// No items yet; the newest `most`, at least 1, will be kept.
    pub fn new(most: usize) -> Self {
        Self { items: VecDeque::new(), most }
    }

    /// Add an item. If there are too many then, the oldest is removed.
    pub fn push(&mut self, item: T) {
        if self.items.len() == self.most {
            self.items.pop_front();
        }
        self.items.push_back(item);
    }

    /// The items, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.items.iter()
    }

    /// The items, oldest first, to change them.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.items.iter_mut()
    }
}
