//! What has landed out of the inbox, so that it is known when it comes again.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, Utc};

use crate::inbox::Digest;

/// How long, and how many, receipts are kept. A body that comes after that lands nothing either, since its events are
/// in the lake; its refused lines are kept once more.
const KEPT: Duration = Duration::days(7);
const KEPT_MAX: usize = 1_000_000;

/// By what a body is known: the hash of its source and its bytes, or of its source and its client's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 16]);

impl Key {
    pub(super) fn of_body(source: &str, digest: Digest) -> Self {
        Self::of("body", source, &digest)
    }

    pub(super) fn of_client(source: &str, key: &str) -> Self {
        Self::of("key", source, key.as_bytes())
    }

    fn of(kind: &str, source: &str, bytes: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in [kind.as_bytes(), source.as_bytes(), bytes] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(key)
    }
}

/// The part of a body's file name that tells what it is known by.
pub(super) fn body_name(digest: Digest, client: Option<&Key>) -> String {
    let digest = hex(digest);
    client.map_or_else(|| digest.clone(), |key| format!("{digest}-{}", hex(key.0)))
}

/// What a source calls a body as a part of its file name, which has 255 bytes at most.
pub(super) fn plain(name: &str) -> String {
    const BYTES_MAX: usize = 120;
    let mut plain = String::from(".");
    for letter in name.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }) {
        if plain.len() + letter.len_utf8() > BYTES_MAX {
            break;
        }
        plain.push(letter);
    }
    plain
}

/// What a body's file name tells: its digest, and the key of its client.
pub(super) fn read_body_name(name: &str) -> (Option<Digest>, Option<Key>) {
    let (stem, _) = name.split_once('.').unwrap_or((name, ""));
    let mut parts = stem.split('-').skip(1);
    (parts.next().and_then(unhex), parts.next().and_then(unhex).map(Key))
}

fn hex(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok()).flatten().map(u128::to_be_bytes)
}

/// A journal of receipts: a line each with the second, the key and the digest.
#[derive(Debug)]
pub(super) struct Receipts {
    path: PathBuf,
    file: File,
    kept: VecDeque<(i64, Key, Digest)>,
    /// Lines in the file.
    written: usize,
    /// Whether its last line may be a part of one.
    is_torn: bool,
}

impl Receipts {
    /// Reads what there is; a last line that a crash cut off is no receipt.
    pub(super) fn open(path: &Path, now: DateTime<Utc>) -> io::Result<Self> {
        let mut kept = VecDeque::new();
        match File::open(path) {
            Ok(file) => {
                for line in BufReader::new(file).split(b'\n') {
                    kept.extend(read_line(&line?));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let file = File::options().create(true).append(true).open(path)?;
        let mut receipts =
            Self { path: path.to_owned(), file, written: kept.len(), is_torn: false, kept };
        receipts.forget_old(now);
        // Also mends a line that was cut off.
        receipts.rewrite()?;
        Ok(receipts)
    }

    pub(super) fn known(&self) -> impl Iterator<Item = (Key, Digest)> {
        self.kept.iter().map(|(_, key, digest)| (*key, *digest))
    }

    /// Notes receipts, on disk once this returns. Returns the keys that are too old to be known any longer.
    pub(super) fn add(
        &mut self,
        receipts: Vec<(Key, Digest)>,
        now: DateTime<Utc>,
    ) -> io::Result<Vec<Key>> {
        if self.is_torn {
            self.rewrite()?;
        }
        let at = now.timestamp();
        let lines: String =
            receipts.iter().map(|(key, digest)| write_line(at, *key, *digest)).collect();
        self.is_torn = true;
        self.file.write_all(lines.as_bytes())?;
        self.file.sync_data()?;
        self.is_torn = false;
        self.written += receipts.len();
        self.kept.extend(receipts.into_iter().map(|(key, digest)| (at, key, digest)));
        let forgotten = self.forget_old(now);
        if self.written > 2 * self.kept.len() + 1000 {
            self.rewrite()?;
        }
        Ok(forgotten)
    }

    fn forget_old(&mut self, now: DateTime<Utc>) -> Vec<Key> {
        let oldest = (now - KEPT).timestamp();
        let mut forgotten = Vec::new();
        while let Some((at, key, _)) = self.kept.front()
            && (*at < oldest || self.kept.len() > KEPT_MAX)
        {
            forgotten.push(*key);
            self.kept.pop_front();
        }
        forgotten
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let partial = self.path.with_extension("partial");
        let lines: String =
            self.kept.iter().map(|(at, key, digest)| write_line(*at, *key, *digest)).collect();
        let mut file = File::create(&partial)?;
        file.write_all(lines.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&partial, &self.path)?;
        self.file = File::options().append(true).open(&self.path)?;
        self.written = self.kept.len();
        self.is_torn = false;
        Ok(())
    }
}

fn write_line(at: i64, key: Key, digest: Digest) -> String {
    format!("{at} {} {}\n", hex(key.0), hex(digest))
}

fn read_line(line: &[u8]) -> Option<(i64, Key, Digest)> {
    let mut parts = std::str::from_utf8(line).ok()?.split(' ');
    Some((parts.next()?.parse().ok()?, Key(unhex(parts.next()?)?), unhex(parts.next()?)?))
}
