//! Makes a document that is too long for a record fit it, without breaking it.
//!
//! What is longest is shortened first, whatever it is, and only as far as needed. It works on the
//! finished text, so an ordinary document pays nothing for it.

use crate::format::tokens::{Kind, Tokens, string_length};
use crate::format::transcode::close;

/// Ends a string that was cut.
pub const MARK: &str = "[Truncated...]";

/// At least so much is left of a string. What is not longer than this need not be shortened.
const SHORTEST: usize = 2 + MARK.len();

/// A value gets at least this part of its container's room; if that is not enough, other values go.
/// So more is left of many long values than the marks of their cuts.
const LEAST_PART: usize = 4096;

/// Shortens valid, compact JSON to at most `limit` bytes of valid JSON.
///
/// A string is cut. An array has its elements shortened, and where that is not enough the last ones
/// left out. So has an object, where the longest pairs are left out; of the outermost object the
/// pair whose key, with its colon, is `stays` goes last.
pub fn json(text: &[u8], limit: usize, stays: Option<&[u8]>) -> Vec<u8> {
    let mut shortener = Shortener {
        text,
        containers: containers(text),
        out: Vec::with_capacity(limit + 1),
        ..Shortener::default()
    };
    let whole = Member {
        start: 0,
        value: 0,
        end: text.len(),
    };
    shortener.value(whole, limit, stays);
    while shortener.next().is_some() {}
    shortener.out.pop();
    shortener.out
}

/// Cuts text that is not JSON to at most `limit` bytes, on a character's boundary if it is UTF-8.
pub fn text(text: &[u8], limit: usize) -> Vec<u8> {
    let mut end = limit.saturating_sub(MARK.len()).min(text.len());
    let is_continuation = |byte: &u8| byte & 0xc0 == 0x80;
    while end > 0 && text.get(end).is_some_and(is_continuation) {
        end -= 1;
    }
    [&text[..end], MARK.as_bytes()].concat()
}

/// The start and the end of each container that is long enough to be shortened, ordered by start.
fn containers(text: &[u8]) -> Vec<(usize, usize)> {
    // While a container is open, its end holds the index of the container around it.
    let mut containers: Vec<(usize, usize)> = Vec::new();
    let mut innermost = 0;
    for (kind, token) in (Tokens { text, at: 0 }) {
        match kind {
            Kind::Open => {
                containers.push((token.start, innermost));
                innermost = containers.len() - 1;
            }
            Kind::Close => {
                let (start, around) = containers[innermost];
                if token.end - start > SHORTEST {
                    containers[innermost].1 = token.end;
                } else {
                    // It is the last one, as those within it were shorter still.
                    containers.truncate(innermost);
                }
                innermost = around;
            }
            _ => {}
        }
    }
    containers
}

/// A value of a container, and its key if it has one. Places in the text.
#[derive(Clone, Copy, Debug)]
struct Member {
    start: usize,
    value: usize,
    end: usize,
}

impl Member {
    /// With its colon; an array's members have none.
    fn key<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        &text[self.start..self.value]
    }

    fn text<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        &text[self.value..self.end]
    }

    /// Whether the value is longer than `level` bytes and can be shortened. Numbers and the like
    /// can't.
    fn is_over(&self, text: &[u8], level: usize) -> bool {
        self.end - self.value > level && matches!(text[self.value], b'"' | b'[' | b'{')
    }

    /// How many bytes it takes if it is shortened to `level`, its comma included.
    fn length(&self, text: &[u8], level: usize) -> usize {
        match self.is_over(text, level) {
            true => self.value - self.start + level + 1,
            false => self.end - self.start + 1,
        }
    }
}

/// A container that is being shortened and has members to come.
#[derive(Debug)]
struct Open {
    /// How many brackets are open, its own included.
    depth: usize,
    /// Where its members begin among those of all.
    first: usize,
    /// To how many bytes its values are shortened.
    level: usize,
    /// How many bytes the members to come take at that level.
    planned: usize,
    /// Where in the output its last member must end, a comma behind it included.
    end: usize,
}

#[derive(Default)]
struct Shortener<'t> {
    text: &'t [u8],
    containers: Vec<(usize, usize)>,
    out: Vec<u8>,
    /// What ends the containers that are open.
    brackets: Vec<u8>,
    open: Vec<Open>,
    /// The members to come of the open containers, the next one last.
    members: Vec<Member>,
}

