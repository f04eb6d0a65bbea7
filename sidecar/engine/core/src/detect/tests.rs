use super::*;
use proptest::prelude::*;

fn found(text: &str) -> Option<PiiKind> {
    let mut detector = Detector::default();
    detector.push(text.as_bytes());
    detector.end_text();
    detector.found()
}

#[test]
fn e_mail_addresses_are_found() {
    for text in [
        "a@b.de",
        "Write to jane.doe+x@mail.example.com.",
        "<j_d@example.co.uk>",
        "邮箱a@b.com是我的",
        "x@müller.de",
        "UPPER@EXAMPLE.ORG!",
        "a@b@c.org",
        "mailto:me@example.com?subject=x",
        "first.last@sub-domain.museum, thanks",
    ] {
        assert_eq!(found(text), Some(PiiKind::Email), "{text}");
    }
}

#[test]
fn what_only_looks_like_an_e_mail_address_is_not() {
    for text in [
        "@app.route",
        "see @jane.doe",
        "a @ b.com",
        "a@b",
        "a@b.c",
        "a@b..com",
        "a@-b.com",
        "git@github.com:x/y",
        "icon@2x.png",
        "react@18.2.0",
        "A@B.transpose()",
        "a@b.c1",
        "this@Main.binding",
        "a@.com",
        "x@",
        "5 apples @ 3.50 each",
        "pkg@1.0.0-beta.2",
    ] {
        assert_eq!(found(text), None, "{text}");
    }
}

#[test]
fn ibans_are_found_compact_and_in_groups() {
    for text in [
        "DE89370400440532013000",
        "Konto: DE89 3704 0044 0532 0130 00, danke",
        "gb82 west 1234 5698 7654 32",
        "GB82-WEST-1234-5698-7654-32",
        "NO93 8601 1117 947.",
        "FR14 2004 1010 0505 0001 3M02 606",
        "MT84MALT011000012345MTLCAST001S",
        "DE89\u{a0}3704\u{a0}0044\u{a0}0532\u{a0}0130\u{a0}00",
        "BE71 DE89 3704 0044 0532 0130 00",
        "账号DE89370400440532013000是",
    ] {
        assert_eq!(found(text), Some(PiiKind::Iban), "{text}");
    }
}

#[test]
fn a_wrong_iban_is_none() {
    for text in [
        "DE88370400440532013000",
        "DE8937040044053201300",
        "DE893704004405320130001",
        "XDE89370400440532013000",
        "ZZ89370400440532013000",
        "DE89 37 0400440532013000",
        "DE89  3704 0044 0532 0130 00",
        "no15 people in total were there",
    ] {
        assert_eq!(found(text), None, "{text}");
    }
}

#[test]
fn card_numbers_are_found_compact_and_as_printed() {
    for text in [
        "4111111111111111",
        "card 4111 1111 1111 1111.",
        "(5500-0000-0000-0004)",
        "3400 000000 00009",
        "340000000000009",
        "30000000000004",
        "3056 930902 5904",
        "6011000990139424",
        "my card:4222222222222 ok",
        "4111 1111 1111 1111 12/27",
        "2024 4111 1111 1111 1111",
        "name,4111111111111111,12",
        "卡号4111111111111111。",
        "3530111333300000",
        "4000 0000 0000 0000 006",
        "4111\u{a0}1111\u{a0}1111\u{a0}1111",
    ] {
        assert_eq!(found(text), Some(PiiKind::Card), "{text}");
    }
}

#[test]
fn other_numbers_are_no_cards() {
    for text in [
        "4111111111111112",
        "1700000000000",
        "9783161484100",
        "2019 2020 2021 2022",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
        "3.4111111111111111",
        "order-4111111111111111",
        "/orders/4111111111111111",
        "x4111111111111111",
        "4111111111111111x",
        "+4111111111111111",
        "41111111111111111111111111",
        "4111 1111 11 111111",
        "4111  1111 1111 1111",
        "550e8400-e29b-41d4-a716-446655440000",
        "The product of 4111 and 1111 is 4567321.",
    ] {
        assert_eq!(found(text), None, "{text}");
    }
}

#[test]
fn texts_do_not_run_into_one_another() {
    let mut detector = Detector::default();
    for text in ["4111 1111 ", "1111 1111", "DE89", "370400440532013000", "a", "@b.com"] {
        detector.push(text.as_bytes());
        detector.end_text();
    }
    assert_eq!(detector.found(), None);
    detector.push(b"a@b.com");
    detector.end_text();
    detector.push(b"4111111111111111 ");
    assert_eq!(detector.found(), Some(PiiKind::Email), "the first find stays");
}

/// A number with its Luhn digit.
fn luhn(front: &str) -> String {
    let check = (0..10).find(|check| {
        let sum: u32 = format!("{front}{check}")
            .bytes()
            .rev()
            .enumerate()
            .map(|(place, byte)| u32::from(byte - b'0') * (1 + place as u32 % 2))
            .map(|double| double / 10 + double % 10)
            .sum();
        sum.is_multiple_of(10)
    });
    format!("{front}{}", check.unwrap())
}

proptest! {
    /// Where a text is cut changes nothing, whatever stands in it.
    #[test]
    fn cuts_change_nothing(
        parts in prop::collection::vec(prop_oneof![
            Just("4111 1111 1111 111"), Just("1"), Just(" "), Just("DE89 3704 0044 0532 0130 0"), Just("0"),
            Just("a@b."), Just("com"), Just("\u{a0}"), Just("é"), Just("-"), Just("x"), Just("."), Just("("),
        ], 0..8),
        cuts in prop::collection::vec(1usize..9, 1..9),
    ) {
        let text = parts.concat();
        let mut detector = Detector::default();
        let mut rest = text.as_bytes();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            detector.push(piece);
            rest = after;
        }
        detector.end_text();
        prop_assert_eq!(detector.found(), found(&text));
    }

    /// Every Visa number is found among words, and none once a digit is changed.
    #[test]
    fn a_checksum_decides(front in "4[0-9]{14}", place in 0usize..16, add in 1u8..10, before in "[a-z ]{0,9} ", after in "[ .,;:)][a-z ]{0,9}") {
        let number = luhn(&front);
        prop_assert_eq!(found(&format!("{before}{number}{after}")), Some(PiiKind::Card));
        let mut wrong = number.into_bytes();
        wrong[place] = b'0' + (wrong[place] - b'0' + add) % 10;
        let wrong = String::from_utf8(wrong).unwrap();
        prop_assert_eq!(found(&format!("{before}{wrong}{after}")), None);
    }

    /// Random bytes never panic.
    #[test]
    fn random_bytes_never_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..5)) {
        let mut detector = Detector::default();
        for piece in pieces {
            detector.push(&piece);
        }
        detector.end_text();
    }
}
