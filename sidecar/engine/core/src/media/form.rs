//! A `multipart/form-data` body, read as it arrives: its texts, where the model's name stands, and of its
//! files only how many and how long they are.

use memchr::memmem;

use crate::error::Refusal;
use crate::intake::Reads;
use crate::limits;
use crate::scan::Spanned;

/// What a form says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// Its texts, by name, in order.
    pub texts: Vec<(String, String)>,
    /// The requested model and where its bytes stand, without any quotes.
    pub model: Option<Spanned<String>>,
    /// How many files there are.
    pub files: u64,
    /// Seconds of sound that they can hold.
    pub seconds: u64,
    /// Bytes of the body.
    pub length: usize,
}

/// Reads one form.
#[derive(Debug)]
pub struct Reader {
    /// What stands before each part and after the last one.
    delimiter: Vec<u8>,
    state: State,
    /// What has arrived and is not read yet; it begins at `at` in the body.
    rest: Vec<u8>,
    at: usize,
    parts: usize,
    text_bytes: usize,
    part: Part,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first part.
    Preamble,
    /// Behind a delimiter: another part follows, or the end.
    Delimited,
    Head,
    Value,
    Over,
}

/// The part at hand.
#[derive(Debug, Default)]
struct Part {
    name: String,
    file: bool,
    began: usize,
    text: Vec<u8>,
    length: u64,
    /// A file's first bytes.
    first: Vec<u8>,
}

/// Bytes of a WAV file's head up to the width of its samples.
const WAV_HEAD: usize = 36;

impl Reads for Reader {
    type How = String;
    type Read = Form;

    fn begin(boundary: String) -> Self {
        Self {
            delimiter: [b"\r\n--", boundary.as_bytes()].concat(),
            state: State::Preamble,
            // The first delimiter may stand at the body's very beginning.
            rest: b"\r\n".to_vec(),
            at: 0,
            parts: 0,
            text_bytes: 0,
            part: Part::default(),
            form: Form::default(),
        }
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        self.form.length += piece.len();
        self.rest.extend_from_slice(piece);
        let rest = std::mem::take(&mut self.rest);
        let read = self.read(&rest)?;
        self.at += read;
        self.rest = rest[read..].to_vec();
        Ok(())
    }

    fn finish(self) -> Result<Form, Refusal> {
        if self.state == State::Over { Ok(self.form) } else { Err(malformed("it breaks off")) }
    }
}

impl Reader {
    /// Reads what can be read of what has arrived; returns how many bytes that is.
    fn read(&mut self, rest: &[u8]) -> Result<usize, Refusal> {
        let mut at = 0;
        loop {
            let left = &rest[at..];
            let step = match self.state {
                State::Preamble => self.preamble(left),
                State::Delimited => self.delimited(left)?,
                State::Head => self.head(left, at)?,
                State::Value => self.value(left)?,
                State::Over => Step::Wait(left.len()),
            };
            match step {
                Step::Go(read) => at += read,
                Step::Wait(read) => return Ok(at + read),
            }
        }
    }

    fn preamble(&mut self, left: &[u8]) -> Step {
        match memmem::find(left, &self.delimiter) {
            Some(found) => {
                self.state = State::Delimited;
                Step::Go(found + self.delimiter.len())
            }
            None => Step::Wait(left.len().saturating_sub(self.delimiter.len())),
        }
    }

    fn delimited(&mut self, left: &[u8]) -> Result<Step, Refusal> {
        let Some(two) = left.get(..2) else { return Ok(Step::Wait(0)) };
        self.state = match two {
            b"--" => State::Over,
            b"\r\n" => State::Head,
            _ => return Err(malformed("its boundary stands within a part")),
        };
        Ok(Step::Go(2))
    }

    fn head(&mut self, left: &[u8], offset: usize) -> Result<Step, Refusal> {
        let Some(end) = memmem::find(left, b"\r\n\r\n") else {
            // Three bytes of its end may have arrived.
            if left.len() > limits::FORM_HEAD_BYTES + 3 {
                return Err(malformed("a part's head is too long"));
            }
            return Ok(Step::Wait(0));
        };
        self.parts += 1;
        if self.parts > limits::FORM_PARTS || end > limits::FORM_HEAD_BYTES {
            return Err(malformed("it has too many parts, or one with too long a head"));
        }
        let read = end + 4;
        // `rest` begins with a line break of ours.
        let began = (self.at + offset + read).saturating_sub(2);
        self.part = Part { began, ..named(&left[..end])? };
        self.form.files += u64::from(self.part.file);
        self.state = State::Value;
        Ok(Step::Go(read))
    }

