//! A list whose clone is cheap.
//!
//! A checkpoint needs a copy of the state while the log goes on, and copying a million jobs would
//! stall it. So items lie in chunks of [`CHUNK`] that clones share: a clone copies the list of
//! chunks, and a change copies the one chunk that it touches, if a clone still has it.
//! (`name_index` says what the lists of `rpds` would cost instead.)

use std::collections::VecDeque;
use std::sync::Arc;

const CHUNK: usize = 256;

/// A list: in at the back, out at the front.
#[derive(Clone, Debug)]
pub(super) struct SharedList<T> {
    /// Every chunk but the last is full; none is empty.
    chunks: VecDeque<Arc<Vec<T>>>,
    /// How many items of the first chunk were taken out: fewer than it has.
    taken: usize,
}

impl<T: Clone> SharedList<T> {
    pub(super) fn new() -> Self {
        SharedList {
            chunks: VecDeque::new(),
            taken: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self.chunks.back() {
            None => 0,
            Some(last) => (self.chunks.len() - 1) * CHUNK + last.len() - self.taken,
        }
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.chunks.front().map(|first| &first[self.taken])
    }

    pub(super) fn get(&self, index: usize) -> Option<&T> {
        let at = index + self.taken;
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    /// Item `index`, to change it.
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let at = index + self.taken;
        Arc::make_mut(self.chunks.get_mut(at / CHUNK)?).get_mut(at % CHUNK)
    }

    pub(super) fn push_back(&mut self, item: T) {
        match self.chunks.back_mut() {
            Some(last) if last.len() < CHUNK => Arc::make_mut(last).push(item),
            _ => self.chunks.push_back(Arc::new(vec![item])),
        }
    }

    /// Takes the first item out, if there is one.
    pub(super) fn pop_front(&mut self) {
        let Some(first) = self.chunks.front() else {
            return;
        };
        self.taken += 1;
        if self.taken == first.len() {
            self.chunks.pop_front();
            self.taken = 0;
        }
    }

    /// Takes item `index` out; those before it move up by one.
    pub(super) fn remove(&mut self, index: usize) {
        for before in (0..index).rev() {
            let item = self.get(before).cloned();
            if let (Some(item), Some(place)) = (item, self.get_mut(before + 1)) {
                *place = item;
            }
        }
        self.pop_front();
    }

    /// The items from front to back.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let all = self.chunks.iter().flat_map(|chunk| chunk.iter());
        all.skip(self.taken)
    }
}

/// Equal are lists of equal items in the same order, wherever the borders of chunks are.
impl<T: Clone + PartialEq> PartialEq for SharedList<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<T: Clone + Eq> Eq for SharedList<T> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_same(list: &SharedList<usize>, model: &VecDeque<usize>) {
        assert_eq!(list.len(), model.len());
        assert_eq!(list.front(), model.front());
        assert!(list.iter().eq(model.iter()));
        for index in 0..model.len() + 600 {
            assert_eq!(list.get(index), model.get(index));
        }
    }

    proptest! {
        #[test]
        fn list_does_what_a_deque_does(
            steps in prop::collection::vec((0..900_usize, 0..900_usize), 0..8),
        ) {
            let (mut list, mut model) = (SharedList::new(), VecDeque::new());
            for (pushed, popped) in steps {
                let (list_before, model_before) = (list.clone(), model.clone());
                for number in 0..pushed {
                    list.push_back(number);
                    model.push_back(number);
                }
                check_same(&list, &model);
                for _ in 0..popped {
                    list.pop_front();
                    model.pop_front();
                }
                if let Some(item) = list.get_mut(popped) {
                    *item += 1;
                    model[popped] += 1;
                }
                if model.remove(pushed / 2).is_some() {
                    list.remove(pushed / 2);
                }
                check_same(&list, &model);
                check_same(&list_before, &model_before);
                let mut anew = SharedList::new();
                model.iter().for_each(|number| anew.push_back(*number));
                prop_assert_eq!(&anew, &list);
            }
        }
    }

    #[test]
    fn change_copies_one_chunk_and_shares_the_rest() {
        let mut original = SharedList::new();
        (0..5 * CHUNK).for_each(|number| original.push_back(number));
        let mut changed = original.clone();
        *changed.get_mut(CHUNK).unwrap() = 0;
        let pairs = original.chunks.iter().zip(&changed.chunks);
        assert_eq!(pairs.filter(|(a, b)| Arc::ptr_eq(a, b)).count(), 4);
        assert_eq!(original.get(CHUNK), Some(&CHUNK));
    }
}
