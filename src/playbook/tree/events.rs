//! Questions about a file that only its events answer: where a tag stands, which alias unfolds too far, what the comments say.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{Event, Options, Parser, Span};

use super::Place;
use super::read::MOST_REPLAYED;

/// Where the first tag stands that is not one of YAML's own.
pub(super) fn foreign_tag(text: &str) -> Option<Place> {
    events(text, false).find_map(|(event, span)| {
        let tag = event.tag()?;
        if tag.is_yaml_core_schema() { None } else { span.tag_span().map(|span| place(&span)) }
    })
}

/// Where the alias stands with which the file unfolds into more values than are read.
pub(super) fn unfolding_alias(text: &str) -> Option<Place> {
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut replayed: usize = 0;
    for (event, span) in events(text, false) {
        let size = match event {
            Event::SequenceStart(_, anchor, _) | Event::MappingStart(_, anchor, _) => {
                open.push((anchor, 2));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let (anchor, size) = open.pop().unwrap_or_default();
                sizes.insert(anchor, size);
                size
            }
            Event::Scalar(_, _, anchor, _) => {
                sizes.insert(anchor, 1);
                1
            }
            Event::Alias(anchor) => {
                let size = sizes.get(&anchor).copied().unwrap_or(1);
                replayed = replayed.saturating_add(size);
                if replayed > MOST_REPLAYED {
                    return Some(place(&span));
                }
                size
            }
            _ => continue,
        };
        if let Some((_, outer)) = open.last_mut() {
            *outer = outer.saturating_add(size);
        }
    }
    None
}

/// The texts of all comments in their order, without white space around them; `None` when the file cannot be read to its end.
#[must_use]
pub fn comments(text: &str) -> Option<Vec<String>> {
    let mut comments = Vec::new();
    for next in parser(text, true) {
        match next {
            Ok((Event::Comment(comment, _), _)) => comments.push(comment.trim().to_owned()),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
    Some(comments)
}

fn parser(text: &str, comments: bool) -> impl Iterator<Item = Result<(Event<'_>, Span), serde_saphyr::granit_parser::ScanError>> {
    let mut options = Options::default();
    options.max_buffered_comment_events = text.len();
    options.set_emit_comments(comments);
    Parser::new_from_str_with_options(text, options)
}

fn events(text: &str, comments: bool) -> impl Iterator<Item = (Event<'_>, Span)> {
    parser(text, comments).map_while(Result::ok)
}

fn place(span: &Span) -> Place {
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Place { line: narrow(span.start.line()), column: narrow(span.start.col() + 1), length: narrow(span.len()) }
}
