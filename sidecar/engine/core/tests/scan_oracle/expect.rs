//! What the scanner should say about a document, written naively over the whole tree.

use pointsman_core::scan::ResponseFormat;

use crate::json::Json;

/// The scanner's answer in comparable form.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Expected {
    pub(crate) model: Option<String>,
    pub(crate) stream: Option<bool>,
    pub(crate) include_usage: Option<bool>,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) max_completion_tokens: Option<u64>,
    pub(crate) n: Option<u64>,
    pub(crate) has_tools: bool,
    pub(crate) response_format: ResponseFormat,
    pub(crate) service_tier: Option<String>,
    pub(crate) has_messages: bool,
    pub(crate) has_input: bool,
    pub(crate) message_count: u32,
    pub(crate) text_bytes: u64,
    pub(crate) input_tokens: u64,
    pub(crate) image_parts: u32,
    pub(crate) image_data_bytes: u64,
    pub(crate) has_audio: bool,
    pub(crate) has_file: bool,
    pub(crate) last: String,
    pub(crate) members: usize,
}

const KEYS: [&str; 12] = [
    "model",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "tools",
    "functions",
    "response_format",
    "service_tier",
    "messages",
    "input",
];

/// `None` where the scanner must refuse.
pub(crate) fn expect(document: &Json) -> Option<Expected> {
    let Json::Object(members) = document else { return None };
    let mut expected = Expected { members: members.len(), ..Expected::default() };
    for (index, (name, value)) in members.iter().enumerate() {
        let earlier = members[..index].iter().any(|(other, _)| other == name);
        if earlier && KEYS.contains(&name.as_str()) {
            return None;
        }
        expected.member(name, value)?;
    }
    Some(expected)
}

impl Expected {
    fn member(&mut self, name: &str, value: &Json) -> Option<()> {
        match (name, value) {
            ("model", Json::String(text)) => self.model = Some(short(text, 512)?),
            ("service_tier", Json::String(text)) => self.service_tier = Some(short(text, 64)?),
            ("stream", Json::Bool(value)) => self.stream = Some(*value),
            ("max_tokens", Json::Number(whole)) => self.max_tokens = Some((*whole)?),
            ("max_completion_tokens", Json::Number(whole)) => {
                self.max_completion_tokens = Some((*whole)?);
            }
            ("n", Json::Number(whole)) => self.n = Some((*whole)?),
            ("tools" | "functions", Json::Array(tools)) => self.has_tools |= !tools.is_empty(),
            ("stream_options", Json::Object(members)) => self.stream_options(members)?,
            ("response_format", Json::Object(members)) => self.format(members),
            ("messages", Json::Array(messages)) => {
                self.has_messages = true;
                for message in messages {
                    let Json::Object(members) = message else { return None };
                    self.message(members);
                }
            }
            ("input", Json::String(_) | Json::Array(_)) => {
                self.has_input = true;
                self.input(value);
            }
            ("model" | "messages" | "input", _) => return None,
            (name, value) if KEYS.contains(&name) && *value != Json::Null => return None,
            _ => {}
        }
        Some(())
    }

    fn stream_options(&mut self, members: &[(String, Json)]) -> Option<()> {
        let mut seen = false;
        for (name, value) in members {
            if name != "include_usage" {
                continue;
            }
            match value {
                _ if seen => return None,
                Json::Bool(value) => self.include_usage = Some(*value),
                Json::Null => {}
                _ => return None,
            }
            seen = true;
        }
        Some(())
    }

    fn format(&mut self, members: &[(String, Json)]) {
        for (name, value) in members {
            if let ("type", Json::String(kind)) = (name.as_str(), value) {
                self.response_format = match kind.as_str() {
                    "text" => ResponseFormat::Text,
                    "json_object" => ResponseFormat::JsonObject,
                    "json_schema" => ResponseFormat::JsonSchema,
                    _ => ResponseFormat::Other,
                };
            }
        }
    }

    fn input(&mut self, value: &Json) {
        match value {
            Json::String(text) => {
                self.text_bytes += text.len() as u64;
                self.last.clone_from(text);
            }
            Json::Number(_) => self.input_tokens += 1,
            Json::Array(elements) => elements.iter().for_each(|element| self.input(element)),
            _ => {}
        }
    }

    fn message(&mut self, members: &[(String, Json)]) {
        self.message_count += 1;
        let mut roles = Vec::new();
        let mut parts = Vec::new();
        for (name, value) in members {
            match (name.as_str(), value) {
                ("role", Json::String(text)) => roles.push(text.as_str()),
                ("role", _) => {}
                ("content", value) => self.content(value, &mut parts),
                (name, value) => self.spoken(name, value),
            }
        }
        // Nobody sends two roles; who does gets no more than one that is not the user's.
        if roles.iter().all(|role| *role == "user") && !roles.is_empty() {
            self.last = String::new();
            for part in parts {
                // A break stands between parts that say something.
                self.last.push_str(if self.last.is_empty() { "" } else { "\n" });
                self.last.push_str(&part);
            }
        }
    }

    fn content(&mut self, value: &Json, parts: &mut Vec<String>) {
        match value {
            Json::String(text) => self.part(text, parts),
            Json::Array(elements) => {
                for element in elements {
                    match element {
                        Json::String(text) => self.part(text, parts),
                        Json::Object(members) => self.part_members(members, parts),
                        Json::Array(inner) => inner.iter().for_each(|value| self.said(value)),
                        _ => {}
                    }
                }
            }
            Json::Object(members) => self.part_members(members, parts),
            _ => {}
        }
    }

    fn part_members(&mut self, members: &[(String, Json)], parts: &mut Vec<String>) {
        for (name, value) in members {
            match (name.as_str(), value) {
                ("text", Json::String(text)) => self.part(text, parts),
                ("text", value) => self.said(value),
                (name, value) => self.spoken(name, value),
            }
        }
    }

    fn part(&mut self, text: &str, parts: &mut Vec<String>) {
        self.text_bytes += text.len() as u64;
        parts.push(text.to_owned());
    }

    fn spoken(&mut self, name: &str, value: &Json) {
        let there = *value != Json::Null;
        match name {
            "image_url" => self.image(value),
            "input_audio" => self.has_audio |= there,
            "file" => self.has_file |= there,
            "type" | "id" | "role" | "tool_call_id" | "data" | "url" | "file_data" | "file_id"
            | "format" | "detail" | "signature" | "cache_control" | "encrypted_content"
            | "thoughtSignature" | "thought_signature" => {}
            _ => self.said(value),
        }
    }

    fn said(&mut self, value: &Json) {
        match value {
            Json::String(text) => self.text_bytes += text.len() as u64,
            Json::Array(elements) => elements.iter().for_each(|element| self.said(element)),
            Json::Object(members) => {
                members.iter().for_each(|(name, value)| self.spoken(name, value));
            }
            _ => {}
        }
    }

    fn image(&mut self, value: &Json) {
        self.image_parts += u32::from(*value != Json::Null);
        let mut url = |value: &Json| {
            if let Json::String(url) = value
                && url.starts_with("data:")
            {
                self.image_data_bytes += url.len() as u64;
            }
        };
        match value {
            Json::Object(members) => {
                members.iter().filter(|(name, _)| name == "url").for_each(|(_, value)| url(value));
            }
            value => url(value),
        }
    }
}

fn short(text: &str, limit: usize) -> Option<String> {
    (text.len() <= limit).then(|| text.to_owned())
}
