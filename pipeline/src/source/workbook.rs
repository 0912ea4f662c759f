//! Excel workbooks: a sheet becomes JSON lines, a line for each row, so that the number of a line is that of its row.
//!
//! The header is the first row that has the columns which the mapping needs: ledgers have titles above it. Cells that are
//! merged downwards hold for each of their rows.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use calamine::{
    CellErrorType, DataRef, Dimensions, ExcelDateTime, ExcelDateTimeType, Reader as _, Xlsx,
    XlsxCellReader, XlsxError,
};

use crate::error::{Error, Result};
use crate::event::{Reason, Refusal};
use crate::source::mapping::Mapping;

/// How large a workbook may be unpacked: its texts and merged cells are held in memory, and a small file can unpack to
/// any size.
const UNPACKED_MAX: u64 = 512 << 20;

/// How many rows are looked at for the header.
const HEADER_ROWS_MAX: u32 = 100;

/// How much text a row may hold with what is merged into it, in bytes: a text that stands once in the file can stand in
/// every cell.
const ROW_BYTES_MAX: usize = 32 << 20;

/// The limits of the format itself.
const ROWS_MAX: u32 = 1 << 20;
const COLUMNS_MAX: u32 = 1 << 14;

/// How the line of a row begins that has a cell without a value.
const REFUSED: char = '!';

/// A piece of text on its way to whoever reads.
const PIECE_BYTES: usize = 256 << 10;

type Book = Xlsx<BufReader<File>>;

/// What of a workbook lands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheets {
    /// The sheets that have the columns which the mapping needs.
    pub fitting: Vec<String>,
    /// The others, each with what it lacks.
    pub passed_over: Vec<(String, String)>,
}

/// Finds the sheets whose rows the mapping can read, or the one that is named.
///
/// Fails with [`Error::Definition`] when the file is no workbook, is too large unpacked, or none of its sheets fits.
pub fn sheets(path: &Path, mapping: &Mapping, named: Option<&str>) -> Result<Sheets> {
    let mut book = open(path)?;
    let names = book.sheet_names();
    if let Some(named) = named
        && !names.iter().any(|name| name == named)
    {
        let there = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(Error::definition(
            path.display().to_string(),
            format!("there is no sheet `{named}`"),
            format!("the workbook has {there}"),
        ));
    }
    let mut sheets = Sheets::default();
    let mut refusal = None;
    for name in names {
        if named.is_some_and(|named| named != name) {
            continue;
        }
        match header(&mut book, path, &name, mapping) {
            Ok(Some(_)) => sheets.fitting.push(name),
            Ok(None) => sheets.passed_over.push((name, "it is empty".to_owned())),
            Err(error) => {
                sheets.passed_over.push((name, error.to_string()));
                refusal.get_or_insert(error);
            }
        }
    }
    match (sheets.fitting.is_empty(), refusal) {
        (false, _) => Ok(sheets),
        (true, Some(refusal)) => Err(refusal),
        (true, None) => Err(Error::definition(
            path.display().to_string(),
            "the workbook is empty",
            "a sheet starts with a header",
        )),
    }
}

/// How a sheet is called in errors and beside refused lines.
pub(crate) fn label(path: &Path, sheet: &str) -> PathBuf {
    let mut label = path.as_os_str().to_owned();
    label.push(":");
    label.push(sheet);
    label.into()
}

/// The rows of a sheet as JSON lines, in bounded memory. What is wrong with the workbook is an error of reading.
pub fn text(path: &Path, sheet: &str, mapping: &Mapping) -> Result<Box<dyn Read + Send>> {
    let (sender, pieces) = sync_channel(2);
    let (file, name, mapping) = (path.to_owned(), sheet.to_owned(), mapping.clone());
    let writing = thread::Builder::new().name("read-sheet".to_owned());
    let work = move || {
        let mut out = Pieces { sender, piece: Vec::new() };
        let written = write(&file, &name, &mapping, &mut out)
            .and_then(|()| out.end().map_err(Error::io("read", &file)));
        if let Err(error) = written {
            let error = io::Error::new(io::ErrorKind::InvalidData, error.to_string());
            // Whoever reads may have gone.
            let _ = out.sender.send(Err(error));
        }
    };
    writing.spawn(work).map_err(Error::internal)?;
    Ok(Box::new(Joined { pieces, piece: Vec::new(), given: 0, has_ended: false }))
}

/// Why a line is refused that [`text`] has written for a row with a cell that has no value.
pub(crate) fn refusal(line: &str) -> Option<Refusal> {
    let (detail, _) = line.strip_prefix(REFUSED)?.split_once('\t')?;
    Some(Refusal::new(Reason::MalformedRow, detail))
}

