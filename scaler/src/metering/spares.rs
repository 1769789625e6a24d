//! What the processes use that are kept ready to become instances, and those that fork them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use stoker_core::{InstanceId, Timestamp};
use stoker_meter::Counter;

use crate::driver::Prepared;
use crate::spending::{own_cpu, resident_bytes};
use crate::{Function, Scaler};

/// What was seen of them last.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    at: Timestamp,
    /// When this gateway began to look, in nanoseconds of CLOCK_MONOTONIC.
    since_nanos: u64,
    /// CPU time by process, microseconds.
    cpu: HashMap<u32, u64>,
}

/// What there is now of one preparation.
struct Weighed {
    prepared: Prepared,
    processes: u64,
    memory_kib: u64,
    /// CPU time of each process, microseconds, and when that began, in nanoseconds of
    /// CLOCK_MONOTONIC.
    cpu: Vec<(u32, u64, u64)>,
}

impl Spares {
    /// None, at this time, which is so many nanoseconds of CLOCK_MONOTONIC.
    pub(crate) fn new(at: Timestamp, since_nanos: u64) -> Spares {
        Spares {
            at,
            since_nanos,
            cpu: HashMap::new(),
        }
    }

    /// How much of these processes' CPU time is new. Of one that is older than this gateway only what
    /// comes from now on is: another one counted before.
    fn learn(&mut self, processes: &[(u32, u64, u64)]) -> u64 {
        let since = self.since_nanos;
        let new = processes.iter().map(|&(pid, micros, began_nanos)| {
            let first = if began_nanos < since { micros } else { 0 };
            let before = self.cpu.insert(pid, micros).unwrap_or(first);
            micros.saturating_sub(before)
        });
        new.sum()
    }
}

impl<C: Send + 'static> Scaler<C> {
    /// What is kept ready is there for the functions that it is for, each to the same part. Their
    /// memory is what the processes have, of which they share a lot.
    pub(super) async fn measure_spares(&self, now: Timestamp) {
        let prepared = self.shared.driver.prepared();
        let weigh = move || prepared.into_iter().map(weigh).collect();
        let weighed: Vec<Weighed> = tokio::task::spawn_blocking(weigh).await.unwrap_or_default();
        let last = &self.shared.spares;
        let (micros, cpu) = {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            let passed = now.since(std::mem::replace(&mut last.at, now));
            let there = |pid: &u32| {
                weighed
                    .iter()
                    .any(|it| it.cpu.iter().any(|it| it.0 == *pid))
            };
            last.cpu.retain(|pid, _| there(pid));
            let cpu: Vec<u64> = weighed.iter().map(|it| last.learn(&it.cpu)).collect();
            (u64::try_from(passed.as_micros()).unwrap_or(0), cpu)
        };
        let functions = match weighed.is_empty() {
            true => return,
            false => self.shared.functions(),
        };
        for (it, cpu) in weighed.iter().zip(cpu) {
            let parts = it.prepared.functions.len().max(1) as u64;
            for function in &functions {
                let launch = function.launch();
                let is_for = |(name, revision): &(Arc<str>, Arc<str>)| {
                    *name == launch.function && *revision == launch.revision
                };
                if it.prepared.functions.iter().any(is_for) {
                    let meter = function.meter();
                    meter.add(Counter::SpareMicros, micros * it.processes / parts);
                    meter.add(
                        Counter::SpareKibMillis,
                        micros / 1000 * it.memory_kib / parts,
                    );
                    meter.add(Counter::SpareCpuMicros, cpu / parts);
                }
            }
        }
    }
}

impl<C: Send + 'static> Function<C> {
    /// A process that was kept ready has become this instance: what was counted of it before is not
    /// counted again.
    pub(crate) fn credit_spare(&self, id: InstanceId, pid: u32) {
        let last = &self.shared.spares;
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counted) = last.cpu.remove(&pid).filter(|counted| *counted > 0) {
            self.meter.ledger().spent(id.as_raw(), counted);
        }
    }
}

/// How many processes there are, what they have in memory, and what they have used.
fn weigh(prepared: Prepared) -> Weighed {
    let parent = prepared.parent.map(|(pid, _)| pid);
    let pids: Vec<u32> = prepared.spares.iter().copied().chain(parent).collect();
    let kib = pids.iter().filter_map(|pid| resident_bytes(*pid));
    let cpu = pids.iter().filter_map(|pid| {
        let (micros, began_nanos) = own_cpu(*pid)?;
        Some((*pid, micros, began_nanos))
    });
    Weighed {
        processes: pids.len() as u64,
        memory_kib: kib.map(|bytes| bytes / 1024).sum(),
        cpu: cpu.collect(),
        prepared,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_microsecond_is_counted_once_and_by_one_gateway() {
        let mut spares = Spares::new(Timestamp::ZERO, 1_000);
        // The second one is older than this gateway.
        assert_eq!(spares.learn(&[(7, 500, 2_000), (8, 900, 10)]), 500);
        assert_eq!(spares.learn(&[(7, 700, 2_000), (8, 1_000, 10)]), 300);
        assert_eq!(spares.learn(&[(8, 1_000, 10)]), 0);
        assert_eq!(spares.cpu[&7], 700);
    }

    #[test]
    fn this_process_is_weighed() {
        let me = std::process::id();
        let (micros, began) = own_cpu(me).unwrap();
        assert!(began > 0 && began <= crate::clock::monotonic_nanos());
        assert!(own_cpu(me).unwrap().0 >= micros);
    }
}
