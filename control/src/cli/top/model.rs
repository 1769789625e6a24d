//! What is shown, and what keys do to it: without a terminal, so that tests can look.

use std::collections::{HashMap, VecDeque};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::poll::Sample;
use super::rows::{self, Row, Sort};
use crate::wire::FunctionDetail;

/// Samples of a trend.
pub(super) const TREND: usize = 24;
/// Longest filter, in characters.
const FILTER: usize = 63;

/// What is shown.
pub(super) struct Model {
    before: Option<Sample>,
    all: Vec<Row>,
    /// Those that pass the filter, in order.
    pub(super) rows: Vec<Row>,
    /// Requests per second, the newest last.
    history: HashMap<String, VecDeque<f64>>,
    pub(super) sort: Sort,
    pub(super) filter: String,
    /// Keys go into the filter.
    pub(super) typing: bool,
    pub(super) paused: bool,
    pub(super) help: bool,
    /// The name that the cursor was moved to; until then it is on the first row.
    selected: Option<String>,
    /// The function that is looked at more closely.
    pub(super) open: Option<String>,
    pub(super) detail: Option<FunctionDetail>,
    /// Why there is no news.
    pub(super) trouble: Option<String>,
}

/// What is to be done after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Only to draw anew.
    Draw,
    /// To ask for the function that is open now.
    Ask,
    Quit,
}

impl Model {
    pub(super) fn new(sort: Sort) -> Self {
        Model {
            before: None,
            all: Vec::new(),
            rows: Vec::new(),
            history: HashMap::new(),
            sort,
            filter: String::new(),
            typing: false,
            paused: false,
            help: false,
            selected: None,
            open: None,
            detail: None,
            trouble: None,
        }
    }

    /// There is news, or there is none.
    pub(super) fn take(&mut self, sample: Result<Sample, String>) {
        let sample = match sample {
            Ok(sample) => sample,
            Err(trouble) => {
                self.trouble = Some(trouble);
                return;
            }
        };
        self.trouble = None;
        if self.paused {
            return;
        }
        // Two that come at once, as when a function is opened, give no rates.
        let soon = self
            .before
            .as_ref()
            .is_some_and(|before| (sample.at - before.at).as_millis() < 50);
        if !soon || self.all.is_empty() {
            self.all = rows::between(self.before.as_ref(), &sample);
            self.remember();
        }
        self.detail.clone_from(&sample.detail);
        if !soon {
            self.before = Some(sample);
        }
        self.arrange();
    }

    /// The requests per second of a function so far.
    pub(super) fn trend(&self, name: &str) -> impl Iterator<Item = f64> + Clone + '_ {
        self.history.get(name).into_iter().flatten().copied()
    }

    /// All functions together: requests and errors per second.
    pub(super) fn totals(&self) -> (f64, f64) {
        let rows = self.all.iter();
        rows.fold((0.0, 0.0), |(requests, errors), row| {
            (
                requests + row.requests_per_second,
                errors + row.errors_per_second,
            )
        })
    }

    /// How many functions there are.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// The place of the cursor.
    pub(super) fn cursor(&self) -> Option<usize> {
        let first = (!self.rows.is_empty()).then_some(0);
        let Some(selected) = &self.selected else {
            return first;
        };
        let place = self.rows.iter().position(|row| row.name == *selected);
        place.or(first)
    }

    /// The function under the cursor.
    pub(super) fn current(&self) -> Option<&str> {
        self.cursor().map(|at| &*self.rows[at].name)
    }

    /// A key was pressed.
    pub(super) fn key(&mut self, key: KeyEvent) -> Action {
        if key.kind == KeyEventKind::Release {
            return Action::Draw;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            return Action::Quit;
        }
        if self.typing {
            self.type_filter(key.code);
            return Action::Draw;
        }
        if self.help {
            self.help = false;
            return match key.code {
                KeyCode::Char('q') => Action::Quit,
                _ => Action::Draw,
            };
        }
        match key.code {
            KeyCode::Char('q') => return Action::Quit,
            KeyCode::Char('?' | 'h') => self.help = true,
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Esc | KeyCode::Backspace if self.open.is_some() => return self.close(),
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Enter => return self.enter(),
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::PageUp => self.step(-10),
            KeyCode::PageDown => self.step(10),
            KeyCode::Home | KeyCode::Char('g') => self.step(isize::MIN / 2),
            KeyCode::End | KeyCode::Char('G') => self.step(isize::MAX / 2),
            KeyCode::Char('s') => self.sort = self.next_sort(),
            KeyCode::Char(digit @ '1'..='8') => {
                self.sort = Sort::ALL[digit as usize - '1' as usize];
            }
            _ => {}
        }
        self.arrange();
        Action::Draw
    }

    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(character) if self.filter.chars().count() < FILTER => {
                self.filter.push(character);
            }
            _ => {}
        }
        self.arrange();
    }

    fn enter(&mut self) -> Action {
        self.open = self.current().map(str::to_owned);
        self.detail = None;
        Action::Ask
    }

    fn close(&mut self) -> Action {
        self.open = None;
        self.detail = None;
        Action::Ask
    }

    fn next_sort(&self) -> Sort {
        let at = Sort::ALL.iter().position(|sort| *sort == self.sort);
        Sort::ALL[(at.unwrap_or_default() + 1) % Sort::ALL.len()]
    }

    fn step(&mut self, by: isize) {
        let Some(last) = self.rows.len().checked_sub(1) else {
            return;
        };
        let at = self.cursor().unwrap_or_default();
        let at = at.saturating_add_signed(by).min(last);
        self.selected = Some(self.rows[at].name.clone());
    }

    fn remember(&mut self) {
        let names: std::collections::HashSet<&str> =
            self.all.iter().map(|row| &*row.name).collect();
        self.history.retain(|name, _| names.contains(&**name));
        for row in &self.all {
            let history = self.history.entry(row.name.clone()).or_default();
            if history.len() == TREND {
                history.pop_front();
            }
            history.push_back(row.requests_per_second);
        }
    }

    fn arrange(&mut self) {
        let filter = self.filter.to_lowercase();
        let pass = |row: &&Row| row.name.contains(&filter);
        self.rows = self.all.iter().filter(pass).cloned().collect();
        rows::sort(&mut self.rows, self.sort);
    }
}

#[cfg(test)]
mod tests;
