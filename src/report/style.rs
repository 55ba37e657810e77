//! Colour, width and indentation of what people read in a terminal.

use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
use holdfast_core::model::policy::Severity;

/// The colours of severities and verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Red,
    Yellow,
    Blue,
    Magenta,
    White,
}

impl Colour {
    pub(super) fn of(severity: Severity) -> Self {
        match severity {
            Severity::Critical => Self::Red,
            Severity::High => Self::Yellow,
            Severity::Medium => Self::Blue,
            Severity::Low => Self::White,
        }
    }

    fn bold(self) -> console::Style {
        let style = console::Style::new().bold();
        match self {
            Self::Red => style.red(),
            Self::Yellow => style.yellow(),
            Self::Blue => style.blue(),
            Self::Magenta => style.magenta(),
            Self::White => style.white(),
        }
    }

    fn of_cell(self) -> comfy_table::Color {
        match self {
            Self::Red => comfy_table::Color::Red,
            Self::Yellow => comfy_table::Color::Yellow,
            Self::Blue => comfy_table::Color::Blue,
            Self::Magenta => comfy_table::Color::Magenta,
            Self::White => comfy_table::Color::Grey,
        }
    }
}

/// How a table is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Columns to fit into. `None` off a terminal: lines are then not broken.
    pub width: Option<u16>,
    /// Whether to use colour.
    pub colour: bool,
}

impl Style {
    /// For a file or a pipe.
    pub const PLAIN: Self = Self {
        width: None,
        colour: false,
    };

    /// The style that standard output can show: no colour and no width off a terminal, no colour with `NO_COLOR`.
    #[must_use]
    pub fn of_stdout() -> Self {
        let term = console::Term::stdout();
        if !term.is_term() {
            return Self::PLAIN;
        }
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Self {
            width: Some(term.size().1.max(60)),
            colour: !no_colour,
        }
    }

    /// An empty table without borders.
    pub(super) fn table(self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        match self.width {
            Some(width) => table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        if self.colour {
            table.enforce_styling()
        } else {
            table.force_no_tty()
        };
        table
    }

    /// Indents text and breaks its lines between words to fit the width. Never breaks a name: people copy it.
    pub(super) fn indented(self, text: &str, first: &str, rest: &str) -> String {
        let width = self.width.map_or(usize::MAX, usize::from);
        let options = textwrap::Options::new(width)
            .initial_indent(first)
            .subsequent_indent(rest)
            .break_words(false)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
        format!("{}\n", textwrap::fill(text, options))
    }

    /// Text in bold and in colour, or as it is without either.
    pub(super) fn paint(self, text: &str, colour: Option<Colour>) -> String {
        match colour {
            Some(colour) => self.styled(text, &colour.bold()),
            None => text.to_owned(),
        }
    }

    /// Text in bold.
    pub(super) fn bold(self, text: &str) -> String {
        self.styled(text, &console::Style::new().bold())
    }

    fn styled(self, text: &str, style: &console::Style) -> String {
        // Forced, because `console` would look at the terminal of this process, and not at `self`.
        style.clone().force_styling(self.colour).apply_to(text).to_string()
    }

    /// A cell of a table, in bold and in colour.
    pub(super) fn cell(self, text: &str, colour: Option<Colour>) -> Cell {
        let cell = Cell::new(text);
        match colour.filter(|_| self.colour) {
            Some(colour) => cell.fg(colour.of_cell()).add_attribute(Attribute::Bold),
            None => cell,
        }
    }
}

/// The text of a table. A table pads its lines with spaces, which pipes and mails don't want.
pub(super) fn table_text(table: &Table) -> String {
    let text = table.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLOURED: Style = Style {
        width: Some(80),
        colour: true,
    };

    #[test]
    fn colour_is_bold_and_ends_with_the_text() {
        assert_eq!(
            COLOURED.paint("HIGH", Some(Colour::Yellow)),
            "\u{1b}[33m\u{1b}[1mHIGH\u{1b}[0m"
        );
        assert_eq!(COLOURED.bold("shop"), "\u{1b}[1mshop\u{1b}[0m");
        assert_eq!(COLOURED.paint("-", None), "-");
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        assert_eq!(Style::PLAIN.paint("HIGH", Some(Colour::Yellow)), "HIGH");
        assert_eq!(Style::PLAIN.bold("shop"), "shop");
    }

    #[test]
    fn colour_takes_no_room_in_a_line() {
        let narrow = Style {
            width: Some(20),
            ..COLOURED
        };
        let start = narrow.paint("HIGH", Some(Colour::Yellow));
        assert_eq!(
            narrow.indented("one two three", &format!("{start} "), "  "),
            format!("{start} one two three\n")
        );
    }
}
