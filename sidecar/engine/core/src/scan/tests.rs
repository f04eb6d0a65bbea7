use super::*;
use proptest::prelude::*;

fn scan(body: &str) -> Result<Scan, ScanError> {
    let mut scanner = Scanner::new(ScanOptions { detect_pii: false, keep_text: true });
    scanner.push(body.as_bytes())?;
    scanner.finish()
}

fn edited(body: &str, edits: &[Edit]) -> String {
    let spliced = splice(&[Bytes::copy_from_slice(body.as_bytes())], edits);
    String::from_utf8(spliced.concat()).unwrap()
}

#[test]
fn spans_are_absolute_and_cover_the_quotes() {
    let body = r#" {"a":[1], "model" : "gpt-4o" ,"max_tokens":12}"#;
    let scan = scan(body).unwrap();
    let model = scan.model.unwrap();
    assert_eq!(&body[model.span], "\"gpt-4o\"");
    assert_eq!(model.value, "gpt-4o");
    assert_eq!(&body[scan.max_tokens.unwrap().span], "12");
    assert_eq!((scan.open_brace, scan.members), (1, 3));
}

#[test]
fn escaped_names_count() {
    let twice = scan(r#"{"model":"a","mod\u0065l":"b"}"#);
    assert_eq!(twice, Err(ScanError::DuplicateKey { key: "model" }));
    let scan = scan(r#"{"m\u006fdel":"\u0061\/\ud83d\ude00"}"#).unwrap();
    assert_eq!(scan.model.unwrap().value, "a/😀");
}

#[test]
fn refusals_name_the_field_and_the_remedy() {
    for (body, message) in [
        ("", "the body ends after 0 bytes, before its JSON object does; send all of it"),
        ("[]", "the body must be a JSON object, such as {\"model\": \"…\", \"messages\": […]}"),
        (r#"{"model":1}"#, "`model` must be a string; correct it or leave it out"),
        (r#"{"model":null}"#, "`model` must be a string; correct it or leave it out"),
        (r#"{"stream":"yes"}"#, "`stream` must be true or false; correct it or leave it out"),
        (
            r#"{"max_tokens":-1}"#,
            "`max_tokens` must be a whole number of at least 0; correct it or leave it out",
        ),
        (
            r#"{"messages":["hi"]}"#,
            "`messages` must be an array of objects; correct it or leave it out",
        ),
        (r#"{"tools":[],"tools":[]}"#, "`tools` is given twice; send it once"),
        (
            r#"{"n":01}"#,
            "the body is not valid JSON: expected no digit after a leading 0 at byte 6",
        ),
        (r#"{"n" 1}"#, "the body is not valid JSON: expected a colon at byte 5"),
        (r#"{} x"#, "the body is not valid JSON: expected nothing after the object at byte 3"),
    ] {
        assert_eq!(scan(body).unwrap_err().to_string(), message, "{body}");
    }
    let long = scan(&format!("{{\"model\":\"{}\"}}", "m".repeat(513))).unwrap_err();
    assert_eq!(long.to_string(), "`model` is longer than 512 bytes; shorten it");
    assert_eq!(long.param(), Some("model"));
}

#[test]
fn an_error_is_final() {
    let mut scanner = Scanner::new(ScanOptions::default());
    let error = scanner.push(b"{]").unwrap_err();
    assert_eq!(scanner.push(b"{}"), Err(error.clone()));
    assert_eq!(scanner.finish(), Err(error));
}

#[test]
fn the_last_user_message_is_kept_wherever_its_role_stands() {
    let body = r#"{"messages":[
        {"role":"user","content":"first"},
        {"content":[{"type":"text","text":"se"},{"type":"text","text":"cond"},
                    {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}],"role":"user"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function",
            "function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","content":"third"}]}"#;
    let scan = scan(body).unwrap();
    let text = LastText { head: "se\ncond".to_owned(), tail: String::new(), chars: 7 };
    assert_eq!(scan.last_user_text, text);
    assert_eq!((scan.message_count, scan.image_parts, scan.image_data_bytes), (4, 1, 26));
    assert_eq!(scan.text_bytes, "firstsecondf{}third".len() as u64);
}

#[test]
fn head_and_tail_are_the_whole_text_up_to_a_thousand_characters() {
    for chars in [0usize, 1, 499, 500, 501, 999, 1000, 1001, 5000] {
        let text: String = "aé漢😀é".chars().cycle().take(chars).collect();
        let body = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}");
        let kept = scan(&body).unwrap().last_user_text;
        assert_eq!(kept.chars as usize, chars);
        assert_eq!(kept.has_gap(), chars > 1000);
        assert_eq!(kept.head, text.chars().take(500).collect::<String>());
        let tail = text.chars().skip(500.max(chars.saturating_sub(500)));
        assert_eq!(kept.tail, tail.collect::<String>());
        let mut scanner = Scanner::new(ScanOptions { detect_pii: false, keep_text: true });
        body.as_bytes().chunks(1).for_each(|byte| scanner.push(byte).unwrap());
        assert_eq!(scanner.finish().unwrap().last_user_text, kept, "cut within characters");
    }
}

#[test]
fn embeddings_input_is_text_or_tokens() {
    let texts = scan(r#"{"input":["ab","cde"]}"#).unwrap();
    assert_eq!((texts.text_bytes, texts.input_tokens, texts.has_input), (5, 0, true));
    assert_eq!(texts.last_user_text.head, "cde");
    let tokens = scan(r#"{"input":[[1,2],[3]]}"#).unwrap();
    assert_eq!((tokens.text_bytes, tokens.input_tokens), (0, 3));
    assert_eq!(scan(r#"{"input":"one"}"#).unwrap().last_user_text.head, "one");
}

#[test]
fn token_numbers_are_counted_whatever_their_form_and_wherever_they_are_cut() {
    for (body, tokens) in [
        (r#"{"input":[1,  22,333 , 0,4],"model":"a"}"#, Some(5)),
        (r#"{"input":[123456789012345678,1234567890123456789,1e3,-5,1.5,7]}"#, Some(6)),
        (r#"{"input":[[10,20],[30,40,50]]}"#, Some(5)),
        (r#"{"input":[1,2,"words",3]}"#, Some(3)),
        (r#"{"other":[1,2,3],"input":"x"}"#, Some(0)),
        (r#"{"input":[1,02,3]}"#, None),
        (r#"{"input":[1,2,]}"#, None),
        (r#"{"input":[1,,2]}"#, None),
        (r#"{"input":[,1]}"#, None),
        (r#"{"input":[1,2}"#, None),
    ] {
        for cut in 0..=body.len() {
            let mut scanner = Scanner::new(ScanOptions::default());
            let (first, second) = body.as_bytes().split_at(cut);
            let read = scanner.push(first).and_then(|()| scanner.push(second));
            let counted = read.and_then(|()| scanner.finish()).map(|scan| scan.input_tokens);
            assert_eq!(counted.ok(), tokens, "{body} cut at {cut}");
        }
    }
}

#[test]
fn set_replaces_a_value_or_adds_a_member() {
    for (body, wanted) in [
        (r#"{"model": "a","x":1}"#, r#"{"model": "b","x":1}"#),
        (r#"{ "x":1}"#, r#"{"model":"b", "x":1}"#),
        (r"{ }", r#"{"model":"b" }"#),
    ] {
        assert_eq!(edited(body, &[scan(body).unwrap().set(Key::Model, "\"b\"")]), wanted);
    }
    let null = r#"{"max_completion_tokens":null}"#;
    let capped = scan(null).unwrap().set(Key::MaxCompletionTokens, "7");
    assert_eq!(edited(null, &[capped]), r#"{"max_completion_tokens":7}"#);
}

#[test]
fn usage_is_asked_for_once() {
    for (body, wanted) in [
        (r#"{"stream":true}"#, r#"{"stream_options":{"include_usage":true},"stream":true}"#),
        (r#"{"stream_options":null}"#, r#"{"stream_options":{"include_usage":true}}"#),
        (r#"{"stream_options":{ }}"#, r#"{"stream_options":{"include_usage":true }}"#),
        (
            r#"{"stream_options":{"a":{"include_usage":true}}}"#,
            r#"{"stream_options":{"include_usage":true,"a":{"include_usage":true}}}"#,
        ),
        (
            r#"{"stream_options":{"a":1,"include_usage":false}}"#,
            r#"{"stream_options":{"a":1,"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options":{"include_usage":null}}"#,
            r#"{"stream_options":{"include_usage":true}}"#,
        ),
    ] {
        assert_eq!(edited(body, &[scan(body).unwrap().ask_usage().unwrap()]), wanted);
    }
    assert_eq!(scan(r#"{"stream_options":{"include_usage":true}}"#).unwrap().ask_usage(), None);
}

proptest! {
    /// Splicing pieces equals splicing one vector, and pieces are slices of the body's memory.
    #[test]
    fn splice_equals_a_naive_one(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..6),
        cuts in prop::collection::vec((0usize..12, 0usize..6, prop::collection::vec(any::<u8>(), 0..5)), 0..5),
        turn in 0usize..5,
    ) {
        let whole = pieces.concat();
        let mut wanted = whole.clone();
        let (mut at, mut edits) = (0, Vec::new());
        for (gap, len, with) in cuts {
            let start = (at + gap).min(whole.len());
            let end = (start + len).min(whole.len());
            edits.push(Edit { at: start..end, with: with.into() });
            at = end;
        }
        for edit in edits.iter().rev() {
            wanted.splice(edit.at.clone(), edit.with.iter().copied());
        }
        let pieces: Vec<Bytes> = pieces.into_iter().map(Bytes::from).collect();
        // Any order will do where no two edits stand at one place.
        if edits.iter().is_sorted_by(|one, next| one.at.start < next.at.start) {
            let turn = turn % edits.len().max(1);
            edits.rotate_left(turn);
        }
        prop_assert_eq!(splice(&pieces, &edits).concat(), wanted);
    }
}

#[test]
fn splice_copies_nothing_of_the_body() {
    let body = Bytes::from_static(b"0123456789");
    let spliced = splice(std::slice::from_ref(&body), &[Edit { at: 3..5, with: "x".into() }]);
    assert_eq!(spliced, ["012", "x", "56789"]);
    assert_eq!(spliced[0].as_ptr(), body.as_ptr());
    assert_eq!(spliced[2].as_ptr(), body[5..].as_ptr());
}