fn damaged(path: &Path) -> impl Fn(XlsxError) -> Error {
    let file = path.display().to_string();
    move |error| {
        let remedy = match error {
            XlsxError::Password => "save it without a password",
            _ => "save it again as .xlsx",
        };
        Error::definition(file.clone(), format!("the workbook cannot be read: {error}"), remedy)
    }
}

fn open(path: &Path) -> Result<Book> {
    let file =
        || -> Result<_> { Ok(BufReader::new(File::open(path).map_err(Error::io("open", path))?)) };
    check_size(path, file()?)?;
    Xlsx::new(file()?).map_err(damaged(path))
}

/// Unpacks everything once without keeping it: what a file says of its own size need not be true.
fn check_size(path: &Path, file: BufReader<File>) -> Result<()> {
    let told = |problem: String, remedy: &str| {
        Err(Error::definition(path.display().to_string(), problem, remedy))
    };
    let mut archive = match zip::ZipArchive::new(file) {
        Ok(archive) => archive,
        Err(error) => {
            let problem = format!("it is no workbook of the format .xlsx: {error}");
            return told(problem, "save it again as .xlsx, without a password");
        }
    };
    let mut room = UNPACKED_MAX;
    for position in 0..archive.len() {
        let unpacked = archive
            .by_index(position)
            .map_err(io::Error::other)
            .and_then(|entry| io::copy(&mut entry.take(room + 1), &mut io::sink()));
        room = match unpacked.map(|unpacked| room.checked_sub(unpacked)) {
            Ok(Some(room)) => room,
            Ok(None) => {
                let problem = format!("the workbook has over {} MB unpacked", UNPACKED_MAX >> 20);
                return told(problem, "save its sheets as .csv, or split it");
            }
            Err(error) => {
                let problem = format!("the workbook is damaged: {error}");
                return told(problem, "save it again as .xlsx");
            }
        };
    }
    Ok(())
}

/// What a cell holds.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Text(String),
    /// A number or a truth value, as JSON.
    Json(String),
    Error(CellErrorType),
}

impl Cell {
    fn of(value: DataRef<'_>, is_1904: bool) -> Option<Self> {
        let text = |text: &str| (!text.trim().is_empty()).then(|| Self::Text(text.to_owned()));
        match value {
            DataRef::Empty => None,
            DataRef::String(value) => text(&value),
            DataRef::SharedString(value) => text(value),
            DataRef::DateTimeIso(value) | DataRef::DurationIso(value) => text(&value),
            DataRef::Bool(value) => Some(Self::Json(value.to_string())),
            DataRef::Int(value) => Some(Self::Json(value.to_string())),
            DataRef::Float(value) => Some(number(value)),
            DataRef::DateTime(value) => Some(Self::Text(time(value, is_1904))),
            DataRef::Error(error) => Some(Self::Error(error)),
        }
    }

    /// How much memory its text takes, in bytes.
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Error(_) => 0,
        }
    }

    /// The cell as the name of a column.
    fn name(&self) -> String {
        match self {
            // A header may be broken into lines to be narrow.
            Self::Text(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
            Self::Json(json) => json.clone(),
            Self::Error(error) => error.to_string(),
        }
    }
}

/// A number as it is seen: whole ones without a fraction.
fn number(value: f64) -> Cell {
    const EXACT: f64 = 9e15;
    if value.fract() == 0.0 && value.abs() < EXACT {
        return Cell::Json((value as i64).to_string());
    }
    match serde_json::Number::from_f64(value) {
        Some(number) => Cell::Json(number.to_string()),
        None => Cell::Text(value.to_string()),
    }
}

/// A time as text: a day, a day and a time, a time of day, or a duration in hours.
fn time(value: ExcelDateTime, is_1904: bool) -> String {
    const DAY_SECONDS: f64 = 86_400.0;
    // A time is a fraction of a day, so that 08:00 is a little less or more.
    let seconds = (value.as_f64() * DAY_SECONDS).round();
    let whole = seconds as i64;
    if value.is_duration() || (0..86_400).contains(&whole) {
        return format!("{:02}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
    }
    let rounded = ExcelDateTime::new(seconds / DAY_SECONDS, ExcelDateTimeType::DateTime, is_1904);
    let (year, month, day, hour, minute, second, _) = rounded.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    if whole.rem_euclid(86_400) == 0 {
        return date;
    }
    format!("{date} {hour:02}:{minute:02}:{second:02}")
}

/// One row: its number from 0, and the cells that hold something, by column.
#[derive(Debug, Default)]
struct SheetRow {
    row: u32,
    cells: Vec<(u32, Cell)>,
}

/// Reads the rows of a sheet that hold something.
struct Rows<'b> {
    path: PathBuf,
    cells: XlsxCellReader<'b, BufReader<File>>,
    is_1904: bool,
    /// The first cell of the next row.
    next: Option<(u32, u32, Cell)>,
    /// Cells that are merged downwards, by their first row, and those of them that reach the present row.
    merged: HashMap<u32, Vec<Dimensions>>,
    reaching: Vec<(Dimensions, Cell)>,
    last_row: Option<u32>,
    has_ended: bool,
}

