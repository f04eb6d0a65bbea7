//! E-mail addresses: a local part's last character, `@`, a domain of two labels or more.

use super::{Verdict, before};

/// Longest domain name.
const DOMAIN_BYTES: u16 = 253;

/// What looks like a top-level domain but ends file names (`icon@2x.png`); none is a real one.
const EXTENSIONS: [&[u8]; 14] = [
    b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"js", b"ts", b"css", b"json", b"html",
    b"txt", b"tgz", b"gz",
];

/// Who stands before `@` in code and is nobody: `git@host.org`, `this@Outer.field`.
const NOBODY: [&[u8]; 3] = [b"git", b"this", b"super"];

/// The domain after an `@`.
#[derive(Debug, Default)]
pub(super) struct Email {
    len: u16,
    labels: u8,
    label: Label,
    /// The label before, for a domain at a sentence's end.
    earlier: Label,
}

/// Length and first letters of one label.
#[derive(Debug, Default, Clone, Copy)]
struct Label {
    len: u8,
    letters_only: bool,
    first: [u8; 5],
}

impl Email {
    /// Starts after an `@`, where a local part can end before it.
    pub(super) fn start(recent: u64) -> Option<Self> {
        let last = before(recent, 1);
        let local = last.is_ascii_alphanumeric() || b"_%+-".contains(&last);
        (local && !is_nobody(recent)).then(Self::default)
    }

    pub(super) fn step(&mut self, byte: u8) -> Verdict {
        self.len += 1;
        if self.len > DOMAIN_BYTES {
            return Verdict::Failed;
        }
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => self.label.push(byte),
            b'-' if self.label.len > 0 => self.label.push(byte),
            b'.' if self.label.len > 0 => {
                self.labels = self.labels.saturating_add(1);
                self.earlier = std::mem::take(&mut self.label);
            }
            // Scripts without spaces go on right after an address; other letters belong to it.
            0x80.. if !self.complete() => self.label.push(byte),
            // A call: `a@b.transpose()`.
            b'(' => return Verdict::Failed,
            _ if self.complete() => return Verdict::Found,
            _ => return Verdict::Failed,
        }
        Verdict::GoesOn
    }

    fn complete(&self) -> bool {
        let (labels, last) = match self.label.len {
            0 => (self.labels, &self.earlier),
            _ => (self.labels + 1, &self.label),
        };
        labels >= 2 && last.is_top_level()
    }
}

impl Label {
    fn push(&mut self, byte: u8) {
        self.letters_only = byte.is_ascii_alphabetic() && (self.letters_only || self.len == 0);
        if let Some(slot) = self.first.get_mut(usize::from(self.len)) {
            *slot = byte.to_ascii_lowercase();
        }
        self.len = self.len.saturating_add(1);
    }

    fn is_top_level(&self) -> bool {
        let name = self.first.get(..usize::from(self.len)).unwrap_or_default();
        self.len >= 2 && self.letters_only && !EXTENSIONS.contains(&name)
    }
}

fn is_nobody(recent: u64) -> bool {
    let recent = recent.to_be_bytes();
    NOBODY.iter().any(|name| {
        let (front, end) = recent.split_at(recent.len() - name.len());
        end == *name
            && !front.ends_with(b".")
            && front.last().is_none_or(|byte| !byte.is_ascii_alphanumeric())
    })
}
