//! The terminal: taken over as a whole, and given back as it was, whatever
//! happens.

use std::io::{self, Stdout, Write, stdout};
use std::thread;

use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{cursor, execute, queue};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit;

use super::view::{Line, Style};

/// Until dropped.
pub struct Screen {
    out: Stdout,
    color: bool,
    /// What it shows.
    shown: (u16, u16, Vec<Line>),
}

/// Gives the terminal back. Where that fails there is nobody to tell.
fn restore() {
    let _ = execute!(stdout(), ResetColor, cursor::Show, LeaveAlternateScreen);
    let _ = terminal::disable_raw_mode();
}

impl Screen {
    pub fn open() -> io::Result<Self> {
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // Its words would be lost with the other screen.
            restore();
            before(panic);
        }));
        terminal::enable_raw_mode()?;
        // Whoever waits for keys of a terminal that is gone waits for ever.
        thread::spawn(move || {
            if signals.forever().next().is_some() {
                restore();
                std::process::exit(exit::OK.into());
            }
        });
        let mut out = stdout();
        // From here on the end of it puts things right.
        let screen = Self {
            out: stdout(),
            color: std::env::var_os("NO_COLOR").is_none(),
            shown: (0, 0, Vec::new()),
        };
        execute!(out, EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }

    /// Shows what `lines` makes of the screen's width and height; nothing is
    /// written where it is shown already.
    pub fn draw(&mut self, lines: impl FnOnce(usize, usize) -> Vec<Line>) -> io::Result<()> {
        let (width, height) = terminal::size()?;
        let lines = lines(usize::from(width), usize::from(height));
        let now = (width, height, lines);
        if now == self.shown {
            return Ok(());
        }
        let all = (now.0, now.1) != (self.shown.0, self.shown.1);
        if all {
            queue!(self.out, Clear(ClearType::All))?;
        }
        for (row, line) in (0..height).zip(&now.2) {
            let same = self.shown.2.get(usize::from(row)) == Some(line);
            if all || !same {
                self.write(row, line)?;
            }
        }
        self.out.flush()?;
        self.shown = now;
        Ok(())
    }

    fn write(&mut self, row: u16, line: &Line) -> io::Result<()> {
        queue!(self.out, cursor::MoveTo(0, row))?;
        match line.style {
            Style::Plain => {}
            Style::Bold => queue!(self.out, SetAttribute(Attribute::Bold))?,
            Style::Reverse => queue!(self.out, SetAttribute(Attribute::Reverse))?,
            Style::Green if self.color => queue!(self.out, SetForegroundColor(Color::Green))?,
            Style::Green => {}
        }
        queue!(
            self.out,
            Print(&line.text),
            SetAttribute(Attribute::Reset),
            ResetColor,
            Clear(ClearType::UntilNewLine)
        )
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}
