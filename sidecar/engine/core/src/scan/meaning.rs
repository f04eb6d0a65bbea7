//! Turns the grammar's events into a [`Scan`].

use std::ops::Range;

use super::error::ScanError;
use super::keep::Keep;
use super::place::{Key, Kind, Place};
use super::{ResponseFormat, Scan, ScanOptions, Spanned, StreamOptions};
use crate::detect::Detector;
use crate::limits::{MODEL_NAME_BYTES, SERVICE_TIER_BYTES};

/// Longest interpreted name or word: `max_completion_tokens` has 21 bytes.
const WORD_BYTES: usize = 24;

/// What becomes of the string at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Skip,
    /// Compared with short known words.
    Word,
    /// Kept whole, up to this many bytes.
    Name(usize),
    /// Message text that is counted and looked through.
    Text,
    /// The same, and perhaps the last user text.
    Kept,
    /// A URL that may hold data.
    Url,
}

/// A short string, or the start of a long one.
#[derive(Debug, Default)]
struct Word {
    bytes: [u8; WORD_BYTES],
    len: usize,
}

impl Word {
    fn push(&mut self, text: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.len..) {
            let take = text.len().min(room.len());
            room[..take].copy_from_slice(&text[..take]);
        }
        self.len += text.len();
    }

    /// The word; nothing where it is longer than any that we know.
    fn whole(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn is_data_url(&self) -> bool {
        self.bytes[..5].eq_ignore_ascii_case(b"data:")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Unknown,
    User,
    Other,
}

/// What is known so far.
#[derive(Debug)]
pub(super) struct Meaning {
    scan: Scan,
    purpose: Purpose,
    word: Word,
    name: Vec<u8>,
    keep_text: bool,
    /// The message at hand may turn out to be the user's: its role may come after its content.
    role: Role,
    current: Keep,
    last: Keep,
    detector: Option<Detector>,
    member_start: usize,
}

impl Meaning {
    pub(super) fn new(options: ScanOptions) -> Self {
        Self {
            scan: Scan::default(),
            purpose: Purpose::Skip,
            word: Word::default(),
            name: Vec::new(),
            keep_text: options.keep_text,
            role: Role::Unknown,
            current: Keep::default(),
            last: Keep::default(),
            detector: options.detect_pii.then(Detector::default),
            member_start: 0,
        }
    }

    pub(super) fn finish(self, body_len: usize) -> Scan {
        let mut scan = self.scan;
        scan.body_len = body_len;
        scan.last_user_text = self.last.take();
        scan.pii = self.detector.and_then(|detector| detector.found());
        scan
    }

    pub(super) fn begin_key(&mut self, parent: Place) {
        self.word.len = 0;
        self.purpose = if parent.reads_names() { Purpose::Word } else { Purpose::Skip };
    }

    /// The key is read: what its value will mean.
    pub(super) fn end_key(&mut self, parent: Place) -> Result<Place, ScanError> {
        if self.purpose == Purpose::Skip {
            return Ok(Place::Ignored);
        }
        let place = parent.member(self.word.whole());
        match (parent, place) {
            (_, Place::Member(key)) if self.scan.span(key).is_some() => {
                return Err(ScanError::DuplicateKey { key: key.as_str() });
            }
            (_, Place::IncludeUsage) if self.scan.usage_span.is_some() => {
                return Err(ScanError::DuplicateKey { key: "stream_options.include_usage" });
            }
            _ => {}
        }
        match (parent, &mut self.scan.stream_options) {
            (Place::Root, _) => self.scan.members += 1,
            (Place::Member(Key::StreamOptions), Some(options)) => options.empty = false,
            _ => {}
        }
        Ok(place)
    }

    pub(super) fn begin_value(
        &mut self,
        place: Place,
        kind: Kind,
        offset: usize,
    ) -> Result<(), ScanError> {
        if let Some((key, expected)) = place.refusal(kind) {
            return Err(ScanError::WrongType { key, expected });
        }
        match place {
            Place::Ignored => {
                self.purpose = Purpose::Skip;
                return Ok(());
            }
            Place::Member(key) => {
                self.member_start = offset;
                self.role = Role::Unknown;
                self.scan.has_messages |= key == Key::Messages;
                self.scan.has_input |= key == Key::Input;
            }
            Place::Tool => self.scan.has_tools = true,
            Place::Message => {
                self.scan.message_count = self.scan.message_count.saturating_add(1);
                self.role = Role::Unknown;
                self.current.clear();
            }
            Place::Image => self.scan.image_parts += u32::from(kind != Kind::Null),
            Place::Audio => self.scan.has_audio |= kind != Kind::Null,
            Place::File => self.scan.has_file |= kind != Kind::Null,
            _ => {}
        }
        if kind == Kind::String {
            self.begin_string(place);
        }
        Ok(())
    }

    pub(super) fn open_object(&mut self, place: Place, offset: usize) {
        match place {
            Place::Root => self.scan.open_brace = offset,
            Place::Member(Key::StreamOptions) => {
                let options = StreamOptions { open_brace: offset, empty: true };
                self.scan.stream_options = Some(options);
            }
            _ => {}
        }
    }

    /// Unescaped text of the string or key at hand; a character may be cut between two calls.
    pub(super) fn text(&mut self, text: &[u8]) {
        match self.purpose {
            Purpose::Skip => {}
            Purpose::Word | Purpose::Url => self.word.push(text),
            Purpose::Name(limit) => {
                // One byte more than the limit is enough to know.
                let room = (limit + 1).saturating_sub(self.name.len()).min(text.len());
                self.name.extend_from_slice(&text[..room]);
            }
            Purpose::Text | Purpose::Kept => {
                self.scan.text_bytes += text.len() as u64;
                if self.purpose == Purpose::Kept {
                    self.current.push(text);
                }
                if let Some(detector) = &mut self.detector {
                    detector.push(text);
                }
            }
        }
    }

    pub(super) fn end_string(&mut self, place: Place, span: Range<usize>) -> Result<(), ScanError> {
        match self.purpose {
            Purpose::Skip => {}
            Purpose::Word if place == Place::Role => {
                // A second role cannot make a message the user's whose text was not kept.
                let user = self.word.whole() == b"user" && self.role != Role::Other;
                self.role = if user { Role::User } else { Role::Other };
            }
            Purpose::Word => {
                self.scan.response_format = match self.word.whole() {
                    b"text" => ResponseFormat::Text,
                    b"json_object" => ResponseFormat::JsonObject,
                    b"json_schema" => ResponseFormat::JsonSchema,
                    _ => ResponseFormat::Other,
                };
            }
            Purpose::Name(limit) => self.end_name(place, limit, span)?,
            Purpose::Url => {
                if self.word.is_data_url() {
                    self.scan.image_data_bytes += self.word.len as u64;
                }
            }
            Purpose::Text | Purpose::Kept => {
                if let Some(detector) = &mut self.detector {
                    detector.end_text();
                }
                if matches!(place, Place::InputItem | Place::Member(Key::Input)) {
                    std::mem::swap(&mut self.current, &mut self.last);
                }
            }
        }
        Ok(())
    }

    pub(super) fn end_number(
        &mut self,
        place: Place,
        whole: Option<u64>,
        span: Range<usize>,
    ) -> Result<(), ScanError> {
        if place == Place::InputItem {
            self.scan.input_tokens += 1;
        }
        let Place::Member(key) = place else { return Ok(()) };
        let expected = "a whole number of at least 0";
        let value = whole.ok_or(ScanError::WrongType { key: key.as_str(), expected })?;
        match key {
            Key::MaxTokens => self.scan.max_tokens = Some(Spanned { span, value }),
            Key::MaxCompletionTokens => {
                self.scan.max_completion_tokens = Some(Spanned { span, value });
            }
            Key::N => self.scan.n = Some(value),
            _ => {}
        }
        Ok(())
    }

    /// So many whole numbers in an array, each as by `begin_value`, `end_number`, `end_value`.
    pub(super) fn skip_numbers(&mut self, place: Place, count: u64) {
        if place == Place::InputItem {
            self.scan.input_tokens += count;
        }
    }

    /// `None` is `null`.
    pub(super) fn end_literal(&mut self, place: Place, value: Option<bool>, span: Range<usize>) {
        match place {
            Place::Member(Key::Stream) => {
                self.scan.stream = value.map(|value| Spanned { span, value });
            }
            Place::IncludeUsage => {
                self.scan.include_usage = value;
                self.scan.usage_span = Some(span);
            }
            _ => {}
        }
    }

    /// Any value has ended, containers too.
    pub(super) fn end_value(&mut self, place: Place, end: usize) {
        match place {
            Place::Member(key) => self.scan.spans[key as usize] = self.member_start..end,
            Place::Message if self.role == Role::User => {
                std::mem::swap(&mut self.current, &mut self.last);
            }
            _ => {}
        }
    }

    fn begin_string(&mut self, place: Place) {
        self.purpose = match place {
            Place::Member(Key::Model) => Purpose::Name(MODEL_NAME_BYTES),
            Place::Member(Key::ServiceTier) => Purpose::Name(SERVICE_TIER_BYTES),
            Place::FormatType | Place::Role => Purpose::Word,
            Place::Image | Place::ImageUrl => Purpose::Url,
            Place::InputItem | Place::Member(Key::Input) => {
                self.current.clear();
                self.kept()
            }
            Place::Content | Place::Part | Place::PartText => self.kept(),
            Place::Said => Purpose::Text,
            _ => Purpose::Skip,
        };
        match self.purpose {
            Purpose::Word => self.word.len = 0,
            Purpose::Url => self.word = Word::default(),
            Purpose::Kept => self.current.next_part(),
            _ => {}
        }
    }

    fn kept(&self) -> Purpose {
        if self.keep_text && self.role != Role::Other { Purpose::Kept } else { Purpose::Text }
    }

    fn end_name(
        &mut self,
        place: Place,
        limit: usize,
        span: Range<usize>,
    ) -> Result<(), ScanError> {
        let key = if place == Place::Member(Key::Model) { Key::Model } else { Key::ServiceTier };
        if self.name.len() > limit {
            return Err(ScanError::TooLong { key: key.as_str(), limit });
        }
        let offset = span.start;
        let value = String::from_utf8(std::mem::take(&mut self.name))
            .map_err(|_| ScanError::InvalidUtf8 { offset })?;
        if key == Key::Model {
            self.scan.model = Some(Spanned { span, value });
        } else {
            self.scan.service_tier = Some(value);
        }
        Ok(())
    }
}
