//! Opcodes in, objects out: the stack, the marks, the memo, one short method for each kind of opcode.

use std::borrow::Cow;
use std::collections::HashMap;

use super::error::PickleError;
use super::opcode;
use crate::arrays::joblib;
use crate::class::Class;
use crate::cursor::{Cursor, Truncated};
use crate::object::{Graph, Id, Object, PART_BYTES};
use crate::shown::shown;

type Result<T> = std::result::Result<T, PickleError>;

/// The memory cost in bytes of an entry of the stack, of the marks and of the memo: a growing vector doubles
/// its capacity, and a hash map takes some more.
const STACK_BYTES: usize = 8;
const MARK_BYTES: usize = 16;
const MEMO_BYTES: usize = 32;
/// The memory cost in bytes of an array beside its data, which is borrowed from the file.
const ARRAY_BYTES: usize = 128;

/// The reader of one pickle. A joblib file has further pickles inside it, whose objects join the same graph.
pub(super) struct Machine<'m, 'a> {
    cursor: &'m mut Cursor<'a>,
    graph: &'m mut Graph<'a>,
    opcodes_left: &'m mut usize,
    /// Whether this is a pickle inside a joblib file, which has no joblib arrays of its own.
    inner: bool,
    /// Whether a pipeline was read: an unknown class is then reported as one of its steps.
    in_pipeline: bool,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// The position of the current opcode in bytes, for errors.
    at: usize,
}

impl<'m, 'a> Machine<'m, 'a> {
    pub(super) fn new(
        cursor: &'m mut Cursor<'a>,
        graph: &'m mut Graph<'a>,
        opcodes_left: &'m mut usize,
    ) -> Self {
        let at = cursor.position();
        Self {
            cursor,
            graph,
            opcodes_left,
            inner: false,
            in_pipeline: false,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            at,
        }
    }

    /// Run up to and including `STOP`, and return the object that is left on the stack.
    pub(super) fn run(mut self) -> Result<Id> {
        loop {
            self.at = self.cursor.position();
            *self.opcodes_left = self.opcodes_left.checked_sub(1).ok_or(PickleError::TooLong)?;
            let code = self.cursor.u8()?;
            if code == opcode::STOP {
                return self.pop();
            }
            self.step(code)?;
        }
    }

    fn step(&mut self, code: u8) -> Result<()> {
        use opcode as op;
        match code {
            op::PROTO => self.protocol()?,
            op::FRAME => self.frame()?,
            op::MARK => self.mark()?,
            op::POP => drop(self.pop()?),
            op::POP_MARK => drop(self.pop_mark()?),
            op::BINPUT | op::LONG_BINPUT | op::MEMOIZE => self.put(code)?,
            op::BINGET | op::LONG_BINGET => self.get(code)?,
            op::NONE => self.push(Object::None)?,
            op::NEWTRUE => self.push(Object::Bool(true))?,
            op::NEWFALSE => self.push(Object::Bool(false))?,
            op::BININT => self.int(|cursor| cursor.array().map(|bytes| i32::from_le_bytes(bytes).into()))?,
            op::BININT1 => self.int(|cursor| cursor.u8().map(i64::from))?,
            op::BININT2 => self.int(|cursor| cursor.u16().map(i64::from))?,
            op::LONG1 => self.long()?,
            op::BINFLOAT => self.float()?,
            op::BINUNICODE | op::SHORT_BINUNICODE | op::BINUNICODE8 => self.text(code)?,
            op::BINBYTES | op::SHORT_BINBYTES | op::BINBYTES8 | op::BYTEARRAY8 => self.bytes(code)?,
            op::EMPTY_TUPLE | op::EMPTY_LIST | op::EMPTY_SET => self.push(Object::Sequence(Vec::new()))?,
            op::TUPLE | op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => self.tuple(code)?,
            op::APPEND | op::APPENDS | op::ADDITEMS => self.append(code)?,
            op::EMPTY_DICT => self.push(Object::Dict(Vec::new()))?,
            op::SETITEM | op::SETITEMS => self.set_items(code)?,
            op::GLOBAL => self.global()?,
            op::STACK_GLOBAL => self.stack_global()?,
            op::REDUCE | op::NEWOBJ => self.instance()?,
            op::BUILD => self.build()?,
            code => return Err(PickleError::Opcode { code, position: self.at }),
        }
        Ok(())
    }

