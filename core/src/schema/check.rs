//! Compares a whole document with the table, as the conversion does.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use super::glue_type;
use super::infer;
use super::kind::{self, Kind};
use super::nodes::{Id, NOWHERE, Node, Nodes, ROOT};
use crate::format::tokens::{Kind as Token, Tokens};

/// A place at which documents differ from the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub path: String,
    pub fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The conversion drops the value without a word. The type would take it.
    NoColumn(String),
    /// The conversion of the document fails: its value, and the type of the column.
    WrongType(&'static str, String),
    /// It fails too: another key of the object is the same to it.
    SameName,
}

impl Fault {
    /// The names by which the metrics count them.
    pub const NAMES: [&str; 3] = ["no_column", "wrong_type", "same_name"];

    pub fn number(&self) -> usize {
        match self {
            Self::NoColumn(_) => 0,
            Self::WrongType(..) => 1,
            Self::SameName => 2,
        }
    }
}

/// Walks documents. Its buffers are kept from one to the next.
#[derive(Debug, Default)]
pub(super) struct Checker {
    /// The open containers.
    levels: Vec<Level>,
    /// The keys so far, by their objects and as the conversion has them.
    names: HashMap<(usize, String), Range<usize>>,
    /// How many containers there are so far.
    count: usize,
    /// Where the value of the last key belongs.
    below: Id,
}

#[derive(Debug)]
struct Level {
    id: Id,
    is_map: bool,
    /// Where its last key is in the document.
    key: Range<usize>,
    number: usize,
}

/// A document and the table.
#[derive(Clone, Copy)]
struct Both<'b> {
    nodes: &'b Nodes,
    document: &'b [u8],
}

impl Checker {
    /// Compares a document, which is valid, compact JSON. `found` is told what is wrong, at which
    /// path.
    pub(super) fn check(
        &mut self,
        nodes: &Nodes,
        document: &[u8],
        found: &mut dyn FnMut(String, Fault),
    ) {
        self.levels.clear();
        self.names.clear();
        self.count = 0;
        self.below = ROOT;
        let both = Both { nodes, document };
        let mut tokens = Tokens {
            text: document,
            at: 0,
        };
        while let Some((token, range)) = tokens.next() {
            let text = &document[range.clone()];
            match token {
                Token::Key => {
                    // Its value stands behind the colon.
                    let at = tokens.at + 1;
                    self.key(both, range, Tokens { at, ..tokens }, found);
                }
                Token::Open => self.open(both, text == b"{", found),
                Token::Close => _ = self.levels.pop(),
                Token::Other if matches!(text, b"," | b":") => {}
                Token::Other => self.scalar(both, text, found),
            }
        }
    }

    fn key(
        &mut self,
        both: Both<'_>,
        range: Range<usize>,
        value: Tokens<'_>,
        found: &mut dyn FnMut(String, Fault),
    ) {
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        let text = &both.document[range.clone()];
        let name = both.nodes.name(level.id, &unquoted(text));
        let node = both.nodes.get(level.id);
        let known = both.nodes.find(level.id, &name);
        let before = self.names.insert((level.number, name), range.clone());
        level.key = range;
        self.below = match node {
            Node::Map(values) => *values,
            _ => known.unwrap_or(NOWHERE),
        };
        if let (Node::Struct(_), None) = (node, known)
            && let Some(glue_type) = infer::type_of(value)
        {
            found(self.path(both), Fault::NoColumn(glue_type.to_string()));
        }
        // The same key again is not sent.
        if before.is_some_and(|before| both.document[before] != *text) {
            found(self.path(both), Fault::SameName);
        }
    }

    /// The node of the value that begins.
    fn value(&self, nodes: &Nodes) -> Id {
        match self.levels.last().filter(|level| !level.is_map) {
            None => self.below,
            Some(level) => match nodes.get(level.id) {
                Node::Array(items) => *items,
                _ => NOWHERE,
            },
        }
    }

