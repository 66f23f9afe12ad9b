//! Python objects as data: the pickle and skops readers make them, and the model is built from them.

use std::borrow::Cow;

use crate::budget::{Budget, CostError};
use crate::class::Class;
use crate::numpy::array::Array;

/// The index of an object in its [`Graph`].
pub(crate) type Id = u32;

/// A Python object. It refers to its parts by index, so shared objects and cycles cost nothing, and only
/// parts that are needed are visited.
#[derive(Debug, Clone)]
pub(crate) enum Object<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits; no value that is read here is that large.
    HugeInt,
    Float(f64),
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
    /// A list, a tuple or a set.
    Sequence(Vec<Id>),
    /// Keys and values in the order of the file. If a key occurs twice, the later value counts.
    Dict(Vec<(Id, Id)>),
    Class(Class),
    /// A class called with arguments, and the state that the file sets in it afterwards.
    Instance {
        class: Class,
        args: Id,
        state: Option<Id>,
    },
    Array(Box<Array<'a>>),
}

/// The memory cost of an object in bytes: twice its size, because a growing vector doubles its capacity.
const OBJECT_BYTES: usize = 2 * size_of::<Object<'_>>();
/// The memory cost of a part of a sequence in bytes. An entry of a dict costs twice as much.
pub(crate) const PART_BYTES: usize = 2 * size_of::<Id>();
/// The steps that it takes to look at an entry of a dict.
const ENTRY_STEPS: usize = 8;

/// All objects of a file.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    budget: &'a Budget,
    objects: Vec<Object<'a>>,
    /// The top-level object of the file.
    pub(crate) root: Id,
}

impl<'a> Graph<'a> {
    /// Create a graph without objects.
    pub(crate) fn new(budget: &'a Budget) -> Self {
        Self { budget, objects: Vec::new(), root: 0 }
    }

    /// The budget for reading the file.
    pub(crate) fn budget(&self) -> &'a Budget {
        self.budget
    }

    /// Add an object and return its index. The caller counts the memory of its parts.
    pub(crate) fn add(&mut self, object: Object<'a>) -> Result<Id, CostError> {
        self.budget.allocate(OBJECT_BYTES)?;
        self.objects.push(object);
        Ok((self.objects.len() - 1) as Id)
    }

    pub(crate) fn get(&self, id: Id) -> &Object<'a> {
        &self.objects[id as usize]
    }

    pub(crate) fn get_mut(&mut self, id: Id) -> &mut Object<'a> {
        &mut self.objects[id as usize]
    }

    /// The parts of a list, tuple or set.
    pub(crate) fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Object::Sequence(parts) => Some(parts),
            _ => None,
        }
    }

    pub(crate) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn int(&self, id: Id) -> Option<i64> {
        match self.get(id) {
            Object::Int(value) => Some(*value),
            Object::Bool(value) => Some(i64::from(*value)),
            _ => None,
        }
    }

    /// The value under a text key of a dict. Also `None` if the budget is exceeded: the reader of the file
    /// checks that at the end.
    pub(crate) fn entry(&self, dict: Id, key: &str) -> Option<Id> {
        let Object::Dict(entries) = self.get(dict) else { return None };
        self.budget.work(ENTRY_STEPS * entries.len()).ok()?;
        entries.iter().rev().find(|(name, _)| self.text(*name) == Some(key)).map(|(_, value)| *value)
    }

    /// The arguments and the state of an instance of `class`.
    pub(crate) fn instance(&self, id: Id, class: Class) -> Option<(Id, Option<Id>)> {
        match self.get(id) {
            Object::Instance { class: found, args, state } if *found == class => Some((*args, *state)),
            _ => None,
        }
    }

    /// The bytes of a bytes object, or of text encoded as Latin-1, as protocol 2 writes bytes.
    pub(crate) fn bytes(&self, id: Id) -> Option<Cow<'a, [u8]>> {
        match self.get(id) {
            Object::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
            Object::Instance { class: Class::Encode, args, .. } => self.latin1(*args).map(Cow::Owned),
            _ => None,
        }
    }

    fn latin1(&self, args: Id) -> Option<Vec<u8>> {
        let &[text, encoding] = self.sequence(args)? else { return None };
        if self.text(encoding)? != "latin1" {
            return None;
        }
        let text = self.text(text)?;
        self.budget.work(2 * text.len()).ok()?;
        text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect()
    }

    /// The kind of the object, for error messages.
    pub(crate) fn kind(&self, id: Id) -> &'static str {
        match self.get(id) {
            Object::None => "None",
            Object::Bool(_) => "a bool",
            Object::Int(_) | Object::HugeInt => "an int",
            Object::Float(_) => "a float",
            Object::Text(_) => "a str",
            Object::Bytes(_) => "bytes",
            Object::Sequence(_) => "a list, tuple or set",
            Object::Dict(_) => "a dict",
            Object::Class(_) => "a class",
            Object::Array(_) => "an array",
            Object::Instance { class, .. } => match class {
                Class::IsolationForest => "an IsolationForest",
                Class::ExtraTreeRegressor => "an ExtraTreeRegressor",
                Class::Tree => "a Tree",
                Class::Pipeline => "a Pipeline",
                Class::ColumnTransformer => "a ColumnTransformer",
                Class::StandardScaler => "a StandardScaler",
                Class::MinMaxScaler => "a MinMaxScaler",
                Class::MaxAbsScaler => "a MaxAbsScaler",
                Class::RobustScaler => "a RobustScaler",
                Class::SimpleImputer => "a SimpleImputer",
                Class::FunctionTransformer => "a FunctionTransformer",
                Class::Reconstruct | Class::FromBuffer => "an array",
                Class::Scalar => "a numpy scalar",
                Class::Encode => "bytes",
                _ => "an object of numpy",
            },
        }
    }
}
