//! `multipart/form-data`, read whole: a simulator has the memory.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use memchr::memmem;
use serde_json::{Map, Value, json};

/// What a form says, as an object: texts as they are, a file as `{"bytes", "rate"}` (a list of those where
/// there are several), `rate` being what a WAV file's head says of a second. `None`: it is no form.
pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let (_, boundary) = kind.strip_prefix("multipart/form-data")?.split_once("boundary=")?;
    let boundary = boundary.split(';').next()?.trim().trim_matches('"');
    let delimiter = format!("\r\n--{boundary}");
    let whole = [b"\r\n", body].concat();
    let places: Vec<usize> = memmem::find_iter(&whole, delimiter.as_bytes()).collect();
    let last = whole.get(places.last()? + delimiter.len()..)?;
    if !last.starts_with(b"--") {
        return None;
    }
    let mut form = Map::new();
    for pair in places.windows(2) {
        let part = whole.get(pair[0] + delimiter.len() + 2..pair[1])?;
        let head = memmem::find(part, b"\r\n\r\n")?;
        let (head, content) = (std::str::from_utf8(&part[..head]).ok()?, &part[head + 4..]);
        let (_, name) = head.split_once("name=\"")?;
        let name = name.split('"').next()?.trim_end_matches("[]").to_owned();
        if head.contains("filename") {
            let file = json!({"bytes": content.len(), "rate": rate(content)});
            match form.get_mut(&name) {
                Some(Value::Array(files)) => files.push(file),
                Some(_) => return None,
                None => drop(form.insert(name, json!([file]))),
            }
        } else {
            form.insert(name, String::from_utf8(content.to_vec()).ok()?.into());
        }
    }
    Some(Value::Object(form))
}

/// Bytes of a second of a WAV file; 16,000 of others.
fn rate(content: &[u8]) -> u64 {
    let wave = content.starts_with(b"RIFF") && content.get(8..12) == Some(b"WAVE");
    let said = content.get(28..32).filter(|_| wave).and_then(|it| it.try_into().ok());
    said.map_or(16_000, |it| u64::from(u32::from_le_bytes(it)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Texts and files come out as they went in; a form that breaks off is none.
    #[test]
    fn parts_are_told_apart() {
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("multipart/form-data; boundary=b");
        headers.insert(CONTENT_TYPE, kind);
        let body = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b\r\n\
            Content-Disposition: form-data; name=\"image[]\"; filename=\"a\"\r\n\r\n12345\r\n--b--\r\n";
        let read_body = |body: &str| read(&headers, body.as_bytes());
        let form = read_body(body).unwrap();
        assert_eq!((&form["model"], &form["image"][0]["bytes"]), (&json!("m"), &json!(5)));
        assert_eq!(read_body(&body[..body.len() - 4]), None);
        assert_eq!(read(&HeaderMap::new(), body.as_bytes()), None);
    }
}
