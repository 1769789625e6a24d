//! What the reference has against what the pool shows.

use super::{Entry, Reference};
use crate::{InstanceState, PoolView, Standing, Timestamp};

impl Reference {
    /// Slots that came free by themselves during this event may have been given out in it.
    pub(super) fn widen(&mut self, view: &PoolView) {
        for seen in &view.instances {
            if let Some(entry) = self.instances.iter_mut().find(|it| it.id == seen.id) {
                let slots = match seen.state {
                    InstanceState::Ready => seen.slots,
                    // Which it had until it began to drain in this very event.
                    _ => self.spec.concurrency,
                };
                entry.slots = entry.slots.max(slots);
            }
        }
    }

    pub(super) fn compare(&mut self, view: &PoolView, now: Timestamp) {
        assert_eq!(view.waiting as usize, self.waiters.len());
        assert_eq!(view.instances.len(), self.instances.len());
        assert_eq!(
            view.in_flight,
            self.instances.iter().map(|entry| entry.in_use).sum::<u32>()
        );
        assert!(
            self.waiters.iter().all(|(_, deadline)| *deadline > now),
            "nobody was expired"
        );
        self.max_live = self
            .max_live
            .min(self.instances.len() as u32)
            .max(self.spec.max_scale);
        assert!(
            self.instances.len() as u32 <= self.max_live,
            "more than max_scale"
        );
        let (clock, limit) = (self.clock, self.spec.health.failures);
        for seen in &view.instances {
            let entry = self.entry(seen.id);
            assert_eq!(seen.in_use, entry.in_use, "{}", seen.id);
            assert_eq!(seen.frozen.is_some(), entry.frozen, "{}", seen.id);
            match (entry.standing, seen.standing) {
                (Standing::Good, Standing::Aside { until }) => {
                    assert!(until >= now && limit > 0 && entry.failures >= limit);
                }
                (Standing::Trial, Standing::Aside { .. }) => assert!(entry.failures > 0),
                (Standing::Aside { until }, Standing::Trial) => assert!(until <= now),
                (Standing::Good, Standing::Trial) => panic!("on trial without a failure"),
                _ => {}
            }
            if entry.standing != seen.standing {
                entry.failures = 0;
                entry.shelved = clock;
            }
            (entry.slots, entry.standing) = (seen.slots, seen.standing);
            match (entry.state, seen.state) {
                (InstanceState::Ready, InstanceState::Draining) => {
                    entry.state = InstanceState::Draining;
                }
                (InstanceState::Draining, InstanceState::Ready) => {
                    entry.state = InstanceState::Ready;
                    entry.shelved = clock;
                    assert!(!entry.evicted, "an evicted instance was reprieved");
                }
                (known, seen) => assert_eq!(known, seen),
            }
        }
        let free = self
            .instances
            .iter()
            .any(|entry| entry.state == InstanceState::Ready && entry.in_use < entry.slots);
        let ready = |entry: &&Entry| entry.state == InstanceState::Ready;
        let aside = |entry: &&Entry| ready(entry) && entry.standing != Standing::Good;
        let (ready, aside) = (
            self.instances.iter().filter(ready).count(),
            self.instances.iter().filter(aside).count(),
        );
        assert!(aside == 0 || aside < ready, "the last one was set aside");
        assert!(
            aside as f64 * 100.0 <= ready as f64 * self.spec.health.max_ejected_percentage,
            "{aside} of {ready} are set aside"
        );
        assert!(
            (self.waiters.is_empty() && !self.too_late) || !free,
            "a request waits beside a free slot"
        );
    }
}
