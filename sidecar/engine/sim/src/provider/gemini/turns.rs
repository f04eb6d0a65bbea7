//! What a conversation has to obey: valid roles, parts that hold one thing each, and function
//! responses right after their calls.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::failure::Refused;
use super::super::prompt::signature;
use super::REALM;
use super::error::bad_request;
use super::request::member;

/// The kinds of data of a part.
const DATA: [&str; 7] = [
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
];

/// What Google takes in place of a signature it did not make.
const STAND_INS: [&str; 2] =
    ["context_engineering_is_the_way_to_go", "skip_thought_signature_validator"];

/// Checks all contents.
///
/// # Errors
/// In Google's words.
pub(super) fn check(body: &Value, model: &str) -> Result<(), Refused> {
    let empty = Vec::new();
    let contents = member(body, "contents").as_array().unwrap_or(&empty);
    data("system_instruction", member(body, "systemInstruction"))?;
    let asks = |content: &Value| content["role"] != "model" && !holds(content, "functionResponse");
    let turn = contents.iter().rposition(asks).unwrap_or(0);
    let mut open: Vec<&str> = Vec::new();
    for (index, content) in contents.iter().enumerate() {
        let role = content["role"].as_str().unwrap_or("user");
        if !["user", "model", "function"].contains(&role) {
            return Err(bad_request("Please use a valid role: user, model."));
        }
        data(&format!("contents[{index}]"), content)?;
        let calls = named(content, "functionCall");
        if !calls.is_empty() && (role != "model" || index == 0) {
            return Err(bad_request(
                "Please ensure that function call turn comes immediately after a user turn or \
                 after a function response turn.",
            ));
        }
        answers(content, &open)?;
        signatures(content, index, model.starts_with("gemini-3") && index > turn)?;
        open = calls;
    }
    if open.is_empty() { Ok(()) } else { Err(uneven()) }
}

/// Whether any part of `content` has this kind of data.
pub(super) fn holds(content: &Value, kind: &str) -> bool {
    !named(content, kind).is_empty()
}

fn parts(content: &Value) -> &[Value] {
    content["parts"].as_array().map_or(&[], Vec::as_slice)
}

/// The names in the parts of this kind.
fn named<'v>(content: &'v Value, kind: &str) -> Vec<&'v str> {
    let found = parts(content).iter().filter_map(|part| member(part, kind)["name"].as_str());
    found.collect()
}

/// Every part holds exactly one kind of data, and text is empty only under a signature.
fn data(place: &str, content: &Value) -> Result<(), Refused> {
    for (index, part) in parts(content).iter().enumerate() {
        let given = DATA.iter().filter(|kind| !member(part, kind).is_null()).count();
        let signed = member(part, "thoughtSignature").is_string();
        let blank = part["text"] == "" && !signed;
        if given > 1 {
            return Err(bad_request(&format!(
                "Invalid value at '{place}.parts[{index}]' (oneof), oneof field 'data' is already \
                 set."
            )));
        }
        if blank || (given == 0 && !signed) {
            return Err(bad_request(&format!(
                "* GenerateContentRequest.{place}.parts[{index}].data: required oneof field 'data' \
                 must have one initialized field\n"
            )));
        }
    }
    Ok(())
}

/// The responses of a content against the calls just before it.
fn answers(content: &Value, open: &[&str]) -> Result<(), Refused> {
    let mut given = named(content, "functionResponse");
    if given.is_empty() && open.is_empty() {
        return Ok(());
    }
    if open.is_empty() {
        return Err(bad_request(
            "Please ensure that function response turn comes immediately after a function call \
             turn.",
        ));
    }
    if given.len() != open.len() {
        return Err(uneven());
    }
    let mut called = open.to_vec();
    given.sort_unstable();
    called.sort_unstable();
    if given == called {
        return Ok(());
    }
    Err(bad_request(
        "Please ensure that function response names match the function call names of the function \
         call turn.",
    ))
}

fn uneven() -> Refused {
    bad_request(
        "Please ensure that the number of function response parts is equal to the number of \
         function call parts of the function call turn.",
    )
}

/// A signature has to be one of ours; the newest models want one on the first call of each step
/// since the user last spoke.
fn signatures(content: &Value, index: usize, wanted: bool) -> Result<(), Refused> {
    let mut first = true;
    for part in parts(content) {
        let name = member(part, "functionCall")["name"].as_str();
        match member(part, "thoughtSignature").as_str() {
            Some(given) if STAND_INS.contains(&given) => {}
            Some(given) => {
                let ours =
                    name.map_or_else(|| made_here(given), |name| given == signature(REALM, name));
                if !ours {
                    return Err(bad_request("Thought signature is not valid"));
                }
            }
            None if first && wanted => {
                if let Some(name) = name {
                    return Err(bad_request(&format!(
                        "Function call is missing a thought_signature in functionCall parts. This \
                         is required for tools to work correctly. Function call `{name}`, position \
                         {index}."
                    )));
                }
            }
            None => {}
        }
        first = first && name.is_none();
    }
    Ok(())
}

fn made_here(given: &str) -> bool {
    let Ok(bytes) = STANDARD.decode(given) else { return false };
    bytes.strip_prefix(REALM.as_bytes()).is_some_and(|rest| rest.len() == 65 && rest[0] == b':')
}
