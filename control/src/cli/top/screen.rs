//! The terminal: keys in, pictures out.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event};
use tokio::sync::{mpsc, watch};

use super::super::{Failure, TopArgs};
use super::draw::draw;
use super::model::{Action, Model};
use super::poll::poll;

/// How soon the thread that reads keys sees that it is to end.
const LOOK: Duration = Duration::from_millis(50);

/// Shows the functions until a key says to end. Whatever happens, the terminal is as before then.
pub(super) async fn run(arguments: TopArgs) -> Result<(), Failure> {
    // It also sees to it that a panic leaves the terminal as it was.
    let mut terminal = ratatui::try_init()?;
    let _restored = Restored;
    let (wanted, wish) = watch::channel(None);
    let (sender, mut samples) = mpsc::channel(1);
    let asking = poll(arguments.connection, arguments.interval, wish, sender);
    let asking = tokio::spawn(asking);
    let mut keys = Keys::read()?;
    let mut model = Model::new(arguments.sort);
    let result = loop {
        if let Err(error) = terminal.draw(|frame| draw(frame, &model)) {
            break Err(error.into());
        }
        tokio::select! {
            Some(sample) = samples.recv() => model.take(sample),
            event = keys.next() => match event {
                Ok(Event::Key(key)) => match model.key(key) {
                    Action::Draw => {}
                    Action::Ask => drop(wanted.send_replace(model.open.clone())),
                    Action::Quit => break Ok(()),
                },
                // A new size, say: the next picture fits it.
                Ok(_) => {}
                Err(error) => break Err(error.into()),
            }
        }
    };
    asking.abort();
    result
}

/// Gives the terminal back when this is dropped.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// A thread that reads what the terminal sends, for there is no other way to wait for it.
struct Keys {
    events: mpsc::Receiver<io::Result<Event>>,
    end: Arc<AtomicBool>,
}

impl Keys {
    fn read() -> io::Result<Keys> {
        let (sender, events) = mpsc::channel(16);
        let end = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&end);
        std::thread::Builder::new()
            .name("keys".into())
            .spawn(move || {
                while !ending.load(Ordering::Relaxed) {
                    let event = match event::poll(LOOK) {
                        Ok(true) => event::read(),
                        Ok(false) => continue,
                        Err(error) => Err(error),
                    };
                    let failed = event.is_err();
                    if sender.blocking_send(event).is_err() || failed {
                        return;
                    }
                }
            })?;
        Ok(Keys { events, end })
    }

    async fn next(&mut self) -> io::Result<Event> {
        let ended = || Err(io::Error::other("the terminal is gone"));
        self.events.recv().await.unwrap_or_else(ended)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
    }
}
