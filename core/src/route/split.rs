//! Splits a chunk by the delivery streams that its events go to.

use std::collections::HashMap;
use std::ops::Range;

use crate::deliver::ranges::Ranges;
use crate::format::event::{Head, read_head};
use crate::format::msgpack::{Malformed, Reader, Token};

use super::{Route, Target, Why};

/// What of a chunk goes to one target.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    pub target: Target,
    pub ranges: Ranges,
}

/// Every byte of the chunk is in one part. What is no event, or can't be read, goes with the event
/// before it.
pub fn split(route: &Route, tag: &str, chunk: &[u8]) -> Vec<Part> {
    if route.template.accessors().next().is_none() {
        let target = route.target(route.template.text(tag, &[]));
        let ranges = Ranges::from(0..chunk.len());
        return vec![Part { target, ranges }];
    }
    let mut splitter = Splitter {
        route,
        tag,
        parts: Vec::new(),
        known: HashMap::new(),
        of_targets: HashMap::new(),
        last: None,
        value: Vec::new(),
        tokens: Vec::new(),
    };
    let mut reader = Reader::new(chunk);
    // What goes to one target, and to which one, if that is known.
    let mut run = (0..0, None);
    while !reader.is_empty() {
        let place = splitter.place_of_next(&mut reader);
        let is_corrupt = place.is_err();
        let place = place.ok().flatten();
        if let (Some(place), (_, Some(of_run))) = (place, &run)
            && place != *of_run
        {
            splitter.end_run(run.0.clone(), *of_run);
            run.0.start = run.0.end;
        }
        if let Some(place) = place {
            run.1 = Some(place);
        }
        run.0.end = if is_corrupt {
            chunk.len()
        } else {
            reader.offset()
        };
        if is_corrupt {
            break;
        }
    }
    let place = run
        .1
        .unwrap_or_else(|| splitter.place_of(Target::Default(Why::NoValue)));
    splitter.end_run(run.0, place);
    splitter.parts
}

/// How many events a part has.
pub fn events(chunk: &[u8], ranges: &Ranges) -> u64 {
    let count = |range: Range<usize>| {
        let mut reader = Reader::new(chunk.get(range).unwrap_or_default());
        let mut count = 0;
        while !reader.is_empty()
            && let Ok(head) = read_head(&mut reader)
            && reader.skip().is_ok()
        {
            count += u64::from(matches!(head, Head::Event(_)));
        }
        count
    };
    ranges.iter().map(count).sum()
}

struct Splitter<'r, 'c> {
    route: &'r Route,
    tag: &'r str,
    parts: Vec<Part>,
    /// The places of parts by the events' values, as they are in the chunk.
    known: HashMap<Vec<u8>, usize>,
    of_targets: HashMap<Target, usize>,
    /// The last event's values, and its part.
    last: Option<(Vec<u8>, usize)>,
    /// The values of the event that is read.
    value: Vec<u8>,
    tokens: Vec<Option<Token<'c>>>,
}

impl<'c> Splitter<'_, 'c> {
    /// Reads the next value of the chunk. Returns the place of its part, if it is an event.
    fn place_of_next(&mut self, reader: &mut Reader<'c>) -> Result<Option<usize>, Malformed> {
        if !matches!(read_head(reader)?, Head::Event(_)) {
            reader.skip()?;
            return Ok(None);
        }
        let body = *reader;
        self.value.clear();
        self.tokens.clear();
        for accessor in self.route.template.accessors() {
            let mut from = body;
            let token = accessor.find(&mut from)?;
            *reader = from;
            push_key(&mut self.value, token);
            self.tokens.push(token);
        }
        if let Some((value, place)) = &self.last
            && *value == self.value
        {
            return Ok(Some(*place));
        }
        let place = match self.known.get(&self.value) {
            Some(place) => *place,
            None => {
                let values: Vec<Option<String>> = self.tokens.iter().copied().map(text).collect();
                let text = self.route.template.text(self.tag, &values);
                let place = self.place_of(self.route.target(text));
                self.known.insert(self.value.clone(), place);
                place
            }
        };
        let (value, of_last) = self.last.get_or_insert_default();
        value.clone_from(&self.value);
        *of_last = place;
        Ok(Some(place))
    }

    fn place_of(&mut self, target: Target) -> usize {
        if let Some(place) = self.of_targets.get(&target) {
            return *place;
        }
        let place = self.parts.len();
        self.of_targets.insert(target.clone(), place);
        self.parts.push(Part {
            target,
            ranges: Ranges::default(),
        });
        place
    }

    fn end_run(&mut self, range: Range<usize>, place: usize) {
        self.parts[place].ranges.insert(range);
    }
}

