//! Freezing and thawing instances, and giving their memory back.

use std::sync::Arc;
use std::time::Duration;

use stoker_core::{Effect, Event};

use super::Function;
use crate::scaler::MemoryState;
use crate::{Instance, Notice, Reclaim, Renewal};

impl<C: Send + 'static> Function<C> {
    /// Freezes an instance in a task of its own, unless it is wanted again by then.
    pub(super) fn freeze_soon(&self, instance: Arc<Instance<C>>) {
        let function = self.strong();
        let wishes = instance.wishes();
        self.shared.runtime.spawn(async move {
            let prepared = function.shared.driver.prepare_freeze(instance.id()).await;
            if let Err(why) = prepared {
                return function.refuse_to_freeze(&instance, &why);
            }
            let connection = function.close_connections(&instance).await;
            function.settle_frost(&instance);
            if let Some((renewal, connection)) = connection
                && function.shared.driver.has_frozen(instance.id()).await
                && let Some(renewed) = (renewal.open)(connection, instance.endpoint())
            {
                instance.offer_connection(renewed, wishes);
            }
        });
    }

    /// Closes the connections of an instance that is about to be frozen, so that its program is done
    /// with them before; what it takes to renew one of them.
    async fn close_connections(&self, instance: &Instance<C>) -> Option<(Renewal<C>, C)> {
        let renewal = self.shared.renewal()?;
        let connection = instance.take_connections().pop()?;
        Some((renewal, (renewal.close)(connection).await))
    }

    /// Brings about what the pool wishes; how long it took to thaw the instance, if that was it.
    pub(crate) fn settle_frost(&self, instance: &Instance<C>) -> Option<Duration> {
        let id = instance.id();
        let driver = &self.shared.driver;
        match instance.settle_frost(|frozen| driver.set_frozen(id, frozen)) {
            Ok(Some((true, _))) => {
                self.notice(Notice::Frozen { id });
                if self.shared.reclaim() == Reclaim::Always {
                    driver.reclaim(id);
                }
                None
            }
            Ok(Some((false, took))) => {
                self.notice(Notice::Thawed { id, took });
                Some(took)
            }
            Ok(None) => None,
            Err(error) => {
                self.refuse_to_freeze(instance, &error.to_string());
                None
            }
        }
    }

    /// Nothing of this function is frozen until its settings change.
    fn refuse_to_freeze(&self, instance: &Instance<C>, why: &str) {
        // Of one that ends, nothing follows for the others.
        if instance.is_frozen() && !instance.is_stopping() {
            self.notice(Notice::CannotFreeze { why });
            self.apply(Event::FreezeRefused);
        }
    }

    /// Idle instances are frozen at times.
    pub(crate) fn may_freeze(&self) -> bool {
        self.lock().pool.may_freeze()
    }

    /// Memory is short: freezes what is idle and has it give its memory back; up to `release` of
    /// those that did so before go.
    pub(crate) fn relieve(&self, release: u32, memory: MemoryState) {
        let now = self.shared.clock.now();
        let mut state = self.lock();
        let event = Event::Pressure { release };
        let Some(event) = state.rule.divert(self.number, event) else {
            return;
        };
        let effects = state.step(event, now, &self.meter);
        let count = |which: fn(&Effect) -> bool| effects.iter().filter(|it| which(it)).count();
        let reclaimed = count(|effect| matches!(effect, Effect::Reclaim { .. }));
        let released = count(|effect| matches!(effect, Effect::Stop { .. }));
        self.conclude(state, effects);
        if reclaimed + released > 0 {
            self.notice(Notice::Relieved {
                available_percentage: memory.available_percentage,
                stalled_percentage: memory.stalled_percentage,
                reclaimed,
                released,
            });
        }
    }
}
