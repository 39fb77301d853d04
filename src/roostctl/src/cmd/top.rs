//! `roostctl top`: who is connected and what they do, on the whole screen and
//! always new.
//!
//! What must stay true: the terminal is as it was before, however this ends,
//! and a server that is slow to answer holds up no key.

mod ask;
mod screen;
mod state;
mod view;

use std::io::{IsTerminal, stdin, stdout};
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::args::Common;
use crate::{Failure, exit, server};
use ask::{Asker, News};
use screen::Screen;
use state::{Key, State};

/// For a key, before news are looked for.
const BLINK: Duration = Duration::from_millis(100);

pub fn run(common: &Common) -> Result<u8, Failure> {
    let config = server::config(common)?;
    if common.json || !stdin().is_terminal() || !stdout().is_terminal() {
        let text = "this needs a terminal; for programs there are who and stats";
        return Err(Failure::new(exit::USAGE, text));
    }
    // Whoever may not ask learns it before the screen changes.
    let first = super::who::ask(&config)?;
    let failed = |error| Failure::new(exit::IOERR, format!("terminal: {error}"));
    let mut asker = Asker::start(config);
    let mut state = State::new(first);
    let mut screen = Screen::open().map_err(failed)?;
    loop {
        screen
            .draw(|width, height| view::lines(&state, width, height))
            .map_err(failed)?;
        let happened = event::poll(BLINK).map_err(failed)?;
        if happened
            && let Some(key) = key(&event::read().map_err(failed)?)
            && !state.press(key)
        {
            return Ok(exit::OK);
        }
        if let Some(session) = state.take_kick() {
            asker.kick(session);
        }
        while let Some(news) = asker.news() {
            match news {
                News::Seen(rows, stats) => state.see(rows, stats),
                News::Said(text) => state.say(text),
            }
        }
    }
}

/// Keys that mean something; a change of the screen's size means that it is
/// drawn.
fn key(event: &Event) -> Option<Key> {
    let Event::Key(KeyEvent {
        code,
        modifiers,
        kind: KeyEventKind::Press | KeyEventKind::Repeat,
        ..
    }) = event
    else {
        return None;
    };
    Some(match code {
        KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Key::Leave,
        KeyCode::Char('l') if modifiers.contains(KeyModifiers::CONTROL) => Key::Other,
        KeyCode::Char(c) => Key::Char(*c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Up => Key::Move(-1),
        KeyCode::Down => Key::Move(1),
        KeyCode::PageUp => Key::Move(-20),
        KeyCode::PageDown => Key::Move(20),
        KeyCode::Home => Key::Move(isize::MIN),
        KeyCode::End => Key::Move(isize::MAX),
        _ => Key::Other,
    })
}
