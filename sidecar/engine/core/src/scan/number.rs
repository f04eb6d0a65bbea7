//! A JSON number, read a byte at a time; it overflows exactly where `serde_json`'s does.

/// 1e289 ..= 1e308: below, no 64-bit significand overflows a double; above, every one does.
const LARGE_POWERS: [f64; 20] = [
    1e289, 1e290, 1e291, 1e292, 1e293, 1e294, 1e295, 1e296, 1e297, 1e298, 1e299, 1e300, 1e301,
    1e302, 1e303, 1e304, 1e305, 1e306, 1e307, 1e308,
];
const FIRST_LARGE_EXPONENT: i32 = 289;

/// Where in the number's grammar the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Sign,
    LeadingZero,
    Integer,
    Point,
    Fraction,
    ExponentMark,
    ExponentSign,
    Exponent,
}

/// What a byte did to the number.
pub(super) enum Step {
    /// It belongs to the number.
    Taken,
    /// The number ended before it.
    Ended,
    /// Neither; the words say what was expected.
    Wrong(&'static str),
}

/// A number under way.
#[derive(Debug)]
pub(super) struct Number {
    part: Part,
    negative: bool,
    significand: u64,
    /// Digits that no longer fit the significand are dropped: integer ones raise `exponent`.
    full: bool,
    exponent: i32,
    written_exponent: i32,
    exponent_negative: bool,
    exponent_full: bool,
}

impl Number {
    /// Starts at the number's first byte: `-` or a digit.
    pub(super) fn start(byte: u8) -> Self {
        let part = match byte {
            b'-' => Part::Sign,
            b'0' => Part::LeadingZero,
            _ => Part::Integer,
        };
        Self {
            part,
            negative: byte == b'-',
            significand: u64::from(byte.saturating_sub(b'0')),
            full: false,
            exponent: 0,
            written_exponent: 0,
            exponent_negative: false,
            exponent_full: false,
        }
    }

    /// Takes the digits of the integer part at the start of the bytes, as far as they are easy.
    pub(super) fn take_digits(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while self.part == Part::Integer
            && !self.full
            && let Some(&byte) = bytes.get(taken)
            && byte.is_ascii_digit()
            && let Some(significand) = self.pushed(byte)
        {
            self.significand = significand;
            taken += 1;
        }
        taken
    }

    /// Takes the next byte.
    pub(super) fn step(&mut self, byte: u8) -> Step {
        self.part = match (self.part, byte) {
            (Part::Sign, b'0') => Part::LeadingZero,
            (Part::Sign | Part::Integer, b'0'..=b'9') => {
                self.integer_digit(byte);
                Part::Integer
            }
            (Part::LeadingZero | Part::Integer, b'.') => {
                self.full = false;
                Part::Point
            }
            (Part::Point | Part::Fraction, b'0'..=b'9') => {
                self.fraction_digit(byte);
                Part::Fraction
            }
            (Part::LeadingZero | Part::Integer | Part::Fraction, b'e' | b'E') => Part::ExponentMark,
            (Part::ExponentMark, b'+' | b'-') => {
                self.exponent_negative = byte == b'-';
                Part::ExponentSign
            }
            (Part::ExponentMark | Part::ExponentSign | Part::Exponent, b'0'..=b'9') => {
                self.exponent_digit(byte);
                Part::Exponent
            }
            (Part::LeadingZero, b'0'..=b'9') => return Step::Wrong("no digit after a leading 0"),
            (Part::LeadingZero | Part::Integer | Part::Fraction | Part::Exponent, _) => {
                return if self.in_range() {
                    Step::Ended
                } else {
                    Step::Wrong("a number that fits a 64-bit float")
                };
            }
            _ => return Step::Wrong("a digit"),
        };
        Step::Taken
    }

    /// The value, where it is a whole number from 0 to `u64::MAX` written without `.` and `e`.
    pub(super) fn whole(&self) -> Option<u64> {
        let plain = matches!(self.part, Part::LeadingZero | Part::Integer);
        (plain && !self.negative && !self.full).then_some(self.significand)
    }

    fn pushed(&self, byte: u8) -> Option<u64> {
        self.significand.checked_mul(10)?.checked_add(u64::from(byte - b'0'))
    }

    fn integer_digit(&mut self, byte: u8) {
        match self.pushed(byte) {
            Some(significand) if !self.full => self.significand = significand,
            _ => {
                self.full = true;
                self.exponent = self.exponent.saturating_add(1);
            }
        }
    }

    fn fraction_digit(&mut self, byte: u8) {
        match self.pushed(byte) {
            Some(significand) if !self.full => {
                self.significand = significand;
                self.exponent = self.exponent.saturating_sub(1);
            }
            _ => self.full = true,
        }
    }

    fn exponent_digit(&mut self, byte: u8) {
        let digit = i32::from(byte - b'0');
        match self.written_exponent.checked_mul(10).and_then(|tens| tens.checked_add(digit)) {
            Some(exponent) if !self.exponent_full => self.written_exponent = exponent,
            _ => self.exponent_full = true,
        }
    }

    /// Whether the value is finite as a double.
    fn in_range(&self) -> bool {
        if self.significand == 0 || (self.exponent_full && self.exponent_negative) {
            return true;
        }
        if self.exponent_full {
            return false;
        }
        let exponent = if self.exponent_negative {
            self.exponent.saturating_sub(self.written_exponent)
        } else {
            self.exponent.saturating_add(self.written_exponent)
        };
        if exponent < FIRST_LARGE_EXPONENT {
            return true;
        }
        let power = usize::try_from(exponent - FIRST_LARGE_EXPONENT)
            .ok()
            .and_then(|index| LARGE_POWERS.get(index));
        #[expect(clippy::cast_precision_loss, reason = "serde_json rounds the same way")]
        power.is_some_and(|power| (self.significand as f64 * power).is_finite())
    }
}
