//! Reads a text that was meant as a JSON Schema, and writes it down as JSON on the way.

mod text;

use super::Flaw;
use super::keywords::{Place, inside, meant};
use super::scalar::{closing, is_word, literal, number};
use crate::schemas::document::{DEEPEST, Unreadable};

/// More flaws are not told; the text is mended all the same.
const TOLD: usize = 500;

const DRAFT_7: &str = "http://json-schema.org/draft-07/schema#";

/// A text that is read, and what is written of it.
pub(super) struct Reader {
    letters: Vec<char>,
    at: usize,
    line: usize,
    column: usize,
    out: String,
    flaws: Vec<Flaw>,
    depth: usize,
    /// What `$schema` said, and whether it is a draft whose keywords are translated.
    dialect: Option<String>,
}

/// Where something stood.
#[derive(Clone, Copy)]
struct Spot {
    line: usize,
    column: usize,
}

impl Reader {
    pub(super) fn new(text: &str) -> Self {
        let letters: Vec<char> = text.chars().collect();
        let dialect = dialect(text);
        Self { letters, at: 0, line: 1, column: 1, out: String::with_capacity(text.len()), flaws: Vec::new(), depth: 0, dialect }
    }

    /// The corrected text and what was wrong.
    pub(super) fn read(mut self) -> Result<(String, Vec<Flaw>), Unreadable> {
        self.space()?;
        self.assignment()?;
        if self.peek().is_none() {
            return Err(self.stuck("there is nothing; a schema is an object"));
        }
        if self.peek() != Some('{') && !self.rest_is_truth() {
            return Err(self.stuck("a schema begins with `{`"));
        }
        let begin = self.out.len();
        self.value(Place::Schema)?;
        self.dialect_named(begin);
        self.space()?;
        while let Some(letter) = self.peek().filter(|letter| matches!(letter, ',' | ';')) {
            let spot = self.spot();
            self.flaw(spot, format!("`{letter}` behind the end"), "took it away");
            self.skip();
            self.space()?;
        }
        match self.peek() {
            None => Ok((self.out, self.flaws)),
            Some(letter) => Err(self.stuck(format!("`{letter}` stands behind the end of the schema; is a bracket closed too early?"))),
        }
    }

    fn rest_is_truth(&self) -> bool {
        let rest: String = self.letters.iter().skip(self.at).collect();
        matches!(rest.trim_end(), "true" | "false" | "True" | "False")
    }

    /// `schema = {…}`: the name is dropped.
    fn assignment(&mut self) -> Result<(), Unreadable> {
        let mut ahead = self.at;
        while self.letters.get(ahead).is_some_and(|letter| is_word(*letter) || *letter == ' ') {
            ahead += 1;
        }
        if ahead > self.at && self.letters.get(ahead) == Some(&'=') && self.peek() != Some('{') {
            let spot = self.spot();
            self.flaw(spot, "a name stands before the schema", "took it away");
            while self.at <= ahead {
                self.skip();
            }
            self.space()?;
        }
        Ok(())
    }

    fn value(&mut self, place: Place) -> Result<(), Unreadable> {
        let spot = self.spot();
        match self.peek() {
            Some('{') => self.nested(|it| it.object(place)),
            Some('[') => self.nested(|it| it.list(place, ']')),
            Some('(') => {
                self.flaw(spot, "`(` begins no list in JSON", "wrote `[`");
                self.nested(|it| it.list(place, ')'))
            }
            Some(letter) if closing(letter).is_some() => {
                let text = self.text()?;
                self.write(&text);
                Ok(())
            }
            Some(letter) if is_word(letter) => self.word(),
            Some(letter) => Err(self.stuck(format!("`{letter}` stands where a value should be"))),
            None => Err(self.stuck("the text ends where a value should be")),
        }
    }

    fn nested(&mut self, inside: impl FnOnce(&mut Self) -> Result<(), Unreadable>) -> Result<(), Unreadable> {
        if self.depth >= DEEPEST {
            return Err(self.stuck(format!("it is nested deeper than {DEEPEST} levels; take it apart into definitions")));
        }
        self.depth += 1;
        let done = inside(self);
        self.depth -= 1;
        done
    }

