//! The account of usage: what is counted is entered in the books every few seconds, and before
//! anybody looks.

mod budget;
mod report;

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stoker_gateway::Gateway;
use stoker_meter::Ledger;
use stoker_registry::{Books, Keep};
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use budget::check as check_budget;
pub(crate) use report::{Asked, NoReport};

/// Between two looks at the budgets, if there are any and `metering.interval` is longer.
const BUDGETS: Duration = Duration::from_secs(1);

/// Seconds between two times that old rows are forgotten.
const PRUNING: u64 = 600;

/// Keeps the books of a gateway.
pub(crate) struct Metering {
    gateway: Arc<Gateway>,
    /// None if no books are kept.
    books: Option<Books>,
    /// When it was last counted before this gateway, in seconds since 1970: what is not in the
    /// books yet was used by then.
    former: Mutex<Option<u64>>,
    pruned: Mutex<u64>,
    /// Functions that were warned about, with the beginning of the period.
    warned: Mutex<HashSet<(Arc<str>, u64)>>,
}

/// The ledger of a state directory; one that goes with this process if there can be none, which a
/// line in the log says.
pub fn ledger(state_dir: &Path) -> Arc<Ledger> {
    let file = state_dir.join("metering").join("ledger");
    Ledger::open(&file).unwrap_or_else(|error| {
        let file = file.display();
        eprintln!("stoker: usage is lost if the gateway is killed: {file} cannot be used: {error}");
        Ledger::in_memory()
    })
}

impl Metering {
    /// Opens the books. Without them the log says why, and the gateway serves.
    pub(crate) fn open(gateway: &Arc<Gateway>) -> Arc<Metering> {
        let spec = Arc::clone(&gateway.snapshot().gateway);
        let directory = spec.state_dir.join("metering");
        let books = spec.metering.enabled.then(|| {
            fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
            Books::open(&directory.join("usage.db")).map_err(|error| error.to_string())
        });
        let books = books.and_then(|opened| {
            opened
                .map_err(|error| eprintln!("stoker: no books of usage are kept: {error}"))
                .ok()
        });
        let (_, former) = gateway.scaler().ledger().last_beat();
        Arc::new(Metering {
            gateway: Arc::clone(gateway),
            books,
            former: Mutex::new(Some(former).filter(|second| *second > 0)),
            pruned: Mutex::new(0),
            warned: Mutex::default(),
        })
    }

    /// Keeps them until `ending` says true, or its sender is gone; then enters what is left.
    pub(crate) async fn watch(self: Arc<Self>, mut ending: watch::Receiver<bool>) {
        let mut measured = Instant::now();
        if self.has_budgets() {
            self.look().await.unwrap_or_else(tell);
        }
        loop {
            let interval = self.gateway.snapshot().gateway.metering.interval;
            let due = measured + interval;
            let next = match self.has_budgets() {
                true => due.min(Instant::now() + BUDGETS),
                false => due,
            };
            let over = tokio::select! {
                () = tokio::time::sleep_until(next) => false,
                _ = ending.wait_for(|ending| *ending) => true,
            };
            let updated = match over || next >= due {
                true => {
                    measured = Instant::now();
                    self.update().await
                }
                false => self.look().await,
            };
            updated.unwrap_or_else(tell);
            if over {
                return;
            }
        }
    }

    /// Measures and enters everything up to now.
    pub(crate) async fn update(self: &Arc<Self>) -> Result<(), String> {
        if self.books.is_none() {
            return Ok(());
        }
        // What a former process left is of its time, not of this one's.
        self.aside(|this| this.enter_former()).await?;
        self.gateway.scaler().measure().await;
        self.aside(|this| {
            let now = now();
            this.enter(now)?;
            this.prune(now)?;
            this.look_at_budgets(now)
        })
        .await
    }

    /// Acts on budgets by what is counted, without measuring what instances use.
    async fn look(self: &Arc<Self>) -> Result<(), String> {
        if self.books.is_none() {
            return Ok(());
        }
        self.aside(|this| {
            this.enter_former()?;
            let now = now();
            this.enter(now)?;
            this.look_at_budgets(now)
        })
        .await
    }

    fn has_budgets(&self) -> bool {
        let snapshot = self.gateway.snapshot();
        let mut entries = snapshot.functions.values();
        entries.any(|it| it.spec.budget.is_some()) || !self.gateway.budgets().is_empty()
    }

    /// In a thread that may block.
    pub(crate) async fn aside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Metering) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let this = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&this)).await;
        done.map_err(|error| error.to_string())?
    }

    /// The books, or why there are none.
    pub(crate) fn books(&self) -> Result<&Books, String> {
        let why =
            || "no books of usage are kept: metering.enabled is false, or they cannot be opened";
        self.books.as_ref().ok_or_else(|| why().to_owned())
    }

    fn enter_former(&self) -> Result<(), String> {
        let former = lock(&self.former).take();
        match former {
            Some(second) => self.enter(second),
            None => Ok(()),
        }
    }

    /// Enters what is new in the ledger, as used at `second`.
    fn enter(&self, second: u64) -> Result<(), String> {
        let ledger = self.gateway.scaler().ledger();
        let readings = ledger.readings();
        let entered = self.books()?.enter(&readings, second);
        entered.map_err(|error| error.to_string())?;
        // Only what is in the books may go.
        readings.iter().for_each(|reading| ledger.release(reading));
        Ok(())
    }

    fn prune(&self, now: u64) -> Result<(), String> {
        let mut pruned = lock(&self.pruned);
        if now < pruned.saturating_add(PRUNING) {
            return Ok(());
        }
        *pruned = now;
        let spec = Arc::clone(&self.gateway.snapshot().gateway);
        let keep = Keep {
            minutes: spec.metering.keep_minutes.as_secs(),
            hours: spec.metering.keep_hours.as_secs(),
            days: spec.metering.keep_days.as_secs(),
        };
        let readings = self.gateway.scaler().ledger().readings();
        let done = self.books()?.prune(keep, &readings, now);
        done.map_err(|error| error.to_string())
    }
}

fn tell(error: String) {
    eprintln!("stoker: usage cannot be entered in the books: {error}");
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

/// Every change under these locks is a single step, so a panic leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
