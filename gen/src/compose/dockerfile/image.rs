//! What an image would be: the instructions of a stage and of those below it, with `ARG` and `ENV` filled in.

use std::collections::HashMap;
use std::ops::Range;

use indexmap::IndexMap;

use super::{Command, Dockerfile, Instruction, Word};

/// What an image of a stage says of itself.
#[derive(Debug, Default)]
pub struct Image {
    /// The image that all of it is built on, with `ARG`s filled in; `None` where one has no value.
    pub base: Option<String>,
    /// `ENV`.
    pub env: IndexMap<String, Word>,
    /// `EXPOSE`, TCP ports and others.
    pub exposed: Vec<(u16, Range<usize>)>,
    /// The last `USER`.
    pub user: Option<Word>,
    /// The last `CMD`.
    pub cmd: Option<Command>,
    /// The last `ENTRYPOINT`.
    pub entrypoint: Option<Command>,
    /// `HEALTHCHECK`: whether there is one (`NONE` says no), and where.
    pub health: Option<(bool, Command)>,
    /// Paths of `VOLUME`.
    pub volumes: Vec<Word>,
    /// The texts of all `RUN`s, and the sources of all `COPY`s, of all of its stages.
    pub made_by: Vec<String>,
}

impl Dockerfile {
    /// Values of the `ARG`s before the first `FROM`.
    #[must_use]
    pub fn global_args(&self, given: &HashMap<String, String>) -> HashMap<String, String> {
        let mut values = HashMap::new();
        for instruction in self.instructions.iter().filter(|one| one.stage.is_none() && one.keyword == "ARG") {
            for word in &instruction.words {
                let (name, default) = word.text.split_once('=').map_or((word.text.as_str(), None), |(name, value)| (name, Some(value)));
                let value = given.get(name).cloned().or_else(|| default.map(|value| substitute(value, &values).0));
                if let Some(value) = value {
                    values.insert(name.to_owned(), value);
                }
            }
        }
        values
    }

    /// What an image of a stage says of itself. `given` are the build arguments.
    #[must_use]
    pub fn image(&self, target: usize, given: &HashMap<String, String>) -> Image {
        let mut chain = vec![target];
        while let Some(parent) = chain.last().and_then(|stage| self.stages.get(*stage)?.parent) {
            chain.push(parent);
        }
        chain.reverse();
        let global = self.global_args(given);
        let mut image = Image::default();
        if let Some(first) = chain.first().and_then(|stage| self.stages.get(*stage)) {
            let (base, unset) = substitute(&first.base.text, &global);
            image.base = Some(base).filter(|_| unset.is_empty());
        }
        let mut values = HashMap::new();
        for stage in chain {
            let from = self.stages.get(stage).map_or(0, |stage| stage.from);
            let own = || self.instructions[from..].iter().take_while(|one| one.stage == Some(stage));
            for instruction in own() {
                apply(instruction, &mut image, &mut values, &global, given);
            }
            // Arguments end with their stage.
            for word in own().filter(|one| one.keyword == "ARG").flat_map(|one| &one.words) {
                let name = word.text.split('=').next().unwrap_or_default();
                if !image.env.contains_key(name) {
                    values.remove(name);
                }
            }
        }
        image
    }
}

fn apply(
    instruction: &Instruction,
    image: &mut Image,
    values: &mut HashMap<String, String>,
    global: &HashMap<String, String>,
    given: &HashMap<String, String>,
) {
    let command = || Command {
        words: instruction.words.clone(),
        text: instruction.text.clone(),
        is_exec: instruction.is_exec,
        range: instruction.range.clone(),
    };
    match instruction.keyword.as_str() {
        "ARG" => {
            for word in &instruction.words {
                let (name, default) = word.text.split_once('=').map_or((word.text.as_str(), None), |(name, value)| (name, Some(value)));
                let value = given
                    .get(name)
                    .cloned()
                    .or_else(|| default.map(|value| substitute(value, values).0))
                    .or_else(|| global.get(name).cloned());
                // A variable of the image goes before an argument of the same name.
                if let Some(value) = value.filter(|_| !image.env.contains_key(name)) {
                    values.insert(name.to_owned(), value);
                }
            }
        }
        "ENV" => {
            for (name, value) in variables(instruction) {
                let text = substitute(&value.text, values).0;
                values.insert(name.clone(), text.clone());
                image.env.insert(name, Word { text, range: value.range });
            }
        }
        "EXPOSE" => {
            for word in &instruction.words {
                let text = substitute(&word.text, values).0;
                let number = text.split('/').next().unwrap_or_default();
                let (first, last) = number.split_once('-').unwrap_or((number, number));
                if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
                    let room = MOST_EXPOSED.saturating_sub(image.exposed.len());
                    image.exposed.extend((first..=last).take(room).map(|port| (port, word.range.clone())));
                }
            }
        }
        "USER" => {
            image.user = instruction.words.first().map(|word| Word { text: substitute(&word.text, values).0, range: word.range.clone() });
        }
        "CMD" => image.cmd = Some(command()),
        "ENTRYPOINT" => {
            image.entrypoint = Some(command());
        }
        "HEALTHCHECK" => {
            let is_none = instruction.words.first().is_some_and(|word| word.text.eq_ignore_ascii_case("none"));
            let mut command = command();
            if let Some(rest) = command.text.get(..3).filter(|word| word.eq_ignore_ascii_case("cmd")).and(command.text.get(3..)) {
                command.text = String::from(rest.trim());
                command.words.drain(..1.min(command.words.len()));
                command.is_exec = command.text.starts_with('[');
            }
            image.health = Some((!is_none, command));
        }
        "VOLUME" => image.volumes.extend(instruction.words.iter().cloned()),
        "RUN" | "COPY" | "ADD" => image.made_by.push(instruction.text.clone()),
        _ => {}
    }
}

