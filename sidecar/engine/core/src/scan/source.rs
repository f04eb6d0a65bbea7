//! Images and documents that stand in a request beside their media type (Anthropic, Gemini).

/// The one at hand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Source {
    encoded: bool,
    image: bool,
    bytes: u64,
}

impl Source {
    /// One begins; `encoded`: its data can only be base64.
    pub(super) const fn begin(encoded: bool) -> Self {
        Self { encoded, image: false, bytes: 0 }
    }

    /// Its `type`.
    pub(super) fn note_type(&mut self, kind: &[u8]) {
        self.encoded |= kind == b"base64";
        // What is at an address says nothing of itself: mostly it is an image.
        self.image |= kind == b"url";
    }

    /// Its media type's first bytes.
    pub(super) fn note_media(&mut self, kind: &[u8]) {
        self.image |= kind.starts_with(b"image/");
    }

    /// Whether its data is base64: text otherwise, also where that is not known yet, so that detectors
    /// see it.
    pub(super) const fn is_encoded(&self) -> bool {
        self.encoded
    }

    pub(super) const fn measure(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(super) const fn is_image(&self) -> bool {
        self.image
    }

    /// Bytes of base64.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}