impl<'b> Rows<'b> {
    fn of(book: &'b mut Book, path: &Path, sheet: &str) -> Result<Self> {
        let is_1904 = book.has_1904_epoch();
        let mut merged: HashMap<u32, Vec<Dimensions>> = HashMap::new();
        for place in book.merge_cells_by_sheet_name(sheet).map_err(damaged(path))? {
            if place.end.0 > place.start.0 {
                merged.entry(place.start.0).or_default().push(place);
            }
        }
        let cells = book.worksheet_cells_reader(sheet).map_err(damaged(path))?;
        let path = path.to_owned();
        Ok(Self {
            path,
            cells,
            is_1904,
            next: None,
            merged,
            reaching: Vec::new(),
            last_row: None,
            has_ended: false,
        })
    }

    fn next_cell(&mut self) -> Result<Option<(u32, u32, Cell)>> {
        while !self.has_ended {
            let Some(cell) = self.cells.next_cell().map_err(damaged(&self.path))? else {
                self.has_ended = true;
                break;
            };
            let (row, column) = cell.get_position();
            if row >= ROWS_MAX || column >= COLUMNS_MAX {
                return Err(self.misplaced(row, "is beyond the limits of the format"));
            }
            let value = cell.get_value().clone();
            if let Some(value) = Cell::of(value, self.is_1904) {
                return Ok(Some((row, column, value)));
            }
        }
        Ok(None)
    }

    fn misplaced(&self, row: u32, problem: &str) -> Error {
        Error::definition(
            self.path.display().to_string(),
            format!("row {} {problem}", u64::from(row) + 1),
            "open the workbook and save it again",
        )
    }

    /// The next row that holds something.
    fn next_row(&mut self) -> Result<Option<SheetRow>> {
        let first = match self.next.take() {
            Some(first) => Some(first),
            None => self.next_cell()?,
        };
        let Some((row, column, value)) = first else { return Ok(None) };
        if self.last_row.is_some_and(|last| row <= last) {
            return Err(self.misplaced(row, "comes after a later one"));
        }
        self.last_row = Some(row);
        let mut bytes = value.bytes();
        let mut cells = vec![(column, value)];
        while let Some((next_row, column, value)) = self.next_cell()? {
            if next_row != row {
                self.next = Some((next_row, column, value));
                break;
            }
            bytes += value.bytes();
            cells.push((column, value));
            if bytes > ROW_BYTES_MAX || cells.len() > COLUMNS_MAX as usize {
                return Err(self.misplaced(row, "holds more than the format allows"));
            }
        }
        self.fill_merged(row, &mut cells);
        let reaching: usize = self.reaching.iter().map(|(_, value)| value.bytes()).sum();
        if reaching > ROW_BYTES_MAX || self.reaching.len() > COLUMNS_MAX as usize {
            return Err(
                self.misplaced(row, "has merged cells that hold more than the format allows")
            );
        }
        Ok(Some(SheetRow { row, cells }))
    }

    /// Gives the row the values of cells above that are merged with cells of its own.
    fn fill_merged(&mut self, row: u32, cells: &mut Vec<(u32, Cell)>) {
        self.reaching.retain(|(place, _)| place.end.0 >= row);
        let mut filled: HashSet<u32> = cells.iter().map(|(column, _)| *column).collect();
        for (place, value) in &self.reaching {
            if filled.insert(place.start.1) {
                cells.push((place.start.1, value.clone()));
            }
        }
        for place in self.merged.remove(&row).unwrap_or_default() {
            let value = cells.iter().find(|(column, _)| *column == place.start.1);
            self.reaching.extend(value.map(|(_, value)| (place, value.clone())));
        }
        cells.sort_by_key(|(column, _)| *column);
    }
}

/// The header of a sheet: its row, and the name of each column. `None` when the sheet is empty.
///
/// The error of a sheet without one is that of the row which comes closest.
fn header(
    book: &mut Book,
    path: &Path,
    sheet: &str,
    mapping: &Mapping,
) -> Result<Option<(u32, HashMap<u32, String>)>> {
    find_header(&mut Rows::of(book, path, sheet)?, &label(path, sheet), mapping)
}