/// Appends what tells values apart.
fn push_key(key: &mut Vec<u8>, token: Option<Token<'_>>) {
    let mut push = |kind: u8, bytes: &[u8]| {
        key.push(kind);
        key.extend_from_slice(&bytes.len().to_le_bytes());
        key.extend_from_slice(bytes);
    };
    match token {
        Some(Token::Str(bytes) | Token::Bin(bytes)) => push(0, bytes),
        Some(Token::Unsigned(number)) => push(1, &number.to_le_bytes()),
        Some(Token::Signed(number)) => push(2, &number.to_le_bytes()),
        Some(Token::Float(number)) => push(3, &number.to_le_bytes()),
        _ => push(4, &[]),
    }
}

/// A value as it stands in a name; none if it is no text or number.
fn text(token: Option<Token<'_>>) -> Option<String> {
    match token? {
        Token::Str(bytes) | Token::Bin(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Token::Unsigned(number) => Some(number.to_string()),
        Token::Signed(number) => Some(number.to_string()),
        Token::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::route::Template;
    use proptest::prelude::*;

    fn route() -> Route {
        Route {
            template: Template::parse("app-$k['n']").unwrap(),
            replace: None,
            is_lower_case: false,
            allow: Vec::new(),
            max_streams: 64,
        }
    }

    /// `[1, {"k": {"n": value}}]`.
    fn event(value: &[u8]) -> Vec<u8> {
        [&b"\x92\x01\x81\xa1k\x81\xa1n"[..], value].concat()
    }

    fn parts(chunk: &[u8]) -> BTreeMap<String, (Ranges, u64)> {
        let parts = split(&route(), "tag", chunk);
        let told = parts.into_iter().map(|part| {
            let target = match part.target {
                Target::Stream(name) => name,
                Target::Default(why) => Why::NAMES[why.place()].to_owned(),
            };
            let events = events(chunk, &part.ranges);
            (target, (part.ranges, events))
        });
        told.collect()
    }

    #[test]
    fn events_go_by_their_values_and_the_rest_goes_with_the_one_before() {
        let marker = b"\x92\xff\x80";
        let chunk = [
            &marker[..],
            &event(b"\xa1x"),
            marker,
            &event(b"\xa1y"),
            &event(b"\xa1y"),
            &event(b"\xa1x"),
            b"\xc1rest",
        ]
        .concat();
        let found = parts(&chunk);
        let event_bytes = event(b"\xa1x").len();
        let (first, second) = (3 + event_bytes + 3, 3 + event_bytes + 3 + 2 * event_bytes);
        let x = ([0..first, second..chunk.len()].into_iter().collect(), 2);
        let y = (Ranges::from(first..second), 2);
        assert_eq!(found, [("app-x".into(), x), ("app-y".into(), y)].into());
        assert_eq!(
            parts(b"\xc1"),
            [("no_value".into(), (Ranges::from(0..1), 0))].into()
        );
        assert_eq!(
            parts(marker),
            [("no_value".into(), (Ranges::from(0..3), 0))].into()
        );
    }

    #[test]
    fn text_and_numbers_are_names_and_nothing_else_is() {
        for (value, expected) in [
            (&b"\xa3abc"[..], "app-abc"),
            (b"\xc4\x01a", "app-a"),
            (b"\x07", "app-7"),
            (b"\xff", "app--1"),
            (b"\xca\x3f\xc0\x00\x00", "app-1.5"),
            (b"\xa1/", "bad_name"),
            (b"\xa1\xff", "bad_name"),
            (b"\xc0", "no_value"),
            (b"\xc3", "no_value"),
            (b"\x80", "no_value"),
            (b"\x90", "no_value"),
        ] {
            let found: Vec<String> = parts(&event(value)).into_keys().collect();
            assert_eq!(found, [expected], "{value:02x?}");
        }
        let flat = parts(b"\x92\x01\x81\xa1k\x01");
        assert_eq!(flat.into_keys().next().unwrap(), "no_value");
    }

    proptest! {
        /// Whatever the bytes are: all of them are in a part, once.
        #[test]
        fn no_byte_is_lost_or_doubled(
            values in prop::collection::vec(any::<u8>(), 0..30),
            cut in 0..20_usize,
            junk in prop::collection::vec(any::<u8>(), 0..8),
        ) {
            let events = values.iter().flat_map(|value| event(&[0xa1, b'a' + value % 3]));
            let mut chunk: Vec<u8> = events.collect();
            chunk.truncate(chunk.len().saturating_sub(cut));
            chunk.extend(junk);
            let mut all = Ranges::default();
            for part in split(&route(), "tag", &chunk) {
                prop_assert_eq!(all.intersection(&part.ranges), Ranges::default());
                part.ranges.iter().for_each(|range| all.insert(range));
            }
            prop_assert_eq!(all, Ranges::from(0..chunk.len()));
        }
    }
}
