//! What usage costs.

use crate::{Counter, Totals};

/// KiB times milliseconds in one GiB times one second, which is the GB-second of the reports.
pub const GIB_SECOND_KIB_MILLIS: f64 = 1024.0 * 1024.0 * 1000.0;

/// Prices in one currency; zero for what is free.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prices {
    /// Of a million invocations.
    pub per_million_invocations: f64,
    /// Of one GB (2^30 bytes) reserved for one second by an instance that is starting or busy.
    pub per_gb_second: f64,
    /// The same by an instance that is idle or frozen.
    pub per_idle_gb_second: f64,
    /// Of one second of CPU time, whatever it was used for.
    pub per_cpu_second: f64,
    /// How the currency is called, such as `EUR`.
    pub currency: String,
}

/// What something costs, by what it is paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// For invocations.
    pub invocations: f64,
    /// For memory of instances that start or work.
    pub memory: f64,
    /// For memory of idle ones.
    pub idle: f64,
    /// For CPU time: of instances, of starts that failed, and of what is kept ready.
    pub cpu: f64,
}

impl Prices {
    /// Nothing costs anything.
    pub fn is_free(&self) -> bool {
        let all = [
            self.per_million_invocations,
            self.per_gb_second,
            self.per_idle_gb_second,
            self.per_cpu_second,
        ];
        all.iter().all(|price| *price == 0.0)
    }

    /// What this usage costs.
    pub fn cost(&self, of: &Totals) -> Cost {
        let gb_seconds = |counter| of[counter] as f64 / GIB_SECOND_KIB_MILLIS;
        let cpu = [
            Counter::CpuMicros,
            Counter::FailedCpuMicros,
            Counter::SpareCpuMicros,
        ];
        let cpu_micros: f64 = cpu.iter().map(|counter| of[*counter] as f64).sum();
        Cost {
            invocations: of[Counter::Invocations] as f64 / 1e6 * self.per_million_invocations,
            memory: gb_seconds(Counter::ActiveKibMillis) * self.per_gb_second,
            idle: gb_seconds(Counter::IdleKibMillis) * self.per_idle_gb_second,
            cpu: cpu_micros / 1e6 * self.per_cpu_second,
        }
    }
}

impl Cost {
    /// All of it.
    pub fn total(&self) -> f64 {
        self.invocations + self.memory + self.idle + self.cpu
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_paid_for() {
        let prices = Prices {
            per_million_invocations: 0.2,
            per_gb_second: 0.5,
            per_idle_gb_second: 0.25,
            per_cpu_second: 2.0,
            currency: "EUR".to_owned(),
        };
        let gb_second = 1_048_576_000;
        let used = Totals::default()
            .with(Counter::Invocations, 5_000_000)
            .with(Counter::ActiveKibMillis, 2 * gb_second)
            .with(Counter::IdleKibMillis, 4 * gb_second)
            .with(Counter::CpuMicros, 1_000_000)
            .with(Counter::FailedCpuMicros, 300_000)
            .with(Counter::SpareCpuMicros, 200_000)
            .with(Counter::Mirrored, 1_000_000);
        let cost = prices.cost(&used);
        assert_eq!(
            (cost.invocations, cost.memory, cost.idle, cost.cpu),
            (1.0, 1.0, 1.0, 3.0)
        );
        assert_eq!(cost.total(), 6.0);
        assert!(!prices.is_free() && Prices::default().is_free());
    }
}