/// The variables of an `ENV`: `A=1 B=2`, or the old form `A 1`.
#[must_use]
pub fn variables(instruction: &Instruction) -> Vec<(String, Word)> {
    let Some(first) = instruction.words.first() else { return Vec::new() };
    if !first.text.contains('=') {
        let value = instruction.text.strip_prefix(first.text.as_str()).unwrap_or_default().trim();
        let range = instruction.words.get(1).map_or_else(|| instruction.range.clone(), |word| word.range.start..instruction.range.end);
        return vec![(first.text.clone(), Word { text: value.to_owned(), range })];
    }
    let pairs = instruction.words.iter().filter_map(|word| {
        let (name, value) = word.text.split_once('=')?;
        Some((name.to_owned(), Word { text: value.to_owned(), range: word.range.clone() }))
    });
    pairs.collect()
}

/// The most ports of an image that are looked at: a range may be all that there are.
const MOST_EXPOSED: usize = 1000;
/// The most that variables add to a text, the longest path that Linux knows: a variable may be twice the one above it.
const MOST_FILLED_IN: usize = 4096;

/// A text with `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+other}` filled in, and the names that have no value. What would grow without
/// measure has none.
#[must_use]
#[allow(clippy::implicit_hasher, reason = "one kind of map is used")]
pub fn substitute(text: &str, values: &HashMap<String, String>) -> (String, Vec<String>) {
    let mut filled = String::with_capacity(text.len());
    let mut unset = Vec::new();
    let mut rest = text;
    let mut room = MOST_FILLED_IN;
    let mut known = |name: &str| {
        let value = values.get(name).filter(|value| value.len() <= room)?;
        room -= value.len();
        Some(value)
    };
    while let Some(dollar) = rest.find('$') {
        if rest[..dollar].ends_with('\\') {
            filled.push_str(&rest[..dollar - 1]);
            filled.push('$');
            rest = &rest[dollar + 1..];
            continue;
        }
        filled.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if let Some(inside) = rest.strip_prefix('{') {
            let Some(end) = inside.find('}') else {
                filled.push('$');
                continue;
            };
            let (body, after) = (&inside[..end], &inside[end + 1..]);
            let name_end = body.find(|c| !is_name(c)).unwrap_or(body.len());
            let (name, operator) = body.split_at(name_end);
            let value = known(name).filter(|value| !(value.is_empty() && operator.starts_with(':')));
            match (value, operator.trim_start_matches(':').chars().next()) {
                (Some(_), Some('+')) | (None, Some('-')) => filled.push_str(operator.trim_start_matches(':').get(1..).unwrap_or_default()),
                (None, Some('+')) => {}
                (Some(value), _) => filled.push_str(value),
                (None, _) => unset.push(name.to_owned()),
            }
            rest = after;
        } else {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            if end == 0 {
                filled.push('$');
                continue;
            }
            match known(&rest[..end]) {
                Some(value) => filled.push_str(value),
                None => unset.push(rest[..end].to_owned()),
            }
            rest = &rest[end..];
        }
    }
    filled.push_str(rest);
    (filled, unset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_image_is_what_its_stages_say() {
        let text = "ARG V=12\nFROM debian:$V AS base\nENV PORT=80 A=\"x y\"\nEXPOSE $PORT/tcp\nFROM base\nUSER app\nCMD run $PORT\nHEALTHCHECK --interval=5s CMD curl localhost\n";
        let file = Dockerfile::parse(text);
        let image = file.image(1, &values(&[("V", "13")]));
        assert_eq!(image.base.as_deref(), Some("debian:13"));
        assert_eq!(image.env["A"].text, "x y");
        assert_eq!(image.exposed[0].0, 80);
        assert_eq!(image.user.as_ref().map(|user| user.text.as_str()), Some("app"));
        assert!(!image.cmd.as_ref().is_some_and(|cmd| cmd.is_exec));
        assert_eq!(image.health.as_ref().map(|(on, command)| (*on, command.text.as_str())), Some((true, "curl localhost")));
    }

    #[test]
    fn variables_have_operators() {
        let values = values(&[("A", "1"), ("E", "")]);
        assert_eq!(substitute("$A-${A}-${E:-d}-${E-x}-${N:-n}-${A:+y}-\\$A-$", &values), ("1-1-d--n-y-$A-$".to_owned(), vec![]));
        assert_eq!(substitute("$N", &values), (String::new(), vec!["N".to_owned()]));
    }
}
