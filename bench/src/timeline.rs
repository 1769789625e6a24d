//! Instances and queue over time.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Deserialize;
use stoker_control::client::Client;

use crate::report::Moment;
use crate::stop::Stop;

/// Moments that are kept; with more, every other one goes and looks become half as frequent.
const MOMENTS: usize = 4000;

/// Looks at the gateway's functions again and again, on a thread of its own.
pub(crate) struct Timeline {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    moments: Mutex<Vec<Moment>>,
    over: Stop,
}

/// What a list of functions says of one, as far as it matters here.
#[derive(Deserialize)]
struct View {
    name: String,
    states: States,
    waiting: u32,
    in_flight: u32,
}

#[derive(Deserialize)]
struct States {
    starting: u32,
    ready: u32,
    draining: u32,
    #[serde(default)]
    frozen: u32,
}

impl Timeline {
    /// Looks at these functions every `interval` from now on; times count from `begun`.
    pub(crate) fn start(
        client: Client,
        functions: Vec<String>,
        interval: Duration,
        begun: Instant,
    ) -> std::io::Result<Timeline> {
        let shared = Arc::new(Shared {
            moments: Mutex::default(),
            over: Stop::new(),
        });
        let watched = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("bench-timeline".into())
            .spawn(move || watch(&watched, &client, &functions, (interval, begun)))?;
        Ok(Timeline {
            shared,
            thread: Some(thread),
        })
    }

    /// Ends it; what it saw.
    pub(crate) fn finish(mut self) -> Vec<Moment> {
        self.shared.over.set();
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // If it panicked there is what it saw until then.
            thread.join().ok();
        }
        std::mem::take(&mut *self.shared.lock())
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Moment>> {
        self.moments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn watch(
    shared: &Shared,
    client: &Client,
    functions: &[String],
    (mut interval, begun): (Duration, Instant),
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else { return };
    let mut next = Instant::now();
    while !shared.over.is_set() {
        let at = begun.elapsed();
        // An upgrade may leave nobody to ask for a moment: that one is missing.
        let moment = runtime.block_on(async {
            tokio::select! {
                () = shared.over.wait() => None,
                moment = look(client, functions) => moment,
            }
        });
        if let Some(moment) = moment {
            let at_ms = at.as_micros() as f64 / 1000.0;
            let mut moments = shared.lock();
            moments.push(Moment { at_ms, ..moment });
            if moments.len() >= MOMENTS {
                halve(&mut moments);
                interval *= 2;
            }
        }
        next = (next + interval).max(Instant::now());
        while !shared.over.is_set() && Instant::now() < next {
            thread::park_timeout(next.saturating_duration_since(Instant::now()));
        }
    }
}

async fn look(client: &Client, functions: &[String]) -> Option<Moment> {
    let views: Vec<View> = match functions {
        [one] => {
            let path = format!("/v1/functions/{}", stoker_control::client::segment(one));
            vec![client.get(&path).await.ok()?.json().ok()?]
        }
        _ => client.get("/v1/functions").await.ok()?.json().ok()?,
    };
    let mut moment = Moment::default();
    for view in views.iter().filter(|view| functions.contains(&view.name)) {
        moment.starting += view.states.starting;
        moment.ready += view.states.ready;
        moment.draining += view.states.draining;
        moment.frozen += view.states.frozen;
        moment.waiting += view.waiting;
        moment.in_flight += view.in_flight;
    }
    Some(moment)
}

/// Keeps every other one.
fn halve(moments: &mut Vec<Moment>) {
    let mut keep = false;
    moments.retain(|_| {
        keep = !keep;
        keep
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_moment_stays() {
        let at = |at_ms: f64| Moment {
            at_ms,
            ..Moment::default()
        };
        let mut moments: Vec<Moment> = [0.0, 1.0, 2.0, 3.0, 4.0].map(at).into();
        halve(&mut moments);
        let left: Vec<f64> = moments.iter().map(|moment| moment.at_ms).collect();
        assert_eq!(left, [0.0, 2.0, 4.0]);
    }
}
