//! The values of one key in all changes, one after the other: their kinds, then what each kind needs.
//!
//! The members of JSON objects are columns of their own, below that of the object, and so are the elements of arrays.

use std::{collections::HashMap, rc::Rc};

use jiff::{Span, Timestamp, civil::Date};
use serde_json::{Map, Value};

use super::{
    ids::{Form, Ids},
    streams::{Sources, Streams, width, zigzag},
};
use crate::{record::RecordId, sync::wire::Malformed};

/// One value: JSON, or one of the scalars that JSON does not have.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Json(Value),
    Uint(u64),
    Float(f64),
    Bytes(Vec<u8>),
}

/// Kinds of values. From `TABLE` on, a code is a place in the column's table of texts and shapes met before.
mod kind {
    pub const NULL: u8 = 0;
    pub const FALSE: u8 = 1;
    pub const TRUE: u8 = 2;
    /// A whole number, above the smallest of its column.
    pub const INT: u8 = 3;
    pub const UINT: u8 = 4;
    pub const FLOAT: u8 = 5;
    /// A number with this many decimal places is kind `DECIMAL + places`, places 1 to 3.
    pub const DECIMAL: u8 = 5;
    pub const TEXT: u8 = 9;
    /// A text that holds a zero byte, or bytes that are no JSON.
    pub const LONG_TEXT: u8 = 10;
    pub const BYTES: u8 = 11;
    /// A time to the second, as the step from the one before in the column, or in the change.
    pub const TIME_IN_COLUMN: u8 = 12;
    pub const TIME_IN_ROW: u8 = 13;
    /// A day from 1900 to 2079.
    pub const DATE: u8 = 14;
    /// A record's id; `ID + 2` names the record of an item of the frame, so many places back.
    pub const ID: u8 = 15;
    pub const ARRAY: u8 = 18;
    pub const SHAPE: u8 = 19;
    pub const TABLE: u8 = 20;
}

/// Deeper than any value may nest.
const MAX_DEPTH: usize = 20;
const DAYS_FROM: Date = Date::constant(1900, 1, 1);

/// What the values of one change have to do with each other across columns: rows are the frame's items.
pub(super) struct Rows<'a> {
    records: &'a [RecordId],
    /// Where each record comes first.
    first: HashMap<RecordId, usize>,
    ids: Ids,
    /// The last time met in each change.
    times: Vec<i64>,
}

/// What a code from `TABLE` on stands for.
enum Known {
    Text(String),
    Shape(Rc<Shape>),
}

struct Shape {
    /// Places among the column's member names.
    members: Vec<usize>,
    /// What the names take in each object.
    cost: usize,
}