    fn open(&mut self, both: Both<'_>, is_map: bool, found: &mut dyn FnMut(String, Fault)) {
        let mut id = self.value(both.nodes);
        let kind = if is_map { Kind::Object } else { Kind::Array };
        let node = both.nodes.get(id);
        if id != NOWHERE && node.takes(kind) == Some(false) {
            found(self.path(both), wrong(kind.name(), node));
            id = NOWHERE;
        }
        self.count += 1;
        self.levels.push(Level {
            id,
            is_map,
            key: 0..0,
            number: self.count,
        });
    }

    fn scalar(&mut self, both: Both<'_>, text: &[u8], found: &mut dyn FnMut(String, Fault)) {
        let id = self.value(both.nodes);
        let Some(kind) = infer::scalar_kind(text).filter(|_| id != NOWHERE) else {
            return;
        };
        let node = both.nodes.get(id);
        let is_taken = match (node, kind) {
            (Node::Plain(name), Kind::Integer) => {
                let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                let fits = number.is_none_or(|number| glue_type::range(name).contains(&number));
                node.takes(kind).map(|takes| takes && fits)
            }
            (Node::Plain(name), Kind::Text) if name == "timestamp" => {
                Some(kind::is_timestamp(&unquoted(text)))
            }
            _ => node.takes(kind),
        };
        if is_taken == Some(false) {
            found(self.path(both), wrong(kind.name(), node));
        }
    }

    /// Of the value or key that was reached, of bounded length.
    fn path(&self, both: Both<'_>) -> String {
        let mut path = String::new();
        for level in &self.levels {
            match both.nodes.get(level.id) {
                _ if !level.is_map => path.push_str("[]"),
                Node::Map(_) => path.push_str(".*"),
                _ => push_key(&mut path, &unquoted(&both.document[level.key.clone()])),
            }
            if path.len() > MAX_PATH {
                path.truncate(path.floor_char_boundary(MAX_PATH));
                path.push('…');
                break;
            }
        }
        path
    }
}

/// A longer path is cut.
const MAX_PATH: usize = 1_000;

fn wrong(what: &'static str, node: &Node) -> Fault {
    Fault::WrongType(what, node.type_name().to_owned())
}

/// What a JSON string says, quotes and all, as `format::json` writes it.
pub(super) fn unquoted(text: &[u8]) -> Cow<'_, str> {
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    let text = String::from_utf8_lossy(text.strip_suffix(b"\"").unwrap_or(text));
    if !text.contains('\\') {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let escaped = match letter {
            '\\' => letters.next(),
            _ => {
                plain.push(letter);
                continue;
            }
        };
        plain.push(match escaped {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('u') => {
                let code: String = letters.by_ref().take(4).collect();
                let code = u32::from_str_radix(&code, 16).ok();
                code.and_then(char::from_u32).unwrap_or('\u{fffd}')
            }
            Some(other) => other,
            None => '\u{fffd}',
        });
    }
    Cow::Owned(plain)
}

/// The longest key that is shown whole; no column has a longer name.
const MAX_KEY: usize = glue_type::MAX_NAME_BYTES;

/// Adds a key to a path. One that could be taken for a path itself stands in brackets and quotes.
fn push_key(path: &mut String, key: &str) {
    let is_odd = |letter: char| {
        letter.is_control() || letter.is_whitespace() || "`\"\u{2028}\u{2029}".contains(letter)
    };
    let shown = key.chars().take(MAX_KEY);
    let shown = shown.map(|letter| if is_odd(letter) { '\u{fffd}' } else { letter });
    if key.is_empty() || key.contains(['.', '[', ']', '*']) {
        path.push_str("[\"");
        path.extend(shown);
        path.push_str("\"]");
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.extend(shown);
    if key.chars().nth(MAX_KEY).is_some() {
        path.push('…');
    }
}