    fn protocol(&mut self) -> Result<()> {
        match self.cursor.u8()? {
            2..=5 => Ok(()),
            other => Err(PickleError::Protocol(other)),
        }
    }

    /// Check and skip a frame's header. It only states how many bytes to read ahead; here all are in memory.
    fn frame(&mut self) -> Result<()> {
        let length = self.cursor.u64()?;
        self.cursor.clone().take(length)?;
        Ok(())
    }

    fn put(&mut self, code: u8) -> Result<()> {
        let place = match code {
            opcode::BINPUT => u32::from(self.cursor.u8()?),
            opcode::LONG_BINPUT => self.cursor.u32()?,
            _ => self.memo.len() as u32,
        };
        let top = *self.stack.last().ok_or_else(|| self.malformed("the stack has no object to memoize"))?;
        self.graph.budget().allocate(MEMO_BYTES)?;
        self.memo.insert(place, top);
        Ok(())
    }

    fn get(&mut self, code: u8) -> Result<()> {
        let place = match code {
            opcode::BINGET => u32::from(self.cursor.u8()?),
            _ => self.cursor.u32()?,
        };
        let id =
            *self.memo.get(&place).ok_or_else(|| self.malformed("the memo has no object of that number"))?;
        self.push_id(id)
    }

    fn int(&mut self, read: impl Fn(&mut Cursor<'a>) -> std::result::Result<i64, Truncated>) -> Result<()> {
        let value = read(self.cursor)?;
        self.push(Object::Int(value))
    }

    fn float(&mut self) -> Result<()> {
        let value = f64::from_be_bytes(self.cursor.array()?);
        self.push(Object::Float(value))
    }

    /// A little-endian two's complement number of any length.
    fn long(&mut self) -> Result<()> {
        let length = self.cursor.u8()?;
        let bytes = self.cursor.take(u64::from(length))?;
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut wide = if negative { [0xff; 8] } else { [0; 8] };
        self.push(match wide.get_mut(..bytes.len()) {
            Some(low) => {
                low.copy_from_slice(bytes);
                Object::Int(i64::from_le_bytes(wide))
            }
            None => Object::HugeInt,
        })
    }

    fn text(&mut self, code: u8) -> Result<()> {
        let length = match code {
            opcode::SHORT_BINUNICODE => u64::from(self.cursor.u8()?),
            opcode::BINUNICODE => u64::from(self.cursor.u32()?),
            _ => self.cursor.u64()?,
        };
        let bytes = self.cursor.take(length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.malformed("text must be UTF-8"))?;
        self.push(Object::Text(Cow::Borrowed(text)))
    }

    fn bytes(&mut self, code: u8) -> Result<()> {
        let length = match code {
            opcode::SHORT_BINBYTES => u64::from(self.cursor.u8()?),
            opcode::BINBYTES => u64::from(self.cursor.u32()?),
            _ => self.cursor.u64()?,
        };
        let bytes = self.cursor.take(length)?;
        self.push(Object::Bytes(bytes))
    }

    fn tuple(&mut self, code: u8) -> Result<()> {
        let parts = match code {
            opcode::TUPLE => self.pop_mark()?,
            opcode::TUPLE1 => self.pop_many(1)?,
            opcode::TUPLE2 => self.pop_many(2)?,
            _ => self.pop_many(3)?,
        };
        self.graph.budget().allocate(PART_BYTES * parts.len())?;
        self.push(Object::Sequence(parts))
    }

    fn append(&mut self, code: u8) -> Result<()> {
        let added = if code == opcode::APPEND { self.pop_many(1)? } else { self.pop_mark()? };
        self.graph.budget().allocate(PART_BYTES * added.len())?;
        let list = self.top("a list is needed to append to")?;
        let Object::Sequence(parts) = self.graph.get_mut(list) else {
            return Err(self.malformed("a list is needed to append to"));
        };
        parts.extend(added);
        Ok(())
    }

    fn set_items(&mut self, code: u8) -> Result<()> {
        let added = if code == opcode::SETITEM { self.pop_many(2)? } else { self.pop_mark()? };
        self.graph.budget().allocate(PART_BYTES * added.len())?;
        let (pairs, []) = added.as_chunks::<2>() else {
            return Err(self.malformed("every key of a dict needs its value"));
        };
        let dict = self.top("a dict is needed to set items of")?;
        let Object::Dict(entries) = self.graph.get_mut(dict) else {
            return Err(self.malformed("a dict is needed to set items of"));
        };
        entries.extend(pairs.iter().map(|&[key, value]| (key, value)));
        Ok(())
    }

    fn global(&mut self) -> Result<()> {
        let module = self.cursor.line()?;
        let name = self.cursor.line()?;
        self.class(&String::from_utf8_lossy(module), &String::from_utf8_lossy(name))
    }

    fn stack_global(&mut self) -> Result<()> {
        let name = self.pop()?;
        let module = self.pop()?;
        match (self.graph.get(module), self.graph.get(name)) {
            (Object::Text(module), Object::Text(name)) => self.class(&module.clone(), &name.clone()),
            _ => Err(self.malformed("a class is named by two strings")),
        }
    }

    fn class(&mut self, module: &str, name: &str) -> Result<()> {
        let refused = if self.in_pipeline { PickleError::Step } else { PickleError::Class };
        let unknown = || refused(shown(&format!("{module}.{name}")));
        let class = Class::named(module, name).ok_or_else(unknown)?;
        self.in_pipeline |= class == Class::Pipeline;
        self.push(Object::Class(class))
    }

    /// Record the class and the arguments of a call that Python would run.
    fn instance(&mut self) -> Result<()> {
        let args = self.pop()?;
        let class = self.pop()?;
        let Object::Class(class) = *self.graph.get(class) else {
            return Err(self.malformed("only a class can be called"));
        };
        self.push(Object::Instance { class, args, state: None })
    }

    fn build(&mut self) -> Result<()> {
        let new_state = self.pop()?;
        let id = self.top("an object is needed to set the state of")?;
        let class = match self.graph.get_mut(id) {
            Object::Instance { class, state: state @ None, .. } => {
                *state = Some(new_state);
                *class
            }
            Object::Instance { .. } => return Err(self.malformed("an object's state is set once")),
            _ => return Err(self.malformed("an object is needed to set the state of")),
        };
        if class == Class::JoblibArray { self.joblib_array(new_state) } else { Ok(()) }
    }

    /// Replace joblib's array wrapper with the array, whose bytes follow in the file.
    fn joblib_array(&mut self, wrapper: Id) -> Result<()> {
        if self.inner {
            return Err(self.malformed("a pickle inside a joblib array has no joblib arrays of its own"));
        }
        let position = self.at;
        let header = joblib::header(self.graph, wrapper);
        let header = header.map_err(|source| PickleError::Array { position, source })?;
        self.pop()?;
        if header.holds_objects() {
            let mut machine = Machine::new(self.cursor, self.graph, self.opcodes_left);
            machine.inner = true;
            let array = machine.run()?;
            return self.push_id(array);
        }
        let array = header.read(self.cursor).map_err(|source| PickleError::Array { position, source })?;
        self.graph.budget().allocate(ARRAY_BYTES)?;
        self.push(Object::Array(Box::new(array)))
    }

    fn push(&mut self, object: Object<'a>) -> Result<()> {
        let id = self.graph.add(object)?;
        self.push_id(id)
    }

    fn push_id(&mut self, id: Id) -> Result<()> {
        self.graph.budget().allocate(STACK_BYTES)?;
        self.stack.push(id);
        Ok(())
    }

    fn mark(&mut self) -> Result<()> {
        self.graph.budget().allocate(MARK_BYTES)?;
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// The lowest index of the stack that may be popped: entries below a mark belong to an outer list.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self, rule: &'static str) -> Result<Id> {
        self.stack[self.floor()..].last().copied().ok_or_else(|| self.malformed(rule))
    }

    fn pop(&mut self) -> Result<Id> {
        Ok(self.pop_many(1)?[0])
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>> {
        if self.stack.len() - self.floor() < count {
            return Err(self.malformed("the stack has too few objects for this opcode"));
        }
        Ok(self.stack.split_off(self.stack.len() - count))
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| self.malformed("no mark is on the stack"))?;
        Ok(self.stack.split_off(mark))
    }

    fn malformed(&self, rule: &'static str) -> PickleError {
        PickleError::Malformed { position: self.at, rule }
    }
}