    fn value(&mut self, left: &[u8]) -> Result<Step, Refusal> {
        let found = memmem::find(left, &self.delimiter);
        let read = found.unwrap_or_else(|| left.len().saturating_sub(self.delimiter.len()));
        self.take(&left[..read])?;
        if found.is_none() {
            return Ok(Step::Wait(read));
        }
        self.end_part()?;
        self.state = State::Delimited;
        Ok(Step::Go(read + self.delimiter.len()))
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let part = &mut self.part;
        part.length += bytes.len() as u64;
        if part.file {
            let wanted = WAV_HEAD.saturating_sub(part.first.len()).min(bytes.len());
            part.first.extend_from_slice(&bytes[..wanted]);
            return Ok(());
        }
        self.text_bytes += bytes.len();
        if self.text_bytes > limits::FORM_TEXT_BYTES {
            let limit = limits::FORM_TEXT_BYTES;
            return Err(Refusal::BadValue {
                param: part.name.clone(),
                reason: format!("a form's texts are longer than {limit} bytes; shorten it"),
            });
        }
        part.text.extend_from_slice(bytes);
        Ok(())
    }

    fn end_part(&mut self) -> Result<(), Refusal> {
        let part = std::mem::take(&mut self.part);
        if part.file {
            self.form.seconds = self.form.seconds.saturating_add(seconds(&part));
            return Ok(());
        }
        let Ok(value) = String::from_utf8(part.text) else {
            return Err(malformed("a text in it is no UTF-8"));
        };
        if part.name == "model" {
            let long = value.len() > limits::MODEL_NAME_BYTES;
            if long || value.bytes().any(|byte| byte.is_ascii_control()) {
                return Err(Refusal::BadValue {
                    param: part.name,
                    reason: "it is no model's name; correct it".to_owned(),
                });
            }
            let span = part.began..part.began + value.len();
            if self.form.model.replace(Spanned { span, value: value.clone() }).is_some() {
                return Err(Refusal::DuplicateKey { key: part.name });
            }
        }
        self.form.texts.push((part.name, value));
        Ok(())
    }
}

/// How far a state came.
enum Step {
    /// So many bytes; the next state reads on.
    Go(usize),
    /// So many bytes; more must arrive.
    Wait(usize),
}

/// A part's name, and whether it is a file, from its head.
fn named(head: &[u8]) -> Result<Part, Refusal> {
    let head = std::str::from_utf8(head).map_err(|_| malformed("a part's head is no text"))?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let disposition = disposition.ok_or_else(|| malformed("a part has no content-disposition"))?;
    let name = parameter(disposition, "name").ok_or_else(|| malformed("a part has no name"))?;
    let file = ["filename", "filename*"].iter().any(|it| parameter(disposition, it).is_some());
    Ok(Part { name, file, ..Part::default() })
}

/// A parameter of a header, unquoted; `;` and `\"` may stand within quotes.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut rest = header;
    loop {
        let (_, after) = rest.split_once(';')?;
        let (name, value) = after.split_once('=')?;
        let (text, left) = match value.strip_prefix('"') {
            None => value.split_at(value.find(';').unwrap_or(value.len())),
            Some(quoted) => {
                let end = quoted.char_indices().scan(false, |escaped, (at, letter)| {
                    let ends = letter == '"' && !*escaped;
                    *escaped = letter == '\\' && !*escaped;
                    Some((at, ends))
                });
                let end = end.filter(|(_, ends)| *ends).map(|(at, _)| at).next()?;
                (&quoted[..end], &quoted[end + 1..])
            }
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(text.trim().replace("\\\"", "\""));
        }
        rest = left;
    }
}

/// The most seconds of sound in a file.
fn seconds(file: &Part) -> u64 {
    let rate = wav_rate(&file.first).unwrap_or(0).max(limits::LEAST_SOUND_BYTES_PER_SECOND);
    file.length.div_ceil(rate)
}

/// Bytes of a second in a WAV file of plain samples.
fn wav_rate(first: &[u8]) -> Option<u64> {
    let at = |from: usize, to: usize| first.get(from..to);
    let wave = at(0, 4)? == b"RIFF" && at(8, 16)? == b"WAVEfmt ";
    let short =
        |from: usize| Some(u64::from(u16::from_le_bytes(at(from, from + 2)?.try_into().ok()?)));
    let samples = u64::from(u32::from_le_bytes(at(24, 28)?.try_into().ok()?));
    let plain = matches!(short(20)?, 1 | 3);
    let (channels, bits) = (short(22)?, short(34)?);
    (wave && plain).then(|| samples * channels * bits / 8)
}

fn malformed(why: &str) -> Refusal {
    Refusal::BadValue {
        param: "body".to_owned(),
        reason: format!("it is no form that we can read: {why}; send it as your SDK writes it"),
    }
}
