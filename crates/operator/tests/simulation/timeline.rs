//! One account and region over time: calls change its present state, and stale reads see its past.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::world::World;

/// How long past states are kept: longer than any read is stale, the sabotaged ones included (5 × 20 s).
const HISTORY: Duration = Duration::from_mins(2);

pub struct Timeline {
    /// Each state with the instant it began at, the present one last.
    states: VecDeque<(Instant, Arc<World>)>,
}

impl Timeline {
    pub fn new(world: World) -> Self {
        Self {
            states: VecDeque::from([(Instant::now(), Arc::new(world))]),
        }
    }

    /// The state as of `age` ago.
    pub fn at(&self, age: Duration) -> Arc<World> {
        let then = Instant::now().checked_sub(age).unwrap_or_else(Instant::now);
        let state = self.states.iter().rev().find(|(since, _)| *since <= then);
        Arc::clone(&state.or(self.states.front()).expect("there is a state").1)
    }

    /// Every state that was true at some time in the last `age`, the present one first.
    pub fn since(&self, age: Duration) -> impl Iterator<Item = &World> {
        let later = self
            .states
            .iter()
            .filter(move |(since, _)| since.elapsed() < age)
            .count();
        self.states.iter().rev().take(later + 1).map(|(_, world)| &**world)
    }

    pub fn now(&self) -> &Arc<World> {
        &self.states.back().expect("there is a state").1
    }

    pub fn change<T>(&mut self, change: impl FnOnce(&mut World) -> T) -> T {
        let now = Instant::now();
        let mut world = World::clone(self.now());
        let result = change(&mut world);
        self.states.push_back((now, Arc::new(world)));
        while self.states.len() > 1 && now - self.states[1].0 > HISTORY {
            self.states.pop_front();
        }
        result
    }
}
