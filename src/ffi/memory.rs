//! Reads the memory of the process itself, without trust in an address; and there all that the
//! output's section says, names that the plugin does not know included.
//!
//! The host answers for one name at a time, and of a name that stands twice (as each item of a
//! list in YAML does) with the first value only. But it keeps the whole section as a list, from
//! which the answer comes.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How many bytes are read from the start of the host's instance, which is shorter.
pub(super) const INSTANCE_BYTES: usize = 4096;

/// The longest text that is read.
const MAX_TEXT: usize = 64 * 1024;

/// The kernel reads for us: an address that is not mapped gives fewer bytes or none. To follow such
/// a pointer would end the process.
#[derive(Debug)]
pub(super) struct Memory(File);

impl Memory {
    pub(super) fn open() -> io::Result<Self> {
        File::open("/proc/self/mem").map(Self)
    }

    /// The words from an address on, as many as are mapped of `count`.
    fn words(&self, address: usize, count: usize) -> Vec<usize> {
        let bytes = self.bytes(address, count * size_of::<usize>());
        let (words, _) = bytes.as_chunks();
        words.iter().copied().map(usize::from_ne_bytes).collect()
    }

    /// The same as C's `int`s.
    pub(super) fn ints(&self, address: usize, count: usize) -> Vec<i32> {
        let bytes = self.bytes(address, count * size_of::<i32>());
        let (ints, _) = bytes.as_chunks();
        ints.iter().copied().map(i32::from_ne_bytes).collect()
    }

    /// The C string at an address; none if it has no end. What is no UTF-8 is replaced.
    fn text(&self, address: usize) -> Option<String> {
        let bytes = self.bytes(address, MAX_TEXT);
        let text = CStr::from_bytes_until_nul(&bytes).ok()?;
        Some(text.to_string_lossy().into_owned())
    }

    fn bytes(&self, address: usize, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        let read = self.0.read_at(&mut bytes, address as u64);
        bytes.truncate(read.unwrap_or(0));
        bytes
    }
}

/// No section is longer.
const MAX_PROPERTIES: usize = 1000;

/// Name and value of each property, in their order; none if the list is not found.
///
/// `value` is the address at which the host has the value of a property that is set. The list is
/// circular: its head lies in the instance, each node in a property (`struct flb_kv`: name, value,
/// node; a node is the one before and the next, `struct mk_list`). All of that is assumed, and
/// checked: each node must name the node before it, each name must be a text, the last node must
/// lead back to the head, and `value` must be among them. So no other memory passes for it.
pub(super) fn properties(
    memory: &Memory,
    instance: usize,
    value: usize,
) -> Option<Vec<(String, String)>> {
    // What lies behind the instance is never taken for a list.
    let words = memory.words(instance, INSTANCE_BYTES / size_of::<usize>());
    let mut heads = words.windows(2).enumerate();
    heads.find_map(|(place, head)| {
        let address = instance + place * size_of::<usize>();
        walk(memory, address, head[1], value)
    })
}

/// The properties from the node `first` on, if they are a list with this head and this value.
fn walk(memory: &Memory, head: usize, first: usize, value: usize) -> Option<Vec<(String, String)>> {
    const NODE: usize = 2 * size_of::<usize>();
    let mut properties = Vec::new();
    let mut has_value = false;
    let (mut before, mut node) = (head, first);
    while node != head {
        let words = memory.words(node.checked_sub(NODE)?, 4);
        let &[name, text, previous, next] = words.first_chunk()?;
        if previous != before || properties.len() == MAX_PROPERTIES {
            return None;
        }
        has_value |= text == value;
        // A property without a value has none to read.
        let text = if text == 0 {
            String::new()
        } else {
            memory.text(text)?
        };
        properties.push((memory.text(name)?, text));
        (before, node) = (node, next);
    }
    has_value.then_some(properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mapped_is_read_and_what_is_not_gives_nothing() {
        let memory = Memory::open().unwrap();
        let words = [1, usize::MAX, 3];
        assert_eq!(memory.words(words.as_ptr().addr(), 3), words);
        let ints = [-1, 7];
        assert_eq!(memory.ints(ints.as_ptr().addr(), 2), ints);
        for address in [0, 8, usize::MAX, usize::MAX / 2] {
            assert!(memory.words(address, 4).is_empty(), "{address:x}");
            assert_eq!(memory.text(address), None, "{address:x}");
        }
    }

    #[test]
    fn a_text_ends_at_its_zero_and_nowhere_else() {
        let memory = Memory::open().unwrap();
        assert_eq!(memory.text(c"a".as_ptr().addr()).as_deref(), Some("a"));
        let endless = vec![b'x'; 2 * MAX_TEXT];
        assert_eq!(memory.text(endless.as_ptr().addr()), None);
        let damaged = memory.text(c"a\xff".as_ptr().addr());
        assert_eq!(damaged.as_deref(), Some("a\u{fffd}"));
    }

    const SECTION: [(&CStr, &CStr); 4] = [
        (c"Delivery_Stream", c"logs"),
        (c"data_keys", c"a"),
        (c"data_keys", c"b"),
        (c"simple_agregation", c"true"),
    ];

    const HEAD: usize = 17;
    const NAME: usize = 0;
    const VALUE: usize = 1;
    const PREVIOUS: usize = 2;
    const NEXT: usize = 3;

    /// Where a property's words are.
    fn place(number: usize) -> usize {
        INSTANCE_BYTES / 8 + 4 * number
    }

    /// An instance as the host has it: the list's head somewhere, other words around it; and behind
    /// it the properties.
    fn instance() -> Vec<usize> {
        let mut words = vec![0x1234_5678; place(SECTION.len())];
        let start = words.as_ptr().addr();
        let nodes = (0..SECTION.len()).map(|number| place(number) + PREVIOUS);
        let nodes: Vec<usize> = [HEAD].into_iter().chain(nodes).collect();
        for (at, node) in nodes.iter().enumerate() {
            let next = nodes[(at + 1) % nodes.len()];
            words[node + 1] = start + next * 8;
            words[next] = start + node * 8;
        }
        for (number, (name, value)) in SECTION.iter().enumerate() {
            words[place(number) + NAME] = name.as_ptr().addr();
            words[place(number) + VALUE] = value.as_ptr().addr();
        }
        words
    }

    fn read(instance: &[usize], value: usize) -> Option<Vec<(String, String)>> {
        properties(&Memory::open().unwrap(), instance.as_ptr().addr(), value)
    }

    #[test]
    fn the_list_is_read_in_its_order_and_nothing_else_is_taken_for_it() {
        let damages: [fn(&mut [usize]); 5] = [
            |words| words[place(3) + NEXT] = 0,
            |words| words[place(2) + PREVIOUS] += 8,
            |words| words[place(1) + NAME] = 8,
            // It leads to itself.
            |words| words[place(0) + NEXT] = words[HEAD + 1],
            |words| words[HEAD + 1] = 0,
        ];
        let text = |text: &CStr| text.to_str().unwrap().to_owned();
        let expected = SECTION.map(|(name, value)| (text(name), text(value)));
        for (number, damage) in damages.into_iter().enumerate() {
            let mut instance = instance();
            let value = instance[place(0) + VALUE];
            assert_eq!(read(&instance, value).unwrap(), expected);
            damage(&mut instance);
            assert_eq!(read(&instance, value), None, "{number}");
        }
        assert_eq!(
            read(&instance(), 8),
            None,
            "a value that is not in the list"
        );
    }
}
