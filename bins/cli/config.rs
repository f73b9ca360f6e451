//! Configs: a built-in profile, a file over it, `--set` over both. A profile is one text, or several of which later ones lie
//! over earlier ones.
//!
//! A config is any `T: Serialize + DeserializeOwned`, with `#[serde(deny_unknown_fields)]` on every struct:
//! without it an unknown key would pass in silence.

use crate::exit::Failure;
use crate::keys::{self, Key};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use toml::{Table, Value};

/// The config that `built_in` gives once the keys of `file` and then `sets` (`key.sub=value`) are put over it.
///
/// Tables are merged key by key; any other value, an array as well, is replaced whole. The value of a set is
/// a TOML value, and what is not one is a string: `--set model=conv4`.
///
/// # Errors
/// The file cannot be read, something is not TOML, a key is unknown, or a value has the wrong type. The
/// message names the key, shows the line or the `--set` it came from, and lists the keys known there.
pub fn resolve<T: DeserializeOwned>(built_in: &[&str], file: Option<&Path>, sets: &[String]) -> Result<T, Failure> {
    resolve_over("the built-in profile", built_in, file, sets)
}

/// [`resolve`] over any base, given by its name in messages and its texts.
pub(crate) fn resolve_over<T: DeserializeOwned>(
    name: &str,
    base: &[&str],
    file: Option<&Path>,
    sets: &[String],
) -> Result<T, Failure> {
    let layers = Layers::read(name, base, file, sets)?;
    // The merged text is read instead of the merged table: only a text has places, and they lead to the key.
    let text = layers.merged.to_string();
    toml::from_str(&text).map_err(|error| layers.explain(&error, &text))
}

/// The config as TOML that [`resolve`] reads back to the same config.
///
/// # Errors
/// `T` holds what TOML cannot say, such as an integer beyond 63 bits.
pub fn print<T: Serialize>(config: &T) -> Result<String, Failure> {
    toml::to_string(config).map_err(|error| Failure::usage("this config cannot be written as TOML").cause(error))
}

struct Layers {
    base: String,
    merged: Table,
    file: Option<(String, String)>,
    sets: Vec<(Key, String)>,
}

impl Layers {
    fn read(base: &str, texts: &[&str], file: Option<&Path>, sets: &[String]) -> Result<Layers, Failure> {
        let mut merged = Table::new();
        for text in texts {
            merge(&mut merged, parse(base, text)?);
        }
        let file = file.map(read_file).transpose()?;
        if let Some((name, text)) = &file {
            merge(&mut merged, parse(name, text)?);
        }
        let mut parsed = Vec::new();
        for set in sets {
            let (key, value) = parse_set(set)?;
            insert(&mut merged, &key, value);
            parsed.push((key, set.clone()));
        }
        Ok(Layers { base: base.to_string(), merged, file, sets: parsed })
    }

    /// Turns serde's complaint about the merged text into one about what the user wrote.
    fn explain(&self, error: &toml::de::Error, text: &str) -> Failure {
        let message = error.message();
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let mut key = error.span().and_then(|span| keys::at(text, span.start)).unwrap_or_default();
        let about_a_key = message.starts_with("unknown field") || message.starts_with("missing field");
        if let (true, Some(name)) = (about_a_key, quoted.first())
            && key.last().map(String::as_str) != Some(name)
        {
            // Buffered enums report the table and not the key in it.
            key.push(name.to_string());
        }
        let what = match key.join(".") {
            dotted if message.starts_with("unknown field") => format!("unknown key `{dotted}`"),
            dotted if message.starts_with("missing field") => format!("the config lacks `{dotted}`"),
            dotted if dotted.is_empty() => format!("wrong config: {message}"),
            dotted => format!("wrong value for `{dotted}`: {message}"),
        };
        self.origin(&key, what, &self.advice(message, &quoted, &key.join(".")))
    }

    fn advice(&self, message: &str, quoted: &[&str], key: &str) -> String {
        let mut advice = Vec::new();
        if let (true, Some((wrong, known))) = (message.starts_with("unknown"), quoted.split_first()) {
            advice.extend(keys::nearest(wrong, known).map(|near| format!("did you mean `{near}`?")));
            let elsewhere = keys::ending_in(&self.merged, wrong).into_iter().find(|found| found != key);
            advice.extend(elsewhere.map(|found| format!("there is a key `{found}`;")));
            advice.push(format!("known here: {}", known.join(", ")));
        }
        if advice.is_empty() { "--print-config shows every key with a valid value".into() } else { advice.join(" ") }
    }

    /// Adds where the fault was written: the last `--set` about `key`, else the line in the file.
    fn origin(&self, key: &[String], what: String, help: &str) -> Failure {
        let about = |set: &&(Key, String)| !key.is_empty() && (key.starts_with(&set.0) || set.0.starts_with(key));
        if let Some((_, set)) = self.sets.iter().rev().find(about) {
            return Failure::usage(format!("{what}, in --set {set}")).help(help);
        }
        if let Some((name, text)) = &self.file
            && let Some(span) = keys::place(text, key)
        {
            let line = 1 + text[..span.start].matches('\n').count();
            return Failure::usage(format!("{what}, in {name}, line {line}")).at(name, text, span, "here").help(help);
        }
        Failure::usage(format!("{what}, in {}", self.base)).help(help)
    }
}

fn read_file(path: &Path) -> Result<(String, String), Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::file("read the config", path, error).help("--print-config prints one that can be saved and used")
    })?;
    Ok((path.display().to_string(), text))
}

/// Parses a layer, or shows the line that is not TOML.
pub(crate) fn parse(name: &str, text: &str) -> Result<Table, Failure> {
    text.parse::<Table>().map_err(|error: toml::de::Error| {
        let span = error.span().unwrap_or(0..0);
        let line = 1 + text[..span.start].matches('\n').count();
        Failure::usage(format!("{name} is not TOML, line {line}: {}", error.message())).at(name, text, span, "here")
    })
}

/// `key.sub=value` as a key and a TOML value. A bare word is a string; so is a date, which no config has.
fn parse_set(set: &str) -> Result<(Key, Value), Failure> {
    let wrong = |why: &str| Failure::usage(format!("--set {set}: {why}")).help("write --set key.sub=value");
    let (key, text) = set.split_once('=').ok_or_else(|| wrong("there is no ="))?;
    let key: Key = key.split('.').map(|name| name.trim().to_string()).collect();
    if key.iter().any(String::is_empty) {
        return Err(wrong("a key has an empty name"));
    }
    let text = text.trim();
    match text.parse::<Value>() {
        Ok(Value::Datetime(_)) => Ok((key, Value::String(text.into()))),
        Ok(value) => Ok((key, value)),
        Err(error) if text.starts_with(['[', '{', '"', '\'']) => {
            Err(wrong(&format!("the value is not TOML: {}", error.message())))
        }
        Err(_) => Ok((key, Value::String(text.into()))),
    }
}

fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

fn insert(table: &mut Table, key: &[String], value: Value) {
    let nested = key.iter().rev().fold(value, |value, name| Value::Table(Table::from_iter([(name.clone(), value)])));
    if let Value::Table(over) = nested {
        merge(table, over);
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
