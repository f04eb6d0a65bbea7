//! What sound and images may take, and the most that they can be billed for (`media`).

/// Parts of a form; sixteen images and the few words around them stay far below.
pub const FORM_PARTS: usize = 128;
/// Bytes of a form's texts together; the longest prompt has 32,000 characters.
pub const FORM_TEXT_BYTES: usize = 256 << 10;
/// The head of one part of a form.
pub const FORM_HEAD_BYTES: usize = 4 << 10;
/// One event of a stream of images: the largest image, as base64.
pub const MEDIA_EVENT_BYTES: usize = 48 << 20;

/// Bytes of a second of sound at least: half of what the thriftiest codecs take for speech. Where the file
/// says it (WAV), that counts.
pub const LEAST_SOUND_BYTES_PER_SECOND: u64 = 500;
/// Seconds of sound that the request only refers to: four hours.
pub const UNSEEN_SOUND_SECONDS: u64 = 14_400;
/// Tokens of a second of sound at most; models take 10 to 25.
pub const SOUND_TOKENS_PER_SECOND: u64 = 50;
/// Tokens of what is said in a second, time marks and speakers' names included.
pub const SAID_TOKENS_PER_SECOND: u64 = 32;
/// Tokens of sound for one character that is read aloud: five characters a second, which is dictation.
pub const SPOKEN_TOKENS_PER_CHARACTER: u64 = 8;
/// Tokens of an answer of sound or text, however short.
pub const LEAST_MEDIA_TOKENS: u64 = 256;
/// Tokens of an image that is sent, at the highest fidelity.
pub const SENT_IMAGE_TOKENS: u64 = 8_192;
/// Tokens of an image that is made; the largest of today's take 6,250.
pub const MADE_IMAGE_TOKENS: u64 = 16_384;
/// Tokens of an unfinished image on the way there.
pub const PARTIAL_IMAGE_TOKENS: u64 = 256;
