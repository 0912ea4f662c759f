//! The files under `sql/`, which define every number: compiled in, replaceable by a folder.

use std::collections::BTreeMap;
use std::path::Path;

use include_dir::{Dir, include_dir};
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

static COMPILED_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../sql");

/// The definition files by their path inside `sql/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definitions {
    files: BTreeMap<String, String>,
}

impl Definitions {
    /// The files that came with the binary; a file of the folder replaces the one of the same path
    /// or is added.
    pub fn load(overrides: Option<&Path>) -> Result<Self> {
        let mut files = BTreeMap::new();
        add_compiled_in(&COMPILED_IN, &mut files);
        if let Some(folder) = overrides {
            add_folder(folder, folder, &mut files)?;
        }
        Ok(Self { files })
    }

    /// The files of one folder whose name ends so, in the order of their paths: `(name, text)`.
    pub fn in_folder<'d>(
        &'d self,
        folder: &'d str,
        extension: &'d str,
    ) -> impl Iterator<Item = (&'d str, &'d str)> {
        self.files.iter().filter_map(move |(path, text)| {
            let name = path.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(extension)?;
            Some((name.strip_suffix('.')?, text.as_str()))
        })
    }

    /// One file's text.
    pub fn file(&self, path: &str) -> Result<&str> {
        self.files.get(path).map(String::as_str).ok_or_else(|| {
            Error::definition(format!("sql/{path}"), "the file is missing", "restore it")
        })
    }
}

/// A text in both languages as definition files write it, "中文。English", in its halves: what ends with the last Chinese
/// stop, and what follows it. A text in one language is both.
pub fn languages(text: &str) -> (&str, &str) {
    let (chinese, english) =
        text.rfind('。').map_or((text, ""), |end| text.split_at(end + '。'.len_utf8()));
    let english = english.trim_start();
    (chinese, if english.is_empty() { text } else { english })
}

/// A source in its halves, as [`languages`]: a phrase, whose Chinese half has no stop.
pub fn source_languages(text: &str) -> (&str, &str) {
    let (chinese, english) = languages(text);
    (chinese.trim_end_matches('。'), english)
}

fn add_compiled_in(folder: &Dir<'_>, files: &mut BTreeMap<String, String>) {
    for file in folder.files() {
        if let (Some(path), Some(text)) = (file.path().to_str(), file.contents_utf8()) {
            files.insert(path.to_owned(), text.to_owned());
        }
    }
    for inner in folder.dirs() {
        add_compiled_in(inner, files);
    }
}

fn add_folder(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        if path.is_dir() {
            add_folder(root, &path, files)?;
            continue;
        }
        let inside = path.strip_prefix(root).ok().and_then(Path::to_str);
        let known = path.extension().and_then(|extension| extension.to_str());
        if let (Some(inside), Some("sql" | "toml" | "csv" | "md")) = (inside, known) {
            let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
            files.insert(inside.replace('\\', "/"), text);
        }
    }
    Ok(())
}

/// Splits a SQL file into its header and its query.
///
/// The header is TOML in the comment lines at the top; a file without one, or with a key that the
/// header does not know, is an error that names the file and line.
pub(crate) fn split_header<H: DeserializeOwned>(file: &str, text: &str) -> Result<(H, String)> {
    let mut header = String::new();
    let mut lines = text.lines();
    let mut query = String::new();
    for line in lines.by_ref() {
        match line.strip_prefix("--") {
            Some(comment) => {
                header.push_str(comment.strip_prefix(' ').unwrap_or(comment));
                header.push('\n');
            }
            None => {
                query.push_str(line);
                query.push('\n');
                break;
            }
        }
    }
    for line in lines {
        query.push_str(line);
        query.push('\n');
    }
    let header = toml::from_str(&header).map_err(|error| {
        Error::definition(
            file,
            format!("the header is not complete: {}", error.to_string().trim_end()),
            "see the header keys in sql/README.md",
        )
    })?;
    Ok((header, query))
}
