//! What a request's JSON has to look like, as tables: every dialect lists its members, and one
//! checker finds the first fault. How a fault is worded is the dialect's own affair.

use serde_json::{Map, Value};

use super::names::{camel, snake};

/// What a value has to be.
pub(crate) enum Shape {
    /// Anything.
    Any,
    /// Any object.
    Object,
    /// Any string.
    Text,
    /// A string with at least one character.
    Filled,
    /// True or false.
    Flag,
    /// An integer between both, inclusive.
    Whole(i64, i64),
    /// A number between both, inclusive.
    Number(f64, f64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list with so many items, inclusive.
    List(&'static Shape, usize, usize),
    /// This shape, which may hold itself again.
    Nested(&'static Shape),
    /// An object whose members, whatever their names, have this shape.
    Map(&'static Shape),
    /// An object of these members and no others.
    Fields(&'static [Field]),
    /// An object whose members depend on the word in the named one. The word `""` stands for an
    /// absent member, `"*"` for any word that is not listed, with members that are not looked at.
    Tagged(&'static str, &'static [(&'static str, &'static [Field])]),
    /// An object with exactly one of these members.
    Union(&'static [Field]),
    /// Any of these, told apart by the JSON kind.
    Either(&'static [Shape]),
}

/// One member of an object.
pub(crate) struct Field {
    name: &'static str,
    shape: Shape,
    required: bool,
}

/// A member that has to be there.
pub(crate) const fn must(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: true }
}

/// A member that may be there.
pub(crate) const fn may(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: false }
}

/// One step of the way to a fault.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// A member.
    Name(String),
    /// An item of a list.
    Index(usize),
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// A required member is absent; the path names it.
    Missing,
    /// A member that does not exist; the path names it.
    Unknown,
    /// Another kind of JSON value.
    Kind(&'static str),
    /// A string without characters.
    Blank,
    /// A number below this one.
    Below(f64),
    /// A number above this one.
    Above(f64),
    /// A list with fewer items.
    Short(usize),
    /// A list with more items.
    Long(usize),
    /// A word that is none of these.
    Word(Vec<&'static str>),
    /// Not exactly one member of a union.
    Union(Vec<&'static str>),
}

/// The first fault of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    /// The way to it.
    pub(crate) path: Vec<Step>,
    /// What it is.
    pub(crate) what: What,
    /// The value that is wrong; null where one is missing.
    pub(crate) found: Box<Value>,
}

/// How members are looked at.
#[derive(Clone, Copy, Default)]
pub(crate) struct Habits {
    /// An optional member that is null counts as absent.
    pub(crate) null_is_absent: bool,
    /// `snake_case` names mean the same as `camelCase` ones (protobuf's JSON).
    pub(crate) snake: bool,
}

/// Checks `value` against `shape`.
///
/// # Errors
/// The first fault.
pub(crate) fn check(value: &Value, shape: &Shape, habits: Habits) -> Result<(), Fault> {
    Checker { habits, path: Vec::new() }.value(value, shape)
}

struct Checker {
    habits: Habits,
    path: Vec<Step>,
}

impl Checker {
    fn value(&mut self, value: &Value, shape: &Shape) -> Result<(), Fault> {
        match shape {
            Shape::Any => Ok(()),
            Shape::Object => self.kind(value, value.is_object(), "an object"),
            Shape::Text => self.kind(value, value.is_string(), "a string"),
            Shape::Filled => match value.as_str() {
                Some("") => Err(self.fault(What::Blank, value)),
                found => self.kind(value, found.is_some(), "a string"),
            },
            Shape::Flag => self.kind(value, value.is_boolean(), "a boolean"),
            Shape::Whole(least, most) => {
                let whole = value.as_i64().or_else(|| value.as_u64().map(|_| i64::MAX));
                self.kind(value, whole.is_some(), "an integer")?;
                #[expect(clippy::cast_precision_loss, reason = "limits are small numbers")]
                self.range(value, *least as f64, *most as f64)
            }
            Shape::Number(least, most) => {
                self.kind(value, value.is_number(), "a number")?;
                self.range(value, *least, *most)
            }
            Shape::Word(words) => {
                self.kind(value, value.is_string(), "a string")?;
                if words.iter().any(|word| value == word) {
                    return Ok(());
                }
                Err(self.fault(What::Word(words.to_vec()), value))
            }
            Shape::List(item, least, most) => self.list(value, item, *least, *most),
            Shape::Nested(shape) => self.value(value, shape),
            Shape::Map(shape) => self.map(value, shape),
            Shape::Fields(fields) => {
                self.kind(value, value.is_object(), "an object")?;
                self.fields(value, fields, "")
            }
            Shape::Union(fields) => self.union(value, fields),
            Shape::Tagged(tag, variants) => self.tagged(value, tag, variants),
            Shape::Either(shapes) => match shapes.iter().find(|shape| same_kind(value, shape)) {
                Some(shape) => self.value(value, shape),
                None => Err(self.fault(What::Kind("a value of another type"), value)),
            },
        }
    }

    fn kind(&self, value: &Value, right: bool, wanted: &'static str) -> Result<(), Fault> {
        if right { Ok(()) } else { Err(self.fault(What::Kind(wanted), value)) }
    }

    fn range(&self, value: &Value, least: f64, most: f64) -> Result<(), Fault> {
        match value.as_f64() {
            Some(number) if number < least => Err(self.fault(What::Below(least), value)),
            Some(number) if number > most => Err(self.fault(What::Above(most), value)),
            _ => Ok(()),
        }
    }

    fn list(
        &mut self,
        value: &Value,
        item: &Shape,
        least: usize,
        most: usize,
    ) -> Result<(), Fault> {
        let Some(items) = value.as_array() else {
            return Err(self.fault(What::Kind("a list"), value));
        };
        if items.len() < least {
            return Err(self.fault(What::Short(least), value));
        }
        if items.len() > most {
            return Err(self.fault(What::Long(most), value));
        }
        for (index, entry) in items.iter().enumerate() {
            self.path.push(Step::Index(index));
            self.value(entry, item)?;
            self.path.pop();
        }
        Ok(())
    }

    fn map(&mut self, value: &Value, shape: &Shape) -> Result<(), Fault> {
        self.kind(value, value.is_object(), "an object")?;
        for (name, part) in value.as_object().into_iter().flatten() {
            self.path.push(Step::Name(name.clone()));
            self.value(part, shape)?;
            self.path.pop();
        }
        Ok(())
    }

    fn tagged(
        &mut self,
        value: &Value,
        tag: &str,
        variants: &[(&'static str, &'static [Field])],
    ) -> Result<(), Fault> {
        self.kind(value, value.is_object(), "an object")?;
        let word = value.get(tag);
        let name = match word {
            None | Some(Value::Null) => "",
            Some(word) => word.as_str().unwrap_or("\u{0}"),
        };
        if let Some((_, fields)) = variants.iter().find(|(word, _)| *word == name) {
            return self.fields(value, fields, tag);
        }
        if !name.is_empty() && variants.iter().any(|(word, _)| *word == "*") {
            return Ok(());
        }
        self.path.push(Step::Name(tag.to_owned()));
        match word {
            None | Some(Value::Null) => Err(self.fault(What::Missing, &Value::Null)),
            Some(found) => {
                let words = variants.iter().map(|(word, _)| *word);
                Err(self.fault(What::Word(words.filter(|word| !word.is_empty()).collect()), found))
            }
        }
    }

    fn union(&mut self, value: &Value, fields: &'static [Field]) -> Result<(), Fault> {
        self.kind(value, value.is_object(), "an object")?;
        self.fields(value, fields, "")?;
        let given = value.as_object().into_iter().flatten().filter(|(_, part)| !part.is_null());
        if given.count() == 1 {
            return Ok(());
        }
        Err(self.fault(What::Union(fields.iter().map(|field| field.name).collect()), value))
    }

    /// Every required member is there, every member is known and fits.
    fn fields(&mut self, value: &Value, fields: &[Field], tag: &str) -> Result<(), Fault> {
        let nothing = Map::new();
        let object = value.as_object().unwrap_or(&nothing);
        for field in fields {
            let given = self.member(object, field.name);
            if field.required && given.is_none_or(|given| self.absent(given)) {
                self.path.push(Step::Name(field.name.to_owned()));
                return Err(self.fault(What::Missing, &Value::Null));
            }
        }
        for (name, part) in object {
            if name == tag {
                continue;
            }
            let known = fields.iter().find(|field| self.names(field.name, name));
            self.path.push(Step::Name(name.clone()));
            match known {
                None => return Err(self.fault(What::Unknown, part)),
                Some(field) if !field.required && self.absent(part) => {}
                Some(field) => self.value(part, &field.shape)?,
            }
            self.path.pop();
        }
        Ok(())
    }

    fn absent(&self, value: &Value) -> bool {
        self.habits.null_is_absent && value.is_null()
    }

    fn names(&self, known: &str, given: &str) -> bool {
        known == given || (self.habits.snake && given.contains('_') && camel(given) == known)
    }

    fn member<'v>(&self, object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
        let snaked = || self.habits.snake.then(|| object.get(&snake(name))).flatten();
        object.get(name).or_else(snaked)
    }

    fn fault(&self, what: What, found: &Value) -> Fault {
        Fault { path: self.path.clone(), what, found: Box::new(found.clone()) }
    }
}

fn same_kind(value: &Value, shape: &Shape) -> bool {
    match shape {
        Shape::Any => true,
        Shape::Text | Shape::Filled | Shape::Word(_) => value.is_string(),
        Shape::Flag => value.is_boolean(),
        Shape::Whole(..) | Shape::Number(..) => value.is_number(),
        Shape::List(..) => value.is_array(),
        Shape::Nested(shape) => same_kind(value, shape),
        Shape::Map(_) | Shape::Object | Shape::Fields(_) | Shape::Tagged(..) | Shape::Union(_) => {
            value.is_object()
        }
        Shape::Either(shapes) => shapes.iter().any(|shape| same_kind(value, shape)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    static PART: Shape = Shape::Tagged(
        "type",
        &[
            ("text", &[must("text", Shape::Filled)]),
            ("list", &[must("parts", Shape::List(&PART, 1, 9))]),
        ],
    );
    static WHOLE: Shape = Shape::Fields(&[
        must("partList", Shape::List(&PART, 1, 9)),
        may("heat", Shape::Number(0.0, 1.0)),
        may("mode", Shape::Union(&[may("a", Shape::Object), may("b", Shape::Flag)])),
        may("stop", Shape::Either(&[Shape::Text, Shape::List(&Shape::Text, 1, 2)])),
    ]);

    fn fault(value: &Value) -> (String, What) {
        let habits = Habits { null_is_absent: true, snake: true };
        let fault = check(value, &WHOLE, habits).unwrap_err();
        let names = fault.path.iter().map(|step| match step {
            Step::Name(name) => name.clone(),
            Step::Index(index) => index.to_string(),
        });
        (names.collect::<Vec<_>>().join("."), fault.what)
    }

    /// Each fault is found where it is, also inside nested lists and under a name in snake case.
    #[test]
    fn faults_are_found_where_they_are() {
        let text = json!([{"type": "text", "text": "x"}]);
        for (value, path, what) in [
            (json!({}), "partList", What::Missing),
            (json!({"partList": text, "odd": 1}), "odd", What::Unknown),
            (json!({"part_list": []}), "part_list", What::Short(1)),
            (json!({"partList": [{"type": "text", "text": ""}]}), "partList.0.text", What::Blank),
            (json!({"partList": [{"text": "x"}]}), "partList.0.type", What::Missing),
            (
                json!({"partList": [{"type": "list", "parts": [{"type": "odd"}]}]}),
                "partList.0.parts.0.type",
                What::Word(vec!["text", "list"]),
            ),
            (json!({"partList": text, "heat": 1.5}), "heat", What::Above(1.0)),
            (json!({"partList": text, "mode": {}}), "mode", What::Union(vec!["a", "b"])),
            (json!({"partList": text, "stop": 7}), "stop", What::Kind("a value of another type")),
        ] {
            assert_eq!(fault(&value), (path.to_owned(), what), "{value}");
        }
    }

    /// What fits passes, null members included.
    #[test]
    fn what_fits_passes() {
        let value = json!({"part_list": [{"type": "list", "parts": [{"type": "text", "text": "x"}]}],
            "heat": null, "mode": {"b": true}, "stop": ["x"]});
        assert_eq!(check(&value, &WHOLE, Habits { null_is_absent: true, snake: true }), Ok(()));
        assert!(check(&value, &WHOLE, Habits { null_is_absent: false, snake: true }).is_err());
    }
}
