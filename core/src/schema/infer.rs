//! The type of a column that would take a value, told from the JSON text of one.

use super::glue_type::{GlueType, is_name};
use super::kind::Kind;
use crate::format::tokens::{Kind as Token, Tokens};

/// A longer type says little in a log line; text takes such a value as its JSON.
const MAX_TEXT: usize = 1_000;

/// A struct of more fields is longer, however short they are. Each field that comes is looked for
/// among those that are known, so this bounds what a value can cost.
const MOST_FIELDS: usize = MAX_TEXT / "a:string,".len();

/// What is nested deeper becomes text too.
const MAX_DEPTH: usize = 16;

/// The type for the value that begins the tokens. None: it is null, which tells none.
pub(super) fn type_of(tokens: Tokens<'_>) -> Option<GlueType> {
    let glue_type = read(&mut tokens.clone(), 0)?;
    let is_short = glue_type.to_string().len() <= MAX_TEXT;
    Some(if is_short { glue_type } else { text() })
}

fn text() -> GlueType {
    GlueType::plain("string")
}

fn read(tokens: &mut Tokens<'_>, depth: usize) -> Option<GlueType> {
    let (token, range) = tokens.next()?;
    let first = tokens.text[range.start];
    if token != Token::Open {
        let name = scalar_kind(&tokens.text[range]).map(plain)?;
        return Some(GlueType::plain(name));
    }
    if depth == MAX_DEPTH {
        skip(tokens);
        return Some(text());
    }
    Some(match first {
        b'{' => structure(tokens, depth),
        _ => GlueType::Array(Box::new(items(tokens, depth))),
    })
}

/// To the end of a container that was begun.
fn skip(tokens: &mut Tokens<'_>) {
    let mut depth = 1;
    for (token, _) in tokens.by_ref() {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth -= 1,
            Token::Key | Token::Other => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// A struct of the fields that it can have; text, if there are none.
fn structure(tokens: &mut Tokens<'_>, depth: usize) -> GlueType {
    let mut fields: Vec<(String, GlueType)> = Vec::new();
    while let Some((token, range)) = tokens.next() {
        match token {
            Token::Close => break,
            Token::Key => {
                let name = super::check::unquoted(&tokens.text[range]).to_lowercase();
                // The colon.
                tokens.next();
                let glue_type = read(tokens, depth + 1).unwrap_or_else(text);
                let is_new = fields.iter().all(|(known, _)| *known != name);
                if is_name(&name) && is_new && fields.len() <= MOST_FIELDS {
                    fields.push((name, glue_type));
                }
            }
            Token::Open | Token::Other => {}
        }
    }
    match fields.is_empty() {
        true => text(),
        false => GlueType::Struct(fields),
    }
}

fn items(tokens: &mut Tokens<'_>, depth: usize) -> GlueType {
    let mut all: Option<GlueType> = None;
    while tokens.text.get(tokens.at).is_some_and(|byte| *byte != b']') {
        if tokens.text[tokens.at] == b',' {
            tokens.at += 1;
            continue;
        }
        if let Some(next) = read(tokens, depth + 1) {
            let both = match all {
                Some(all) => merged(all, next),
                None => next,
            };
            let is_long = fields(&both) > MOST_FIELDS;
            all = Some(if is_long { text() } else { both });
        }
    }
    tokens.next();
    all.unwrap_or_else(text)
}

/// How many fields a type has, those of its fields too.
fn fields(glue_type: &GlueType) -> usize {
    match glue_type {
        GlueType::Struct(own) => own.iter().map(|(_, inner)| 1 + fields(inner)).sum(),
        GlueType::Array(inner) => fields(inner),
        _ => 0,
    }
}

/// The type that takes the values of both.
pub fn merged(one: GlueType, other: GlueType) -> GlueType {
    match (one, other) {
        (GlueType::Array(one), GlueType::Array(other)) => {
            GlueType::Array(Box::new(merged(*one, *other)))
        }
        (GlueType::Struct(mut fields), GlueType::Struct(more)) => {
            for (name, glue_type) in more {
                match fields.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, known)) => {
                        let before = std::mem::replace(known, text());
                        *known = merged(before, glue_type);
                    }
                    None => fields.push((name, glue_type)),
                }
            }
            GlueType::Struct(fields)
        }
        (GlueType::Plain(one), GlueType::Plain(other))
            if [&*one, &*other].map(is_number) == [true, true] && one != other =>
        {
            GlueType::plain("double")
        }
        (one, other) if one == other => one,
        _ => text(),
    }
}

fn is_number(name: &str) -> bool {
    matches!(name, "bigint" | "double")
}

/// The kind of a value that is no container; none of null.
pub(super) fn scalar_kind(value: &[u8]) -> Option<Kind> {
    Some(match value {
        b"null" => return None,
        b"true" | b"false" => Kind::Boolean,
        [b'"', ..] => Kind::of_text(&super::check::unquoted(value)),
        number => Kind::of_number(&String::from_utf8_lossy(number)),
    })
}

fn plain(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "boolean",
        Kind::Integer => "bigint",
        Kind::Fraction => "double",
        Kind::Timestamp => "timestamp",
        _ => "string",
    }
}