impl<'a> Rows<'a> {
    pub fn new(records: &'a [RecordId]) -> Rows<'a> {
        let mut first = HashMap::new();
        for (row, record) in records.iter().enumerate() {
            first.entry(*record).or_insert(row);
        }
        Rows { records, first, ids: Ids::default(), times: vec![0; records.len()] }
    }

    fn time(&self, row: usize) -> i64 {
        self.times.get(row).copied().unwrap_or_default()
    }

    fn set_time(&mut self, row: usize, seconds: i64) {
        if let Some(time) = self.times.get_mut(row) {
            *time = seconds;
        }
    }

    /// Writes a column: each value with the row that it belongs to, rows ascending.
    pub fn write(&mut self, cells: &[(usize, Cell)], out: &mut Streams) {
        let cells: Vec<(usize, Ref)> = cells.iter().map(|(row, cell)| (*row, Ref::of(cell))).collect();
        self.write_column(&cells, out);
    }

    fn write_column(&mut self, cells: &[(usize, Ref)], out: &mut Streams) {
        let mut writer = ColumnWriter::new(self, cells);
        for (row, cell) in cells {
            writer.write(*row, *cell, out);
        }
        let ColumnWriter { children, elements, .. } = writer;
        for child in children.iter().chain([&elements]).filter(|child| !child.is_empty()) {
            self.write_column(child, out);
        }
    }
}

/// A value to be written.
#[derive(Clone, Copy)]
enum Ref<'c> {
    Json(&'c Value),
    Uint(u64),
    Float(f64),
    Bytes(&'c [u8]),
}

impl<'c> Ref<'c> {
    fn of(cell: &'c Cell) -> Ref<'c> {
        match cell {
            Cell::Json(value) => Ref::json(value),
            Cell::Uint(n) => Ref::Uint(*n),
            Cell::Float(n) => Ref::Float(*n),
            Cell::Bytes(bytes) => Ref::Bytes(bytes),
        }
    }

    fn json(value: &'c Value) -> Ref<'c> {
        match value {
            Value::Number(n) if n.is_f64() => Ref::Float(n.as_f64().unwrap_or_default()),
            Value::Number(n) if n.as_i64().is_none() => Ref::Uint(n.as_u64().unwrap_or_default()),
            value => Ref::Json(value),
        }
    }

    fn int(&self) -> Option<i64> {
        match self {
            Ref::Json(Value::Number(n)) => n.as_i64(),
            _ => None,
        }
    }

    fn time(&self) -> Option<i64> {
        match self {
            Ref::Json(Value::String(text)) => seconds(text),
            _ => None,
        }
    }
}

struct ColumnWriter<'r, 'a, 'c> {
    rows: &'r mut Rows<'a>,
    smallest: Option<i64>,
    smallest_written: bool,
    times_in_row: bool,
    last_time: i64,
    texts: HashMap<&'c str, u8>,
    shapes: HashMap<Vec<usize>, u8>,
    names: HashMap<&'c str, usize>,
    children: Vec<Vec<(usize, Ref<'c>)>>,
    elements: Vec<(usize, Ref<'c>)>,
}

impl<'r, 'a, 'c> ColumnWriter<'r, 'a, 'c> {
    fn new(rows: &'r mut Rows<'a>, cells: &[(usize, Ref<'c>)]) -> ColumnWriter<'r, 'a, 'c> {
        let smallest = cells.iter().filter_map(|(_, cell)| cell.int()).min();
        let (mut in_row, mut in_column) = (0, 0);
        let mut last: Option<(usize, i64)> = None;
        let mut first_time = None;
        for (row, cell) in cells {
            let Some(time) = cell.time() else { continue };
            let of_row = last.filter(|(last, _)| last == row).map_or(rows.time(*row), |(_, time)| time);
            let of_column = last.map_or(rows.time(*row), |(_, time)| time);
            first_time.get_or_insert(of_column);
            in_row += width(zigzag(time - of_row));
            in_column += width(zigzag(time - of_column));
            last = Some((*row, time));
        }
        ColumnWriter {
            rows,
            smallest,
            smallest_written: false,
            times_in_row: in_row < in_column,
            last_time: first_time.unwrap_or_default(),
            texts: HashMap::new(),
            shapes: HashMap::new(),
            names: HashMap::new(),
            children: Vec::new(),
            elements: Vec::new(),
        }
    }

    fn write(&mut self, row: usize, cell: Ref<'c>, out: &mut Streams) {
        match cell {
            Ref::Uint(n) => {
                out.codes.u8(kind::UINT);
                out.numbers.varint(n);
            }
            Ref::Float(n) => write_float(n, out),
            Ref::Bytes(bytes) => {
                out.codes.u8(kind::BYTES);
                out.numbers.varint(bytes.len() as u64);
                out.random.raw(bytes);
            }
            Ref::Json(Value::Null) => out.codes.u8(kind::NULL),
            Ref::Json(Value::Bool(false)) => out.codes.u8(kind::FALSE),
            Ref::Json(Value::Bool(true)) => out.codes.u8(kind::TRUE),
            Ref::Json(Value::Number(n)) => {
                let (n, smallest) = (n.as_i64().unwrap_or_default(), self.smallest.unwrap_or_default());
                out.codes.u8(kind::INT);
                if !std::mem::replace(&mut self.smallest_written, true) {
                    out.signed(smallest);
                }
                out.numbers.varint(n.wrapping_sub(smallest) as u64);
            }
            Ref::Json(Value::String(text)) => self.write_text(row, text, out),
            Ref::Json(Value::Array(items)) => {
                out.codes.u8(kind::ARRAY);
                out.numbers.varint(items.len() as u64);
                self.elements.extend(items.iter().map(|item| (row, Ref::json(item))));
            }
            Ref::Json(Value::Object(members)) => self.write_object(row, members, out),
        }
    }

    fn write_text(&mut self, row: usize, text: &'c str, out: &mut Streams) {
        if let Some(time) = seconds(text) {
            let (code, last) = if self.times_in_row {
                (kind::TIME_IN_ROW, self.rows.time(row))
            } else {
                (kind::TIME_IN_COLUMN, self.last_time)
            };
            out.codes.u8(code);
            out.signed(time - last);
            self.last_time = time;
            return self.rows.set_time(row, time);
        }
        if let Some(code) = self.texts.get(text) {
            return out.codes.u8(*code);
        }
        if let Some(code) = self.room() {
            self.texts.insert(text, code);
        }
        if let Ok(id) = text.parse::<RecordId>()
            && id.to_string() == text
        {
            let back = self.rows.first.get(&id).and_then(|first| row.checked_sub(*first));
            let form = back.map_or_else(|| self.rows.ids.fresh(id), Form::Back);
            out.codes.u8(kind::ID + form.code());
            return form.write(out);
        }
        if let Some(days) = days(text) {
            out.codes.u8(kind::DATE);
            return out.random.raw(&days.to_le_bytes());
        }
        if text.contains('\0') {
            out.codes.u8(kind::LONG_TEXT);
            out.numbers.varint(text.len() as u64);
            return out.random.raw(text.as_bytes());
        }
        out.codes.u8(kind::TEXT);
        out.text(text);
    }

    fn write_object(&mut self, row: usize, members: &'c Map<String, Value>, out: &mut Streams) {
        let mut shape = Vec::with_capacity(members.len());
        for (name, value) in members {
            let next = self.children.len();
            let place = *self.names.entry(name).or_insert(next);
            if place == next {
                self.children.push(Vec::new());
            }
            if let Some(child) = self.children.get_mut(place) {
                child.push((row, Ref::json(value)));
            }
            shape.push(place);
        }
        if let Some(code) = self.shapes.get(&shape) {
            return out.codes.u8(*code);
        }
        out.codes.u8(kind::SHAPE);
        out.numbers.varint(members.len() as u64);
        members.keys().for_each(|name| out.text(name));
        if let Some(code) = self.room() {
            self.shapes.insert(shape, code);
        }
    }

    /// The code of the next place in the table, while there is one.
    fn room(&self) -> Option<u8> {
        u8::try_from(usize::from(kind::TABLE) + self.texts.len() + self.shapes.len()).ok()
    }
}

fn write_float(n: f64, out: &mut Streams) {
    for (places, scale) in [(1, 10.0), (2, 100.0), (3, 1000.0)] {
        let scaled = (n * scale).round();
        if scaled.abs() < 1e15 && (scaled as i64 as f64 / scale).to_bits() == n.to_bits() {
            out.codes.u8(kind::DECIMAL + places);
            return out.signed(scaled as i64);
        }
    }
    out.codes.u8(kind::FLOAT);
    out.random.raw(&n.to_le_bytes());
}

impl Rows<'_> {
    /// Reads a column: one value for each of these rows.
    pub fn read(&mut self, rows: &[usize], src: &mut Sources) -> Result<Vec<Cell>, Malformed> {
        self.read_column(rows, 0, src)
    }

    fn read_column(
        &mut self,
        rows: &[usize],
        depth: usize,
        src: &mut Sources,
    ) -> Result<Vec<Cell>, Malformed> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        if depth > MAX_DEPTH {
            return Err(Malformed);
        }
        src.spend(rows.len().saturating_mul(8))?;
        let mut column = ColumnReader::default();
        let mut cells = Vec::with_capacity(rows.len());
        // All kinds first: they are what repeats.
        for (code, row) in src.codes.take(rows.len())?.iter().zip(rows) {
            cells.push(self.read_cell(*code, *row, &mut column, src)?);
        }
        let ColumnReader { names, child_rows, element_rows, nested, .. } = column;
        let mut children = Vec::with_capacity(child_rows.len());
        for rows in &child_rows {
            children.push(self.read_column(rows, depth + 1, src)?.into_iter());
        }
        let mut elements = self.read_column(&element_rows, depth + 1, src)?.into_iter();
        for (cell, nested) in cells.iter_mut().zip(nested) {
            *cell = Cell::Json(match nested {
                Nested::None => continue,
                Nested::Array(count) => {
                    let items = elements.by_ref().take(count).map(json);
                    Value::Array(items.collect::<Result<_, _>>()?)
                }
                Nested::Object(shape) => {
                    let mut object = Map::new();
                    for place in &shape.members {
                        let value = children.get_mut(*place).and_then(Iterator::next).ok_or(Malformed)?;
                        object.insert(names.get(*place).ok_or(Malformed)?.clone(), json(value)?);
                    }
                    Value::Object(object)
                }
            });
        }
        Ok(cells)
    }

    fn read_cell(
        &mut self,
        code: u8,
        row: usize,
        column: &mut ColumnReader,
        src: &mut Sources,
    ) -> Result<Cell, Malformed> {
        let mut nested = Nested::None;
        let value = match code {
            kind::NULL => Value::Null,
            kind::FALSE => Value::Bool(false),
            kind::TRUE => Value::Bool(true),
            kind::INT => {
                let smallest = match column.smallest {
                    Some(smallest) => smallest,
                    None => *column.smallest.insert(src.signed()?),
                };
                Value::from(smallest.wrapping_add(src.numbers.varint()? as i64))
            }
            kind::UINT => return column.plain(Cell::Uint(src.numbers.varint()?)),
            kind::FLOAT => return column.plain(Cell::Float(f64::from_le_bytes(src.random.array()?))),
            6..=8 => {
                let scale = 10f64.powi(i32::from(code - kind::DECIMAL));
                return column.plain(Cell::Float(src.signed()? as f64 / scale));
            }
            kind::BYTES => {
                let length = src.count()?;
                src.spend(length)?;
                return column.plain(Cell::Bytes(src.random.take(length)?.to_vec()));
            }
            kind::TIME_IN_COLUMN | kind::TIME_IN_ROW => {
                Value::String(self.read_time(code, row, column, src)?)
            }
            kind::ARRAY => {
                let count = src.count()?;
                src.spend(count)?;
                column.element_rows.extend(std::iter::repeat_n(row, count));
                nested = Nested::Array(count);
                Value::Null
            }
            kind::SHAPE => {
                let shape = column.read_shape(src)?;
                column.know(Known::Shape(shape.clone()));
                nested = column.object(shape, row, src)?;
                Value::Null
            }
            code => match code.checked_sub(kind::TABLE) {
                None => {
                    let text = self.read_text(code, row, src)?;
                    column.know(Known::Text(text.clone()));
                    Value::String(text)
                }
                Some(place) => match column.known.get(usize::from(place)).ok_or(Malformed)? {
                    Known::Text(text) => {
                        src.spend(text.len())?;
                        Value::String(text.clone())
                    }
                    Known::Shape(shape) => {
                        let shape = shape.clone();
                        nested = column.object(shape, row, src)?;
                        Value::Null
                    }
                },
            },
        };
        column.nested.push(nested);
        Ok(Cell::Json(value))
    }

    fn read_time(
        &mut self,
        code: u8,
        row: usize,
        column: &mut ColumnReader,
        src: &mut Sources,
    ) -> Result<String, Malformed> {
        src.spend(20)?;
        let last = match column.last_time {
            Some(last) if code == kind::TIME_IN_COLUMN => last,
            _ => self.time(row),
        };
        let time = last.checked_add(src.signed()?).ok_or(Malformed)?;
        column.last_time = Some(time);
        self.set_time(row, time);
        Ok(Timestamp::from_second(time).map_err(|_| Malformed)?.to_string())
    }

    fn read_text(&mut self, code: u8, row: usize, src: &mut Sources) -> Result<String, Malformed> {
        Ok(match code {
            kind::TEXT => src.text()?.to_owned(),
            kind::LONG_TEXT => {
                let length = src.count()?;
                src.spend(length)?;
                String::from_utf8(src.random.take(length)?.to_vec()).map_err(|_| Malformed)?
            }
            kind::DATE => {
                src.spend(10)?;
                let days = u16::from_le_bytes(src.random.array()?);
                DAYS_FROM.checked_add(Span::new().days(i64::from(days))).map_err(|_| Malformed)?.to_string()
            }
            kind::ID..kind::ARRAY => {
                src.spend(36)?;
                self.ids.read(code - kind::ID, row, self.records, src)?.to_string()
            }
            _ => return Err(Malformed),
        })
    }
}

/// What is inside a value, read after the column itself.
enum Nested {
    None,
    Array(usize),
    Object(Rc<Shape>),
}

#[derive(Default)]
struct ColumnReader {
    smallest: Option<i64>,
    last_time: Option<i64>,
    known: Vec<Known>,
    names: Vec<String>,
    places: HashMap<String, usize>,
    child_rows: Vec<Vec<usize>>,
    element_rows: Vec<usize>,
    nested: Vec<Nested>,
}

impl ColumnReader {
    fn plain(&mut self, cell: Cell) -> Result<Cell, Malformed> {
        self.nested.push(Nested::None);
        Ok(cell)
    }

    fn know(&mut self, known: Known) {
        if self.known.len() < usize::from(u8::MAX - kind::TABLE) + 1 {
            self.known.push(known);
        }
    }

    fn read_shape(&mut self, src: &mut Sources) -> Result<Rc<Shape>, Malformed> {
        let count = src.count()?;
        src.spend(count)?;
        let mut shape = Shape { members: Vec::new(), cost: 0 };
        for _ in 0..count {
            let name = src.text()?;
            let place = match self.places.get(name) {
                Some(place) => *place,
                None => {
                    self.places.insert(name.to_owned(), self.names.len());
                    self.names.push(name.to_owned());
                    self.child_rows.push(Vec::new());
                    self.names.len() - 1
                }
            };
            shape.members.push(place);
            shape.cost += name.len() + 8;
        }
        Ok(Rc::new(shape))
    }

    fn object(&mut self, shape: Rc<Shape>, row: usize, src: &mut Sources) -> Result<Nested, Malformed> {
        src.spend(shape.cost)?;
        for place in &shape.members {
            self.child_rows.get_mut(*place).ok_or(Malformed)?.push(row);
        }
        Ok(Nested::Object(shape))
    }
}

/// What may stand inside JSON.
fn json(cell: Cell) -> Result<Value, Malformed> {
    Ok(match cell {
        Cell::Json(value) => value,
        Cell::Uint(n) => Value::from(n),
        Cell::Float(n) => Value::Number(serde_json::Number::from_f64(n).ok_or(Malformed)?),
        Cell::Bytes(_) => return Err(Malformed),
    })
}

/// Seconds since 1970 of a time in the one spelling that gives it back.
fn seconds(text: &str) -> Option<i64> {
    if text.len() != 20 || !text.ends_with('Z') {
        return None;
    }
    let time = text.parse::<Timestamp>().ok()?;
    (time.to_string() == text).then_some(time.as_second())
}

/// Days since 1900 of a date in the one spelling that gives it back.
fn days(text: &str) -> Option<u16> {
    if text.len() != 10 {
        return None;
    }
    let date = text.parse::<Date>().ok()?;
    let days = date.since(DAYS_FROM).ok()?.get_days();
    (date.to_string() == text).then(|| u16::try_from(days).ok())?
}
