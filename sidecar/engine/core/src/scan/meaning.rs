//! Turns the grammar's events into a [`Scan`].

use std::ops::Range;

use super::error::ScanError;
use super::keep::Keep;
use super::place::{Key, Kind, Place, Profile};
use super::source::Source;
use super::word::Word;
use super::{Braces, ResponseFormat, Scan, ScanOptions, Spanned};
use crate::detect::Detector;
use crate::limits::{MODEL_NAME_BYTES, SERVICE_TIER_BYTES};

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
    /// Base64, which is only measured.
    Data,
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
    profile: Profile,
    source: Source,
}

impl Meaning {
    pub(super) fn new(profile: Profile, options: ScanOptions) -> Self {
        Self {
            profile,
            source: Source::default(),
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
        self.word.clear();
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
            (Place::Root | Place::Top(_), _) => self.scan.members += 1,
            (Place::Member(Key::StreamOptions), Some(options)) => options.empty = false,
            (Place::Member(Key::GenerationConfig), _) => {
                if let Some(config) = &mut self.scan.generation_config {
                    config.empty = false;
                }
            }
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
                self.scan.has_messages |=
                    matches!(key, Key::Messages | Key::Items | Key::Contents | Key::Prompt);
                self.scan.has_input |= matches!(key, Key::Input | Key::EmbeddedContent);
            }
            Place::Tool => self.scan.has_tools = true,
            Place::Message | Place::Turn(_) => {
                self.scan.message_count = self.scan.message_count.saturating_add(1);
                self.role = Role::Unknown;
                self.current.clear();
            }
            Place::Image => self.scan.image_parts += u32::from(kind != Kind::Null),
            Place::Audio => self.scan.has_audio |= kind != Kind::Null,
            Place::File => self.scan.has_file |= kind != Kind::Null,
            Place::Source | Place::Blob => self.source = Source::begin(place == Place::Blob),
            Place::InputItem if self.profile == Profile::Completions && kind != Kind::Number => {
                self.scan.message_count = self.scan.message_count.saturating_add(1);
            }
            Place::ConfigSchema if kind != Kind::Null => {
                self.scan.response_format = ResponseFormat::JsonSchema;
            }
            // A document within the document: what stands there stands at another depth.
            Place::Top(_) => self.scan.spans = Default::default(),
            _ => {}
        }
        if kind == Kind::String {
            self.begin_string(place);
        }
        Ok(())
    }

    pub(super) fn open_object(&mut self, place: Place, offset: usize) {
        match place {
            Place::Root | Place::Top(_) => self.scan.open_brace = offset,
            Place::Member(Key::StreamOptions) => {
                self.scan.stream_options = Some(Braces { open_brace: offset, empty: true });
            }
            Place::Member(Key::GenerationConfig) => {
                self.scan.generation_config = Some(Braces { open_brace: offset, empty: true });
            }
            _ => {}
        }
    }

    /// Unescaped text of the string or key at hand; a character may be cut between two calls.
    pub(super) fn text(&mut self, text: &[u8]) {
        match self.purpose {
            Purpose::Skip => {}
            Purpose::Word | Purpose::Url => self.word.push(text),
            Purpose::Data => self.source.measure(text.len()),
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
            Purpose::Skip | Purpose::Data => {}
            Purpose::Word if place == Place::SourceType => self.source.note_type(self.word.whole()),
            Purpose::Word if place == Place::MediaType => self.source.note_media(self.word.start()),
            Purpose::Word if place == Place::ConfigMime => {
                let json = self.word.whole() == b"application/json";
                if json && self.scan.response_format == ResponseFormat::Text {
                    self.scan.response_format = ResponseFormat::JsonObject;
                }
            }
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
                    self.scan.image_data_bytes += self.word.len() as u64;
                }
            }
            Purpose::Text | Purpose::Kept => {
                if let Some(detector) = &mut self.detector {
                    detector.end_text();
                }
                if matches!(place, Place::InputItem | Place::Member(_)) {
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
        match (place, whole) {
            (Place::ConfigCap, Some(value)) => self.scan.max_tokens = Some(Spanned { span, value }),
            (Place::ConfigN, _) => self.scan.n = whole,
            (Place::Member(key), _) => return self.end_member(key, whole, span),
            _ => {}
        }
        Ok(())
    }

    fn end_member(
        &mut self,
        key: Key,
        whole: Option<u64>,
        span: Range<usize>,
    ) -> Result<(), ScanError> {
        let expected = "a whole number of at least 0";
        let value = whole.ok_or(ScanError::WrongType { key: key.as_str(), expected })?;
        match key {
            Key::MaxTokens => self.scan.max_tokens = Some(Spanned { span, value }),
            Key::MaxCompletionTokens | Key::MaxOutputTokens => {
                self.scan.max_completion_tokens = Some(Spanned { span, value });
            }
            // All of which the best are taken are billed.
            Key::N | Key::BestOf => self.scan.n = Some(value.max(self.scan.n.unwrap_or(0))),
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
            Place::Message if self.role == Role::User && self.may_be_last() => {
                std::mem::swap(&mut self.current, &mut self.last);
            }
            Place::Turn(_) if self.is_users_turn() && self.may_be_last() => {
                std::mem::swap(&mut self.current, &mut self.last);
            }
            Place::Source | Place::Blob => {
                if self.source.is_image() {
                    self.scan.image_parts += 1;
                    self.scan.image_data_bytes += self.source.bytes();
                } else {
                    self.scan.has_file |= self.source.bytes() > 0;
                }
            }
            _ => {}
        }
    }

    fn begin_string(&mut self, place: Place) {
        self.purpose = match place {
            Place::Member(Key::Model) => Purpose::Name(MODEL_NAME_BYTES),
            Place::Member(Key::ServiceTier) => Purpose::Name(SERVICE_TIER_BYTES),
            Place::FormatType | Place::Role => Purpose::Word,
            Place::SourceType | Place::MediaType | Place::ConfigMime => Purpose::Word,
            Place::SourceData if self.source.is_encoded() => Purpose::Data,
            Place::Image | Place::ImageUrl => Purpose::Url,
            Place::InputItem | Place::Member(Key::Input | Key::Items | Key::Prompt) => {
                self.current.clear();
                self.kept()
            }
            Place::Content | Place::Part | Place::PartText => self.kept(),
            Place::Said | Place::SourceData => Purpose::Text,
            _ => Purpose::Skip,
        };
        match self.purpose {
            Purpose::Word if place == Place::MediaType => self.word = Word::default(),
            Purpose::Word => self.word.clear(),
            Purpose::Url => self.word = Word::default(),
            Purpose::Kept => self.current.next_part(),
            _ => {}
        }
    }

    /// In other profiles than chat's, tools' results stand in turns of the user's, without text.
    fn may_be_last(&self) -> bool {
        self.profile == Profile::Chat || !self.current.is_empty()
    }

    /// A turn of Gemini's need not say whose it is.
    fn is_users_turn(&self) -> bool {
        let nobodys = self.role == Role::Unknown && self.profile == Profile::Gemini;
        self.role == Role::User || nobodys
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