fn find_header(
    rows: &mut Rows<'_>,
    label: &Path,
    mapping: &Mapping,
) -> Result<Option<(u32, HashMap<u32, String>)>> {
    let mut closest: Option<(usize, Error)> = None;
    while let Some(SheetRow { row, cells }) = rows.next_row()? {
        if row >= HEADER_ROWS_MAX {
            break;
        }
        let names: Vec<String> = cells.iter().map(|(_, cell)| cell.name()).collect();
        match mapping.check_header(&label.display().to_string(), &names) {
            Ok(()) => {
                let columns = cells.iter().map(|(column, _)| *column);
                return Ok(Some((row, distinct(columns.zip(names)))));
            }
            Err(error) => {
                let known = names.iter().filter(|name| is_read(mapping, name)).count();
                if closest.as_ref().is_none_or(|(most, _)| known > *most) {
                    closest = Some((known, error));
                }
            }
        }
    }
    closest.map_or(Ok(None), |(_, error)| Err(error))
}

/// Names by column; one that is there already gets a number, since an object has a name once.
fn distinct(named: impl Iterator<Item = (u32, String)>) -> HashMap<u32, String> {
    let mut times: HashMap<String, u32> = HashMap::new();
    named
        .map(|(column, name)| {
            let times = times.entry(name.clone()).or_default();
            *times += 1;
            (column, if *times == 1 { name } else { format!("{name} ({times})") })
        })
        .collect()
}

/// Writes the rows of a sheet as JSON lines, after a byte order mark: they are UTF-8 whatever the mapping says of others.
fn write(path: &Path, sheet: &str, mapping: &Mapping, out: &mut impl Write) -> Result<()> {
    let mut book = open(path)?;
    let mut rows = Rows::of(&mut book, path, sheet)?;
    let Some((header_row, names)) = find_header(&mut rows, &label(path, sheet), mapping)? else {
        return Ok(());
    };
    let mut put = |text: &str| out.write_all(text.as_bytes()).map_err(Error::io("read", path));
    put("\u{feff}")?;
    // The lines of the rows above, and of those between that hold nothing, are empty.
    let mut lines = 0;
    let mut fill = |row: u32| {
        let empty = "\n".repeat((row - lines) as usize);
        lines = row + 1;
        empty
    };
    put(&(fill(header_row) + "\n"))?;
    while let Some(row) = rows.next_row()? {
        put(&(fill(row.row) + &line(&row, &names, mapping) + "\n"))?;
    }
    Ok(())
}

/// A row as a JSON object. One with a cell whose formula failed is marked, so that it is refused with the reason.
fn line(row: &SheetRow, names: &HashMap<u32, String>, mapping: &Mapping) -> String {
    let mut object = String::from("{");
    let mut failed = None;
    for (column, cell) in &row.cells {
        let place = column_letters(*column);
        let name = names.get(column).unwrap_or(&place);
        let json = match cell {
            Cell::Text(text) => quoted(text),
            Cell::Json(json) => json.clone(),
            Cell::Error(error) => {
                if mapping.keeps_rest() || is_read(mapping, name) {
                    let told = format!("cell {place}{} holds {error}", u64::from(row.row) + 1);
                    failed.get_or_insert(told);
                }
                quoted(&error.to_string())
            }
        };
        if object.len() > 1 {
            object.push(',');
        }
        object.push_str(&quoted(name));
        object.push(':');
        object.push_str(&json);
    }
    object.push('}');
    match failed {
        None => object,
        Some(told) => format!("{REFUSED}{told}\t{object}"),
    }
}

fn is_read(mapping: &Mapping, name: &str) -> bool {
    mapping.place_of(name, usize::MAX).is_some()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The letters of a column, as in `AB12`.
fn column_letters(column: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = column + 1;
    while rest > 0 {
        rest -= 1;
        letters.push(char::from(b'A' + (rest % 26) as u8));
        rest /= 26;
    }
    letters.into_iter().rev().collect()
}

/// Hands text on piece by piece.
struct Pieces {
    sender: SyncSender<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
}

impl Pieces {
    /// Says that there is no more: a writer that stops without it has failed.
    fn end(&mut self) -> io::Result<()> {
        if !self.piece.is_empty() {
            self.flush()?;
        }
        self.flush()
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::take(&mut self.piece);
        self.sender.send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Reads what is handed on.
struct Joined {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    given: usize,
    has_ended: bool,
}

impl Read for Joined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.piece.len() {
            if self.has_ended {
                return Ok(0);
            }
            let piece = self.pieces.recv();
            self.piece = piece.map_err(|_| io::Error::other("reading the sheet has stopped"))??;
            self.has_ended = self.piece.is_empty();
            self.given = 0;
        }
        let given = (self.piece.len() - self.given).min(buffer.len());
        buffer[..given].copy_from_slice(&self.piece[self.given..self.given + given]);
        self.given += given;
        Ok(given)
    }
}

#[cfg(test)]
mod tests;
