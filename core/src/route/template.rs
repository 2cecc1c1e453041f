//! The text of `delivery_stream`: `$TAG`, `$TAG[n]` and record accessors between literal text.

use crate::format::accessor::Accessor;
use crate::limits::MAX_STREAM_NAME;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(String),
    Tag,
    /// A part of the tag between two dots, counted from 0; from -1 backwards from the end.
    TagPart(isize),
    Value(Accessor),
}

impl Template {
    /// Whether a text is no plain name.
    pub fn is_one(text: &str) -> bool {
        text.contains('$')
    }

    /// A phrase says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (literal, behind) = rest.split_at(rest.find('$').unwrap_or(rest.len()));
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            rest = behind;
            if let Some(behind) = after_tag(rest) {
                let (piece, behind) = parse_tag(behind)?;
                pieces.push(piece);
                rest = behind;
            } else if !rest.is_empty() {
                let (accessor, behind) = Accessor::parse_start(rest)?;
                pieces.push(Piece::Value(accessor));
                rest = behind;
            }
        }
        let is_bad = |c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c));
        for piece in &pieces {
            if let Piece::Literal(literal) = piece
                && let Some(bad) = literal.chars().find(|c| is_bad(*c))
            {
                return Err(format!("no stream's name has a `{bad}`"));
            }
        }
        let literals = pieces.iter().map(|piece| match piece {
            Piece::Literal(literal) => literal.len(),
            _ => 0,
        });
        if literals.sum::<usize>() > MAX_STREAM_NAME {
            return Err(format!(
                "its text alone is longer than the {MAX_STREAM_NAME} letters of a stream's name"
            ));
        }
        Ok(Self(pieces))
    }

    /// The places in an event whose values are in the name.
    pub(super) fn accessors(&self) -> impl Iterator<Item = &Accessor> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Value(accessor) => Some(accessor),
            _ => None,
        })
    }

    /// The text for an event with this tag and these values, in the order of the accessors; none if
    /// one is missing.
    pub(super) fn text(&self, tag: &str, values: &[Option<String>]) -> Option<String> {
        let mut text = String::new();
        let mut values = values.iter();
        for piece in &self.0 {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Tag => text.push_str(tag),
                Piece::TagPart(place) => {
                    let mut parts = tag.split('.');
                    let part = match usize::try_from(*place) {
                        Ok(place) => parts.nth(place),
                        Err(_) => parts.nth_back(place.unsigned_abs() - 1),
                    };
                    text.push_str(part?);
                }
                Piece::Value(_) => text.push_str(values.next()?.as_deref()?),
            }
        }
        Some(text)
    }

    fn all_placeholders(&self) -> impl Iterator<Item = &Piece> {
        let is_one = |piece: &&Piece| !matches!(piece, Piece::Literal(_));
        self.0.iter().filter(is_one)
    }

    pub(super) fn placeholders(&self) -> usize {
        self.all_placeholders().count()
    }

    /// The placeholder, if all are the same one.
    pub(super) fn placeholder(&self) -> Option<&Piece> {
        let first = self.all_placeholders().next()?;
        self.all_placeholders()
            .all(|other| other == first)
            .then_some(first)
    }

    /// The text where each placeholder has this value.
    pub(super) fn text_with(&self, value: &str) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Literal(literal) => literal.clone(),
            _ => value.to_owned(),
        };
        self.0.iter().map(text).collect()
    }

    /// The value with which a template of one placeholder gives this text.
    pub(super) fn value_in<'t>(&self, text: &'t str) -> Option<&'t str> {
        let literal = |piece: Option<&Piece>| match piece {
            Some(Piece::Literal(literal)) => literal.clone(),
            _ => String::new(),
        };
        let rest = text.strip_prefix(&literal(self.0.first()))?;
        rest.strip_suffix(&literal(self.0.last()))
    }
}

/// What stands behind `$TAG`, if the text begins with it.
fn after_tag(text: &str) -> Option<&str> {
    let behind = text.strip_prefix("$TAG")?;
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!behind.starts_with(is_of_name)).then_some(behind)
}

fn parse_tag(behind: &str) -> Result<(Piece, &str), String> {
    let Some(number) = behind.strip_prefix('[') else {
        return Ok((Piece::Tag, behind));
    };
    let wrong = || "behind `$TAG[` stands the number of a part, such as `0` or `-1`, and a `]`";
    let (number, behind) = number.split_once(']').ok_or_else(wrong)?;
    let digits = number.strip_prefix('-').unwrap_or(number);
    let is_number = digits.bytes().all(|digit| digit.is_ascii_digit()) && number != "-0";
    // A tag has no more letters than this.
    let number: Option<i16> = number.parse().ok().filter(|_| is_number);
    let number = number.ok_or_else(wrong)?;
    Ok((Piece::TagPart(number.into()), behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(template: &str, tag: &str, values: &[&str]) -> Option<String> {
        let values: Vec<_> = values
            .iter()
            .map(|value| Some((*value).to_owned()))
            .collect();
        Template::parse(template).unwrap().text(tag, &values)
    }

    #[test]
    fn a_template_is_filled_in() {
        let tag = "kube.var.log.app";
        for (template, values, expected) in [
            ("$TAG", &[][..], Some(tag)),
            ("a-$TAG[0].$TAG[-1]_b", &[], Some("a-kube.app_b")),
            ("$TAG[3]$TAG[-4]", &[], Some("appkube")),
            ("$TAG[4]", &[], None),
            ("$TAG[-5]", &[], None),
            ("$TAGS.x", &["v"], Some("v.x")),
            ("$TAG-x", &[], Some("kube.var.log.app-x")),
            (
                "x$kubernetes['namespace_name']-logs",
                &["shop"],
                Some("xshop-logs"),
            ),
            ("$a['b']$c", &["1", "2"], Some("12")),
        ] {
            assert_eq!(
                text(template, tag, values).as_deref(),
                expected,
                "{template}"
            );
        }
        assert_eq!(Template::parse("$a").unwrap().text("t", &[None]), None);
    }

    #[test]
    fn a_wrong_template_says_why() {
        for (template, why) in [
            ("$", "a letter or `_` must follow `$`"),
            ("a b$TAG", "no stream's name has a ` `"),
            ("$a['b'", "a `[` has no `]`"),
            ("$TAG[1", "behind `$TAG[` stands the number of a part"),
            ("$TAG[+1]", "behind `$TAG[` stands the number of a part"),
            ("$TAG[-0]", "behind `$TAG[` stands the number of a part"),
            ("$TAG[x]", "behind `$TAG[` stands the number of a part"),
            ("$TAG[0]/", "no stream's name has a `/`"),
        ] {
            let error = Template::parse(template).unwrap_err();
            assert!(error.starts_with(why), "{template}: {error}");
        }
        let long = |letters: usize| Template::parse(&format!("$a.{}", "x".repeat(letters - 1)));
        assert!(long(MAX_STREAM_NAME).is_ok());
        let error = long(MAX_STREAM_NAME + 1).unwrap_err();
        assert!(error.starts_with("its text alone is longer"), "{error}");
    }
}
