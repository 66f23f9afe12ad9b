//! A Python object's attributes by name in, checked numbers and lists out.

use super::error::ModelError;
use crate::arrays::pickled::{array, objects};
use crate::class::Class;
use crate::object::{Graph, Id, Object};

type Result<T> = std::result::Result<T, ModelError>;

/// A Python object's `__dict__`.
#[derive(Clone)]
pub(super) struct Attributes<'g, 'a> {
    pub(super) graph: &'g Graph<'a>,
    /// The name of the class, for errors.
    class: &'static str,
    dict: Id,
}

impl<'g, 'a> Attributes<'g, 'a> {
    /// The attributes of an instance of `class`; `None` if the object is something else.
    pub(super) fn of(graph: &'g Graph<'a>, id: Id, class: Class) -> Result<Option<Self>> {
        let Some((_, state)) = graph.instance(id, class) else { return Ok(None) };
        let class = class.name();
        let dict = state.ok_or(ModelError::NotFitted { class, attribute: "attributes" })?;
        Ok(Some(Self { graph, class, dict }))
    }

    /// The name of the class, for errors.
    pub(super) fn class(&self) -> &'static str {
        self.class
    }

    pub(super) fn find(&self, name: &str) -> Option<Id> {
        self.graph.entry(self.dict, name)
    }

    pub(super) fn get(&self, name: &'static str) -> Result<Id> {
        self.find(name).ok_or(ModelError::NotFitted { class: self.class, attribute: name })
    }

    pub(super) fn wrong(&self, attribute: &'static str, expected: &'static str, id: Id) -> ModelError {
        ModelError::Attribute { attribute, expected, got: self.graph.kind(id) }
    }

    pub(super) fn list(&self, name: &'static str) -> Result<&'g [Id]> {
        let id = self.get(name)?;
        self.graph.sequence(id).ok_or_else(|| self.wrong(name, "a list", id))
    }

    /// A number from Python or from numpy.
    pub(super) fn number(&self, name: &'static str) -> Result<f64> {
        self.value(name, self.get(name)?)
    }

    /// A number from Python or from numpy that is a part of the attribute `name`.
    pub(super) fn value(&self, name: &'static str, id: Id) -> Result<f64> {
        match *self.graph.get(id) {
            Object::Int(value) => return Ok(value as f64),
            Object::Float(value) => return Ok(value),
            _ => {}
        }
        let array = array(self.graph, id).map_err(|_| self.wrong(name, "a number", id))?;
        let numbers = array.numbers().map_err(|source| ModelError::Array { attribute: name, source })?;
        let mut numbers = numbers.floats();
        match (numbers.next(), numbers.next()) {
            (Some(number), None) => Ok(number),
            _ => Err(self.wrong(name, "a number", id)),
        }
    }

    /// A whole number of at least 1 that fits in 31 bits.
    pub(super) fn count(&self, name: &'static str) -> Result<u32> {
        const EXPECTED: &str = "a whole number between 1 and 2147483647";
        let got = self.number(name)?;
        if got.fract() == 0.0 && (1.0..=2_147_483_647.0).contains(&got) {
            return Ok(got as u32);
        }
        Err(ModelError::Range { attribute: name, expected: EXPECTED, got })
    }
    /// Whether a parameter is true; `absent` if the object does not have it.
    pub(super) fn flag(&self, name: &str, absent: bool) -> bool {
        self.find(name).and_then(|id| self.graph.int(id)).map_or(absent, |flag| flag != 0)
    }

    /// One number for each of `columns` columns.
    pub(super) fn numbers(&self, name: &'static str, columns: usize) -> Result<Vec<f64>> {
        const EXPECTED: &str = "an array of one number a column";
        let id = self.get(name)?;
        // The constant of an imputer is an array of Python objects.
        if let Some(parts) = objects(self.graph, id) {
            if parts.len() != columns {
                return Err(ModelError::Width { class: self.class, expected: columns, got: parts.len() });
            }
            self.graph.budget().allocate(size_of::<f64>() * columns)?;
            return parts.iter().map(|&part| self.value(name, part)).collect();
        }
        let array = array(self.graph, id).map_err(|_| self.wrong(name, EXPECTED, id))?;
        if array.len() != columns {
            return Err(ModelError::Width { class: self.class, expected: columns, got: array.len() });
        }
        let numbers = array.numbers().map_err(|source| ModelError::Array { attribute: name, source })?;
        self.graph.budget().allocate(size_of::<f64>() * columns)?;
        self.graph.budget().work(columns)?;
        Ok(numbers.floats().collect())
    }

    /// Read a list of column indices, in order.
    pub(super) fn indices(&self, id: Id) -> Option<Vec<usize>> {
        let index = |int: i64| usize::try_from(int).ok();
        if let Some(parts) = self.graph.sequence(id) {
            self.graph.budget().work(parts.len()).ok()?;
            let number = |&part| match self.graph.get(part) {
                Object::Int(int) => index(*int),
                _ => array(self.graph, part)
                    .ok()?
                    .numbers()
                    .ok()?
                    .ints()
                    .ok()?
                    .first()
                    .copied()
                    .and_then(index),
            };
            return parts.iter().map(number).collect();
        }
        array(self.graph, id).ok()?.numbers().ok()?.ints().ok()?.into_iter().map(index).collect()
    }
}