    fn object(&mut self, place: Place) -> Result<(), Unreadable> {
        self.take();
        let mut keys: Vec<String> = Vec::new();
        let mut end = self.out.len();
        loop {
            self.space()?;
            let spot = self.spot();
            match self.peek() {
                Some('}') => {
                    self.take();
                    return Ok(());
                }
                Some(',') => {
                    self.flaw(spot, "a comma with nothing before it", "took it away");
                    self.skip();
                    continue;
                }
                Some(']' | ')') | None => {
                    let found = self.peek().map_or("the end".to_owned(), |letter| format!("`{letter}`"));
                    self.flaw(spot, format!("an object is not closed before {found}"), "wrote `}`");
                    self.out.insert(end, '}');
                    return Ok(());
                }
                Some(_) => {}
            }
            let key = self.key(place, spot)?;
            if keys.contains(&key) {
                self.advice(spot, format!("`{key}` is there twice; the last one counts"), "left both");
            }
            self.space()?;
            self.colon(&key)?;
            self.space()?;
            self.member(place, &key, spot)?;
            keys.push(key);
            end = self.out.len();
            self.comma(&['}'], end)?;
        }
    }

    /// A value that may need another one than is written there.
    fn member(&mut self, place: Place, key: &str, spot: Spot) -> Result<(), Unreadable> {
        let begin = self.out.len();
        self.value(inside(place, key))?;
        if place == Place::Schema && key == "$schema" && self.is_draft_4() && self.depth == 1 {
            self.advice(spot, "draft 4 is understood by few validators", format!("wrote `{DRAFT_7}`"));
            self.out.truncate(begin);
            self.write(&format!("\"{DRAFT_7}\""));
        }
        Ok(())
    }

    fn list(&mut self, place: Place, end_with: char) -> Result<(), Unreadable> {
        self.skip();
        self.write("[");
        let place = if place == Place::Schemas || place == Place::Schema { Place::Schema } else { place };
        let mut end = self.out.len();
        loop {
            self.space()?;
            let spot = self.spot();
            match self.peek() {
                Some(letter) if letter == end_with || letter == ']' => {
                    self.skip();
                    self.write("]");
                    return Ok(());
                }
                Some(',') => {
                    self.flaw(spot, "a comma with nothing before it", "took it away");
                    self.skip();
                    continue;
                }
                Some('}' | ')') | None => {
                    let found = self.peek().map_or("the end".to_owned(), |letter| format!("`{letter}`"));
                    self.flaw(spot, format!("a list is not closed before {found}"), "wrote `]`");
                    self.out.insert(end, ']');
                    return Ok(());
                }
                Some(_) => {}
            }
            self.value(place)?;
            end = self.out.len();
            self.comma(&[']', end_with], end)?;
        }
    }

    /// What stands behind a member: a comma, or none before the end.
    fn comma(&mut self, ends: &[char], end: usize) -> Result<(), Unreadable> {
        self.space()?;
        let spot = self.spot();
        match self.peek() {
            Some(',') => {
                let here = self.out.len();
                self.skip();
                self.space()?;
                match self.peek() {
                    Some(letter) if ends.contains(&letter) => self.flaw(spot, format!("a comma before `{letter}`"), "took it away"),
                    None => self.flaw(spot, "a comma before the end", "took it away"),
                    _ => self.out.insert(here, ','),
                }
            }
            Some(letter) if ends.contains(&letter) || matches!(letter, '}' | ']' | ')') => {}
            None => {}
            Some(';') => {
                self.flaw(spot, "`;` stands where a comma should be", "wrote `,`");
                self.skip();
                self.out.insert(end, ',');
            }
            Some(_) => {
                self.flaw(spot, "a comma is missing before this", "wrote `,`");
                self.out.insert(end, ',');
            }
        }
        Ok(())
    }

