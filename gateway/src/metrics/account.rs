//! Where the requests of one revision are counted.

use std::sync::Arc;

use stoker_meter::Meter;

use super::Series;
use crate::Function;

/// Where the requests of one revision are counted: for whoever watches, and for whoever pays. A
/// request holds one share of it, and no others.
pub(crate) struct Account {
    series: Arc<Series>,
    function: Arc<Function>,
}

impl Account {
    /// Of this function, whose series these are.
    pub(crate) fn new(series: Arc<Series>, function: Arc<Function>) -> Self {
        Account { series, function }
    }

    /// What Prometheus sees.
    pub(crate) fn series(&self) -> &Series {
        &self.series
    }

    /// What is paid for.
    pub(crate) fn meter(&self) -> &Meter {
        self.function.meter()
    }
}
