//! As much of YAML as descriptions use: scalars in any notation, lists and maps by indentation, in at most a few levels.
//!
//! The parser gives events and resolves nothing, and what could make a little text large or mean something else is refused:
//! aliases and anchors, tags, several documents, keys that are no scalars or come twice. So are lists and maps in
//! brackets: the parser reads them to their end before it says that they begin, and needs a hundred times their size for it.

use saphyr_parser::{Event, Parser};
use zeroize::Zeroizing;

use super::DescriptionError;

/// The most levels of lists and maps in one another: a map, the list of relays, a relay, the list of its chunks.
const MAX_DEPTH: usize = 4;
/// The most scalars, lists and maps in a description.
const MAX_NODES: usize = 2 * super::MAX_REPLICAS;

/// A value.
pub(super) enum Node {
    /// A scalar as it stands in the text, whatever its notation; numbers and `null` too.
    Text(Zeroizing<String>),
    List(Vec<Node>),
    Map(Vec<(Zeroizing<String>, Node)>),
}

impl Node {
    /// The value of a field of a map.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        match self {
            Node::Map(fields) => fields.iter().find(|(key, _)| key.as_str() == name).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Node]> {
        match self {
            Node::List(nodes) => Some(nodes),
            _ => None,
        }
    }

    /// Whether it stands for an absent value.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.text(), Some("" | "~" | "null" | "Null" | "NULL"))
    }
}

/// Reads the only document of a text.
pub(super) fn parse(text: &str) -> Result<Node, DescriptionError> {
    if has_brackets(text.as_bytes()) {
        return Err(DescriptionError::Yaml("it has lists or maps in brackets"));
    }
    let mut events = Events { parser: Parser::new_from_str(text), nodes: 0 };
    events.expect(|event| matches!(event, Event::StreamStart))?;
    events.expect(|event| matches!(event, Event::DocumentStart(_)))?;
    let first = events.next()?;
    let node = events.node(first, 0)?;
    events.expect(|event| matches!(event, Event::DocumentEnd))?;
    events.expect(|event| matches!(event, Event::StreamEnd))?;
    Ok(node)
}

/// Whether there is a bracket where a list or map could begin. In addresses they stand behind `@`, or between hosts.
fn has_brackets(text: &[u8]) -> bool {
    let is_of_address = |at: usize| match &text[..at] {
        [.., b'@'] => text[at] == b'[',
        [.., before, b','] => {
            text[at] == b'[' && (before.is_ascii_alphanumeric() || matches!(before, b'.' | b']'))
        }
        _ => false,
    };
    text.iter().enumerate().any(|(at, byte)| matches!(byte, b'[' | b'{') && !is_of_address(at))
}

struct Events<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    nodes: usize,
}

const NOT_YAML: DescriptionError = DescriptionError::Yaml("it is no YAML");
const TOO_MUCH: DescriptionError =
    DescriptionError::Yaml("it has more levels or values than a description has");
const REFERENCES: DescriptionError = DescriptionError::Yaml("it has anchors, aliases or tags");

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<Event<'a>, DescriptionError> {
        match self.parser.next_event() {
            Some(Ok((event, _))) => Ok(event),
            _ => Err(NOT_YAML),
        }
    }

    fn expect(&mut self, is_it: impl FnOnce(&Event<'a>) -> bool) -> Result<(), DescriptionError> {
        let event = self.next()?;
        if is_it(&event) { Ok(()) } else { Err(DescriptionError::Yaml("it is not one document")) }
    }

    /// The value that begins with this event, below so many lists and maps.
    fn node(&mut self, first: Event<'a>, depth: usize) -> Result<Node, DescriptionError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(TOO_MUCH);
        }
        match first {
            Event::Scalar(text, _, 0, None) => Ok(Node::Text(Zeroizing::new(text.into_owned()))),
            Event::SequenceStart(0, None) | Event::MappingStart(0, None) if depth == MAX_DEPTH => {
                Err(TOO_MUCH)
            }
            Event::SequenceStart(0, None) => self.list(depth + 1),
            Event::MappingStart(0, None) => self.map(depth + 1),
            Event::Alias(_) | Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) => {
                Err(REFERENCES)
            }
            _ => Err(NOT_YAML),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Node, DescriptionError> {
        let mut nodes = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Node::List(nodes)),
                event => nodes.push(self.node(event, depth)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Node, DescriptionError> {
        let mut map: Vec<(Zeroizing<String>, Node)> = Vec::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Ok(Node::Map(map)),
                Event::Scalar(key, _, 0, None) => Zeroizing::new(key.into_owned()),
                _ => return Err(DescriptionError::Yaml("it has fields without a name")),
            };
            if map.len() == MAX_FIELDS || map.iter().any(|(other, _)| *other == key) {
                return Err(DescriptionError::Yaml("it has a field twice, or too many fields"));
            }
            let event = self.next()?;
            let value = self.node(event, depth)?;
            map.push((key, value));
        }
    }
}

/// The most fields of a map: some more than there are, for those of later versions.
const MAX_FIELDS: usize = 64;