    fn key(&mut self, place: Place, spot: Spot) -> Result<String, Unreadable> {
        let written = match self.peek() {
            Some(letter) if closing(letter).is_some() => self.text()?,
            Some(letter) if is_word(letter) => {
                let word = self.bare();
                self.flaw(spot, format!("the key `{word}` is not in quotes"), format!("wrote `\"{word}\"`"));
                format!("\"{word}\"")
            }
            Some(letter) => return Err(self.stuck(format!("`{letter}` stands where a key should be"))),
            None => return Err(self.stuck("the text ends where a key should be")),
        };
        let key: String = serde_json::from_str(&written).unwrap_or_else(|_| written.trim_matches('"').to_owned());
        let key = if place == Place::Schema { self.keyword(&key, spot) } else { key };
        self.write(&serde_json::Value::String(key.clone()).to_string());
        Ok(key)
    }

    /// The keyword that should stand there.
    fn keyword(&mut self, key: &str, spot: Spot) -> String {
        let modern = self.dialect.as_deref().is_some_and(|dialect| dialect.contains("2019-09") || dialect.contains("2020-12"));
        if key == "id" && (self.is_draft_4() || (self.dialect.is_none() && self.depth == 1)) {
            self.advice(spot, "`id` is the word of draft 4", "wrote `$id`");
            return "$id".to_owned();
        }
        if key == "definitions" && modern && self.depth == 1 {
            self.advice(spot, "`definitions` is called `$defs` in this draft", "left it, as references point to it");
        }
        if key == "definitions" && self.is_draft_4() && self.depth == 1 {
            self.advice(spot, "`definitions` is the word of drafts 4 to 7, later ones call it `$defs`", "left it; draft 7 reads it");
        }
        if let Some(meant) = meant(key) {
            self.advice(spot, format!("`{key}` is no keyword of JSON Schema, and is not looked at"), format!("wrote `{meant}`"));
            return meant.to_owned();
        }
        key.to_owned()
    }

    fn colon(&mut self, key: &str) -> Result<(), Unreadable> {
        let spot = self.spot();
        match self.peek() {
            Some(':') => self.take(),
            Some('=') => {
                self.flaw(spot, format!("`=` stands behind `{key}`"), "wrote `:`");
                self.skip();
                if self.peek() == Some('>') {
                    self.skip();
                }
                self.write(":");
            }
            Some(',' | '}' | ']') => return Err(self.stuck(format!("`{key}` has no value"))),
            Some(_) => {
                self.flaw(spot, format!("a colon is missing behind `{key}`"), "wrote `:`");
                self.write(": ");
            }
            None => return Err(self.stuck(format!("the text ends behind `{key}`"))),
        }
        Ok(())
    }

    fn word(&mut self) -> Result<(), Unreadable> {
        let spot = self.spot();
        let word = self.bare();
        // Why: Python marks some texts with a letter.
        if matches!(word.as_str(), "u" | "r" | "b" | "f") && self.peek().is_some_and(|letter| closing(letter).is_some()) {
            self.flaw(spot, format!("`{word}` before a text is Python"), "took it away");
            let text = self.text()?;
            self.write(&text);
            return Ok(());
        }
        if let Some(literal) = literal(&word) {
            if literal != word {
                self.flaw(spot, format!("`{word}` is no JSON"), format!("wrote `{literal}`"));
            }
            self.write(literal);
        } else if let Some(number) = number(&word) {
            if number != word {
                self.flaw(spot, format!("`{word}` is no number of JSON"), format!("wrote `{number}`"));
            }
            self.write(&number);
        } else {
            self.flaw(spot, format!("the text `{word}` is not in quotes"), format!("wrote `\"{word}\"`"));
            self.write(&serde_json::Value::String(word).to_string());
        }
        Ok(())
    }

    fn bare(&mut self) -> String {
        let mut word = String::new();
        while let Some(letter) = self.peek().filter(|letter| is_word(*letter)) {
            word.push(letter);
            self.skip();
        }
        word
    }

