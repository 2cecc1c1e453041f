//! All that the output's section in the configuration says, names that the plugin does not know
//! included.
//!
//! The host answers for one name at a time, and of a name that stands twice (as each item of a
//! list in YAML does) with the first value only. But it keeps the whole section as a list, from
//! which the answer comes.

use super::memory::{INSTANCE_BYTES, Memory};

/// No section is longer.
const MAX_PROPERTIES: usize = 1000;

/// Name and value of each property, in their order; none if the list is not found.
///
/// `value` is the address at which the host has the value of a property that is set. The list is
/// circular: its head lies in the instance, each node in a property (`struct flb_kv`: name, value,
/// node; a node is the one before and the next, `struct mk_list`). All of that is assumed, and
/// checked: each node must name the node before it, each name must be a text, the last node must
/// lead back to the head, and `value` must be among them. So no other memory passes for it.
pub(super) fn read(
    memory: &Memory,
    instance: usize,
    value: usize,
) -> Option<Vec<(String, String)>> {
    // What lies behind the instance is never taken for a list.
    let words = memory.words(instance, INSTANCE_BYTES / size_of::<usize>());
    let heads = words.windows(2).enumerate();
    let mut lists = heads.filter_map(|(place, head)| {
        let address = instance + place * size_of::<usize>();
        walk(memory, address, head[1], value)
    });
    lists.next()
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
    use std::ffi::CString;
    use std::pin::Pin;

    /// An instance as the host has it: the list's head somewhere, other words around it.
    struct Instance {
        words: Pin<Box<[usize; 64]>>,
        nodes: Vec<Pin<Box<[usize; 4]>>>,
        texts: Vec<CString>,
    }

    const HEAD: usize = 17;

    fn instance(properties: &[(&str, &str)]) -> Instance {
        let words = Box::pin([0x1234_5678; 64]);
        let mut new = Instance {
            words,
            nodes: Vec::new(),
            texts: Vec::new(),
        };
        let head = new.address() + HEAD * 8;
        (new.words[HEAD], new.words[HEAD + 1]) = (head, head);
        for (name, value) in properties {
            let texts = [name, value].map(|text| CString::new(*text).unwrap());
            let [name, value] = texts.each_ref().map(|text| text.as_ptr().addr());
            new.texts.extend(texts);
            let last = new.words[HEAD];
            let node = Box::pin([name, value, last, head]);
            let address = node.as_ptr().addr() + 16;
            match new.nodes.last_mut() {
                Some(last) => last[3] = address,
                None => new.words[HEAD + 1] = address,
            }
            new.words[HEAD] = address;
            new.nodes.push(node);
        }
        new
    }

    impl Instance {
        fn address(&self) -> usize {
            self.words.as_ptr().addr()
        }

        fn read(&self, value: usize) -> Option<Vec<(String, String)>> {
            super::read(&Memory::open().unwrap(), self.address(), value)
        }
    }

    const SECTION: [(&str, &str); 4] = [
        ("Delivery_Stream", "logs"),
        ("data_keys", "a"),
        ("data_keys", "b"),
        ("simple_agregation", "true"),
    ];

    #[test]
    fn every_property_is_read_in_its_order() {
        let instance = instance(&SECTION);
        let found = instance.read(instance.nodes[2][1]).unwrap();
        let expected = SECTION.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_such_list_is_not_taken_for_one() {
        let damages: [fn(&mut Instance); 5] = [
            |instance| instance.nodes[3][3] = 0,
            |instance| instance.nodes[2][2] += 8,
            |instance| instance.nodes[1][0] = 8,
            |instance| instance.nodes[0][3] = instance.nodes[0].as_ptr().addr() + 16,
            |instance| instance.words[HEAD + 1] = 0,
        ];
        for (number, damage) in damages.into_iter().enumerate() {
            let mut instance = instance(&SECTION);
            let value = instance.nodes[0][1];
            assert!(instance.read(value).is_some());
            damage(&mut instance);
            assert_eq!(instance.read(value), None, "{number}");
        }
        let instance = instance(&SECTION);
        assert_eq!(instance.read(8), None, "a value that is not in the list");
    }
}
