//! Texts in whatever quotes, with whatever stands in them, as JSON writes them.

use super::{Reader, Spot};
use crate::schemas::document::Unreadable;
use crate::schemas::fix::scalar::closing;

impl Reader {
    /// Reads a text in whatever quotes; answers it as JSON writes it.
    pub(super) fn text(&mut self) -> Result<String, Unreadable> {
        let spot = self.spot();
        let quote = self.peek().unwrap_or('"');
        let ends = closing(quote).unwrap_or(&['"']);
        if quote != '"' {
            self.flaw(spot, format!("a text in {}", called(quote)), "wrote `\"`");
        }
        self.skip();
        let mut text = String::from("\"");
        loop {
            let place = self.spot();
            let Some(letter) = self.peek() else {
                return Err(Unreadable {
                    line: spot.line,
                    column: spot.column,
                    message: "the text that begins here has no end".to_owned(),
                });
            };
            if ends.contains(&letter) {
                self.skip();
                text.push('"');
                return Ok(text);
            }
            self.skip();
            match letter {
                '\\' => self.escape(&mut text, place),
                '"' => text.push_str("\\\""),
                '\n' if quote == '"' || quote == '\'' => {
                    self.flaw(place, "a text goes on in the next line", "wrote `\\n`");
                    text.push_str("\\n");
                }
                '\r' => text.push_str("\\r"),
                '\n' => text.push_str("\\n"),
                '\t' => {
                    self.flaw(place, "a tab in a text", "wrote `\\t`");
                    text.push_str("\\t");
                }
                letter if u32::from(letter) < 0x20 => {
                    self.flaw(place, format!("the control character U+{:04X} in a text", u32::from(letter)), "wrote it as an escape");
                    text.push_str("\\u");
                    text.extend(format!("{:04x}", u32::from(letter)).chars());
                }
                letter => text.push(letter),
            }
        }
    }

    fn escape(&mut self, text: &mut String, spot: Spot) {
        let Some(next) = self.peek() else { return };
        match next {
            '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => {
                self.skip();
                text.push('\\');
                text.push(next);
            }
            'u' => {
                let digits: String = self.letters.iter().skip(self.at + 1).take(4).collect();
                if digits.len() == 4 && digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
                    text.push('\\');
                } else {
                    self.flaw(spot, "`\\u` without four digits", "wrote `\\\\u`");
                    text.push_str("\\\\");
                }
            }
            '\'' => {
                self.skip();
                text.push('\'');
            }
            other => {
                self.flaw(spot, format!("`\\{other}` is no escape of JSON"), format!("wrote `\\\\{other}`"));
                text.push_str("\\\\");
            }
        }
    }
}

fn called(quote: char) -> String {
    match quote {
        '\'' => "single quotes".to_owned(),
        '`' => "backquotes".to_owned(),
        other => format!("quotes of print (`{other}`)"),
    }
}