    /// White space and comments.
    fn space(&mut self) -> Result<(), Unreadable> {
        loop {
            let spot = self.spot();
            match (self.peek(), self.letters.get(self.at + 1)) {
                (Some(' ' | '\n' | '\t' | '\r'), _) => self.take(),
                (Some('\u{feff}'), _) if self.at == 0 => {
                    self.flaw(spot, "a byte order mark", "took it away");
                    self.skip();
                    self.column = 1;
                }
                (Some(letter), _) if letter.is_whitespace() || letter == '\u{200b}' || letter == '\u{feff}' => {
                    self.flaw(spot, format!("the white space U+{:04X} is none of JSON", u32::from(letter)), "wrote a space");
                    self.skip();
                    self.write(" ");
                }
                (Some('#'), _) | (Some('/'), Some('/')) => {
                    self.flaw(spot, "a comment", "took it away");
                    while self.peek().is_some_and(|letter| letter != '\n') {
                        self.skip();
                    }
                    self.trim();
                }
                (Some('/'), Some('*')) => {
                    self.flaw(spot, "a comment", "took it away");
                    self.skip();
                    self.skip();
                    while !(self.peek() == Some('*') && self.letters.get(self.at + 1) == Some(&'/')) {
                        if self.peek().is_none() {
                            let message = "the comment that begins here has no end".to_owned();
                            return Err(Unreadable { line: spot.line, column: spot.column, message });
                        }
                        self.skip();
                    }
                    self.skip();
                    self.skip();
                }
                _ => return Ok(()),
            }
        }
    }

    /// Takes blanks from the end of the line that is written.
    fn trim(&mut self) {
        let end = self.out.trim_end_matches([' ', '\t']).len();
        self.out.truncate(end);
    }

    /// Some registries take for a JSON Schema only what says so.
    fn dialect_named(&mut self, begin: usize) {
        if self.dialect.is_some() || self.out.get(begin..=begin) != Some("{") {
            return;
        }
        let spot = Spot { line: 1, column: 1 };
        self.advice(spot, "it does not say that it is a JSON Schema, and some registries cannot tell", "wrote `$schema` of draft 7");
        let rest = self.out.get(begin + 1..).unwrap_or_default();
        let blank: String = rest.chars().take_while(|letter| letter.is_whitespace()).collect();
        let is_empty = rest.trim_start().starts_with('}');
        let blank = if is_empty { "" } else { blank.as_str() };
        let comma = if is_empty { "" } else { "," };
        let gap = if blank.is_empty() && !is_empty { " " } else { "" };
        let named = format!("{blank}\"$schema\": \"{DRAFT_7}\"{comma}{gap}");
        self.out.insert_str(begin + 1, &named);
    }

    fn is_draft_4(&self) -> bool {
        self.dialect.as_deref().is_some_and(|dialect| dialect.contains("draft-04") || dialect.contains("draft-03"))
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn spot(&self) -> Spot {
        Spot { line: self.line, column: self.column }
    }

    /// Goes on and leaves the character out.
    fn skip(&mut self) {
        if self.peek() == Some('\n') {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        self.at += 1;
    }

    /// Goes on and writes the character down.
    fn take(&mut self) {
        if let Some(letter) = self.peek() {
            self.out.push(letter);
        }
        self.skip();
    }

    fn write(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn flaw(&mut self, spot: Spot, message: impl Into<String>, mended: impl Into<String>) {
        self.told(spot, message.into(), mended.into(), true);
    }

    fn advice(&mut self, spot: Spot, message: impl Into<String>, mended: impl Into<String>) {
        self.told(spot, message.into(), mended.into(), false);
    }

    fn told(&mut self, spot: Spot, message: String, mended: String, broken: bool) {
        if self.flaws.len() < TOLD {
            self.flaws.push(Flaw { line: spot.line, column: spot.column, message, mended, broken });
        }
    }

    fn stuck(&self, message: impl Into<String>) -> Unreadable {
        Unreadable { line: self.line, column: self.column, message: message.into() }
    }
}

/// What `$schema` says, before the text can be read: the first text behind that word.
fn dialect(text: &str) -> Option<String> {
    let (_, behind) = text.split_once("$schema")?;
    let behind: String = behind.chars().take(300).collect();
    let begin = behind.find("http").or_else(|| behind.find("json-schema.org"))?;
    let behind = behind.get(begin..)?;
    let end = behind
        .find(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '`' | ',' | '\u{201d}' | '\u{2019}'))
        .unwrap_or(behind.len());
    behind.get(..end).map(str::to_owned)
}
