//! Job names in an order: in at the back, out at the front, and a clone that shares them.
//!
//! Names lie in chunks of [`CHUNK`]. A clone copies the list of chunks; a change copies the chunk
//! that it touches if a clone still has it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::event::JobId;

const CHUNK: usize = 512;

/// A list of job names.
#[derive(Clone, Debug, Default)]
pub(super) struct IdList {
    /// Every chunk but the last is full; none is empty.
    chunks: VecDeque<Arc<Vec<JobId>>>,
    /// How many names of the first chunk were taken out: fewer than it has.
    taken: usize,
}

impl IdList {
    pub(super) fn len(&self) -> usize {
        match self.chunks.back() {
            None => 0,
            Some(last) => (self.chunks.len() - 1) * CHUNK + last.len() - self.taken,
        }
    }

    pub(super) fn front(&self) -> Option<&JobId> {
        self.chunks.front().map(|first| &first[self.taken])
    }

    pub(super) fn push_back(&mut self, id: JobId) {
        match self.chunks.back_mut() {
            Some(last) if last.len() < CHUNK => Arc::make_mut(last).push(id),
            _ => self.chunks.push_back(Arc::new(vec![id])),
        }
    }

    /// Takes the first name out, if there is one.
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

    /// The names from front to back.
    pub(super) fn iter(&self) -> impl Iterator<Item = &JobId> {
        self.chunks
            .iter()
            .flat_map(|chunk| chunk.iter())
            .skip(self.taken)
    }
}

/// Equal are lists of the same names in the same order, wherever the borders of chunks are.
impl PartialEq for IdList {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for IdList {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: usize) -> JobId {
        JobId::new(number.to_string()).unwrap()
    }

    fn check_same(list: &IdList, model: &VecDeque<JobId>) {
        assert_eq!(list.len(), model.len());
        assert_eq!(list.front(), model.front());
        assert!(list.iter().eq(model.iter()));
    }

    proptest! {
        #[test]
        fn list_does_what_a_deque_does(steps in prop::collection::vec((0..900_usize, 0..900_usize), 0..8)) {
            let (mut list, mut model) = (IdList::default(), VecDeque::new());
            for (pushed, popped) in steps {
                let (list_before, model_before) = (list.clone(), model.clone());
                for number in 0..pushed {
                    list.push_back(id(number));
                    model.push_back(id(number));
                }
                check_same(&list, &model);
                for _ in 0..popped {
                    list.pop_front();
                    model.pop_front();
                }
                check_same(&list, &model);
                check_same(&list_before, &model_before);
                let mut anew = IdList::default();
                model.iter().for_each(|id| anew.push_back(id.clone()));
                prop_assert_eq!(&anew, &list);
            }
        }
    }
}
