//! What a run leaves to chance, apart from its chaos: each purpose has a stream of its own, so that one
//! draw more for one purpose leaves the others as they were.
//!
//! A run can write down what it drew, and a later one can take that list in place of random numbers.

use beaver_sim::stream::Stream;

/// What is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Which of several ready tasks goes next.
    Order,
    /// What a replica draws, its election timeout say.
    Replica,
    /// What becomes of a message.
    Network,
    /// What clients do.
    Client,
    /// How long a sync takes.
    Sync,
    /// The clock of a process that starts.
    Clock,
}

/// The labels of the streams, in the order of the purposes.
const LABELS: [&str; 6] = ["order", "replica", "network", "client", "sync", "clock"];

#[derive(Debug)]
enum DrawSource {
    Seed(Box<[Stream; 6]>),
    List(std::vec::IntoIter<u64>, Box<[Stream; 6]>),
}

/// All draws of a run.
#[derive(Debug)]
pub(crate) struct Draws {
    source: DrawSource,
    recorded: Option<Vec<u64>>,
}

impl Draws {
    /// Draws from a seed.
    pub(crate) fn new(seed: u64, record: bool) -> Self {
        Draws {
            source: DrawSource::Seed(streams_of(seed)),
            recorded: record.then(Vec::new),
        }
    }

    /// Takes what another run has drawn, in order. A draw that is out of range is the most that is
    /// allowed. After the end of the list, where the other run had failed, everything is drawn as seed 0
    /// draws it: with the least of everything a sound engine would elect no leader any more.
    pub(crate) fn replay(list: Vec<u64>, record: bool) -> Self {
        Draws {
            source: DrawSource::List(list.into_iter(), streams_of(0)),
            recorded: record.then(Vec::new),
        }
    }

    /// An integer from `least` to `most`, both included.
    pub(crate) fn draw(&mut self, purpose: Purpose, least: u64, most: u64) -> u64 {
        if least >= most {
            return least;
        }
        let above = match &mut self.source {
            DrawSource::Seed(streams) => streams[purpose as usize].draw(0, most - least),
            DrawSource::List(list, after) => match list.next() {
                Some(drawn) => drawn.min(most - least),
                None => after[purpose as usize].draw(0, most - least),
            },
        };
        if let Some(recorded) = &mut self.recorded {
            recorded.push(above);
        }
        least + above
    }

    /// What was drawn, if it was recorded: each as what it lies above its least.
    pub(crate) fn take_recorded(&mut self) -> Option<Vec<u64>> {
        self.recorded.take()
    }
}

fn streams_of(seed: u64) -> Box<[Stream; 6]> {
    Box::new(LABELS.map(|label| Stream::new(seed, label)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_list_gives_the_draws_of_its_seed() {
        let asked = [
            (Purpose::Order, 0, 5),
            (Purpose::Sync, 10, 90),
            (Purpose::Order, 3, 3),
        ];
        let all = |draws: &mut Draws| {
            asked.map(|(purpose, least, most)| draws.draw(purpose, least, most))
        };
        let mut first = Draws::new(7, true);
        let drawn = all(&mut first);
        let list = first.take_recorded().unwrap();
        assert_eq!(all(&mut Draws::replay(list, false)), drawn);
    }

    #[test]
    fn a_list_that_ends_early_goes_on_as_seed_0() {
        let mut draws = Draws::replay(vec![100], false);
        assert_eq!(draws.draw(Purpose::Client, 1, 9), 9);
        let next = Draws::new(0, false).draw(Purpose::Client, 1, 1_000);
        assert_eq!(draws.draw(Purpose::Client, 1, 1_000), next);
    }

    #[test]
    fn purposes_do_not_disturb_each_other() {
        let mut alone = Draws::new(3, false);
        let mut mixed = Draws::new(3, false);
        for _ in 0..20 {
            mixed.draw(Purpose::Network, 0, 1_000);
            assert_eq!(
                alone.draw(Purpose::Order, 0, 1_000),
                mixed.draw(Purpose::Order, 0, 1_000)
            );
        }
    }
}