impl Shortener<'_> {
    /// Writes the next member of the innermost container that has one to come.
    fn next(&mut self) -> Option<()> {
        let open = self.open.last_mut()?;
        let member = self.members.pop()?;
        self.out.extend_from_slice(member.key(self.text));
        // What the values before it left unused is for it too.
        open.planned -= member.length(self.text, open.level);
        let room = open.end - self.out.len() - open.planned - 1;
        if self.members.len() == open.first {
            self.open.pop();
        }
        self.value(member, room, None);
        Some(())
    }

    /// Writes a value in at most so many bytes: opens it, if it is a container that is longer.
    fn value(&mut self, member: Member, room: usize, stays: Option<&[u8]>) {
        let text = member.text(self.text);
        if text.len() <= room {
            self.out.extend_from_slice(text);
        } else if text[0] == b'"' {
            push_cut(&mut self.out, text, room);
        } else {
            return self.open(member, room, stays);
        }
        self.out.push(b',');
        self.end_containers();
    }

    /// Ends the containers that have no member to come.
    fn end_containers(&mut self) {
        let depth = self.open.last().map_or(0, |open| open.depth);
        for bracket in self.brackets.drain(depth..).rev() {
            close(&mut self.out, bracket);
            self.out.push(b',');
        }
    }

    /// Chooses the members of a container that are to be written, and how long they may be.
    fn open(&mut self, container: Member, room: usize, stays: Option<&[u8]>) {
        let text = self.text;
        // Two brackets, and one comma less than there are members.
        let room = room.saturating_sub(1);
        let least = (room / LEAST_PART).max(SHORTEST);
        let first = self.members.len();
        let is_map = text[container.value] == b'{';
        let mut used = 0;
        let mut at = container.value + 1;
        while at < container.end - 1 && (is_map || used <= room) {
            let member = self.member(at, is_map);
            used += member.length(text, least);
            at = member.end + 1;
            self.members.push(member);
        }
        if used > room {
            let members = &mut self.members[first..];
            if is_map {
                let goes = |member: &Member| stays != Some(member.key(text));
                members.sort_unstable_by_key(|member| {
                    (goes(member), member.length(text, least), member.start)
                });
            }
            used = 0;
            let fits = |member: &&Member| {
                used += member.length(text, least);
                used <= room
            };
            let count = members.iter().take_while(fits).count();
            self.members.truncate(first + count);
        }
        let members = &mut self.members[first..];
        members.sort_unstable_by_key(|member| std::cmp::Reverse(member.start));
        let level = highest_level(members, text, least, room);
        let planned = length(members, text, level);
        self.out.push(text[container.value]);
        self.brackets.push(if is_map { b'}' } else { b']' });
        if self.members.len() == first {
            return self.end_containers();
        }
        self.open.push(Open {
            depth: self.brackets.len(),
            first,
            level,
            planned,
            end: self.out.len() + room,
        });
    }

    /// The member that begins at a place.
    fn member(&self, start: usize, has_key: bool) -> Member {
        let value = match has_key {
            true => start + string_length(&self.text[start..]) + 1,
            false => start,
        };
        let containers = &self.containers;
        let found = containers.binary_search_by_key(&value, |(start, _)| *start);
        let end = match found {
            Ok(index) => containers[index].1,
            Err(_) => self.short_end(value),
        };
        Member { start, value, end }
    }

    /// The end of a value that is no long container.
    fn short_end(&self, start: usize) -> usize {
        let mut depth = 0;
        let (text, at) = (self.text, start);
        let ends = |(kind, _): &(Kind, _)| {
            depth += i32::from(*kind == Kind::Open) - i32::from(*kind == Kind::Close);
            depth == 0
        };
        let last = Tokens { text, at }.find(ends);
        last.map_or(start, |(_, token)| token.end)
    }
}

/// How many bytes members take, with values shortened to `level`.
fn length(members: &[Member], text: &[u8], level: usize) -> usize {
    let lengths = members.iter().map(|member| member.length(text, level));
    lengths.sum()
}

/// The highest level at which members fit; at `least` they do.
fn highest_level(members: &[Member], text: &[u8], least: usize, room: usize) -> usize {
    let (mut level, mut most) = (least, room.max(least));
    while level < most {
        let middle = (level + most).div_ceil(2);
        if length(members, text, middle) <= room {
            level = middle;
        } else {
            most = middle - 1;
        }
    }
    level
}

/// Writes a JSON string cut to `length`, quotes and mark included, between two characters.
fn push_cut(out: &mut Vec<u8>, string: &[u8], length: usize) {
    let room = length.saturating_sub(1 + MARK.len());
    let mut end = 1;
    while end < string.len() {
        let character = match string[end] {
            b'\\' if string.get(end + 1) == Some(&b'u') => 6,
            b'\\' => 2,
            0x00..=0x7f => 1,
            0x80..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => 4,
        };
        if end + character > room {
            break;
        }
        end += character;
    }
    out.extend_from_slice(&string[..end]);
    out.extend_from_slice(MARK.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
#[path = "truncate/tests.rs"]
mod tests;
