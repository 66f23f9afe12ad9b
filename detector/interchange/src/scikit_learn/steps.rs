//! A Python `Pipeline` in, its forest and the operations of its steps on each column out.
//!
//! Each step does the arithmetic of its `transform` since scikit-learn 1.0: the same operations in the same
//! order, in place, in `f64`.

use super::attributes::Attributes;
use super::error::ModelError;
use crate::class::Class;
use crate::object::{Graph, Id, Object};
use crate::preprocessing::{
    COLUMNS_LIMIT, Column, OPERATIONS_LIMIT, Operation, Preprocessing, PreprocessingError,
};

type Result<T> = std::result::Result<T, ModelError>;

/// The most levels of nested pipelines and column transformers: a file may hold one that contains itself.
const DEPTH_LIMIT: usize = 8;
/// The most steps of a pipeline with its nested pipelines, and the most parts of a column transformer.
const STEPS_LIMIT: usize = 256;

/// The steps counted for a visit of a step, so that a step that is named many times uses up the budget.
const STEP_WORK: usize = 10_000;

/// The memory cost of a column and of an operation in bytes, while steps are combined.
const COLUMN_BYTES: usize = size_of::<Column>();
const OPERATION_BYTES: usize = 2 * size_of::<Operation>();

/// The top-level object of a file, split into the forest and the steps before it.
pub(super) struct Steps<'g, 'a> {
    graph: &'g Graph<'a>,
    /// The steps before the forest, in the order in which they are applied.
    before: Vec<Id>,
    /// The forest.
    pub(super) forest: Attributes<'g, 'a>,
}

impl<'g, 'a> Steps<'g, 'a> {
    /// Read the steps of a pipeline. A forest alone has none.
    pub(super) fn of(graph: &'g Graph<'a>) -> Result<Self> {
        let mut before = Vec::new();
        flatten(graph, graph.root, &mut before, 0)?;
        let last = before.pop().unwrap_or(graph.root);
        let forest = Attributes::of(graph, last, Class::IsolationForest)?;
        let error = if last == graph.root { ModelError::NotAForest } else { ModelError::LastStep };
        let forest = forest.ok_or_else(|| error(graph.kind(last)))?;
        Ok(Self { graph, before, forest })
    }

    /// The first step that states its number of columns, or else the forest.
    pub(super) fn first(&self) -> Result<Attributes<'g, 'a>> {
        for &step in &self.before {
            let Object::Instance { class, .. } = *self.graph.get(step) else { continue };
            let Some(step) = Attributes::of(self.graph, step, class)? else { continue };
            if step.find("n_features_in_").is_some() {
                return Ok(step);
            }
        }
        Ok(self.forest.clone())
    }

    /// The operations that turn rows of `inputs` columns into `outputs` columns for the forest; `None` if
    /// they change nothing.
    pub(super) fn preprocessing(&self, inputs: u32, outputs: u32) -> Result<Option<Preprocessing>> {
        let columns: Vec<Column> = (0..inputs).map(|column| Column(column, Vec::new())).collect();
        self.graph.budget().allocate(COLUMN_BYTES * columns.len())?;
        let columns = self.before.iter().try_fold(columns, |columns, &step| self.taken(step, columns, 0))?;
        if columns.len() != outputs as usize {
            let (expected, got) = (columns.len(), outputs as usize);
            return Err(ModelError::Width { class: "IsolationForest", expected, got });
        }
        let steps = Preprocessing::new(inputs as usize, columns);
        let steps = steps.map_err(|source| ModelError::Arithmetic { class: "Pipeline", source })?;
        Ok(Some(steps).filter(|steps| !steps.is_identity()))
    }

    /// The columns after one step.
    fn taken(&self, step: Id, columns: Vec<Column>, depth: usize) -> Result<Vec<Column>> {
        self.graph.budget().work(STEP_WORK)?;
        if depth > DEPTH_LIMIT {
            return Err(refused("Pipeline", format!("steps must nest at most {DEPTH_LIMIT} deep, got more")));
        }
        if is_passthrough(self.graph, step) {
            return Ok(columns);
        }
        let Object::Instance { class, .. } = *self.graph.get(step) else {
            return Err(refused("step", format!("it must be an estimator, got {}", self.graph.kind(step))));
        };
        let Some(step) = Attributes::of(self.graph, step, class)? else { return Ok(columns) };
        if step.find("n_features_in_").is_some() && step.count("n_features_in_")? as usize != columns.len() {
            let (expected, got) = (columns.len(), step.count("n_features_in_")? as usize);
            return Err(ModelError::Width { class: class.name(), expected, got });
        }
        match class {
            Class::Pipeline => self.pipeline(&step, columns, depth),
            Class::ColumnTransformer => self.column_transformer(&step, &columns, depth),
            Class::StandardScaler => affine(&step, ["with_mean", "with_std"], ["mean_", "scale_"], columns),
            Class::RobustScaler => {
                affine(&step, ["with_centering", "with_scaling"], ["center_", "scale_"], columns)
            }
            Class::MaxAbsScaler => max_abs(&step, columns),
            Class::MinMaxScaler => min_max(&step, columns),
            Class::SimpleImputer => imputed(&step, columns),
            Class::FunctionTransformer => unchanged(&step, columns),
            class => Err(refused(class.name(), "it must be a scaler or an imputer".to_owned())),
        }
    }

    fn pipeline(&self, step: &Attributes<'_, '_>, columns: Vec<Column>, depth: usize) -> Result<Vec<Column>> {
        let steps = estimators(step, "steps")?;
        steps.into_iter().try_fold(columns, |columns, part| self.taken(part, columns, depth + 1))
    }

    /// The columns of each part, one part after another.
    fn column_transformer(
        &self,
        step: &Attributes<'_, '_>,
        columns: &[Column],
        depth: usize,
    ) -> Result<Vec<Column>> {
        const CLASS: &str = "ColumnTransformer";
        if !step.find("transformer_weights").is_none_or(|id| matches!(self.graph.get(id), Object::None)) {
            return Err(refused(CLASS, "it must be without transformer_weights".to_owned()));
        }
        let chosen = step.get("_transformer_to_input_indices")?;
        let parts = step.list("transformers_")?;
        if parts.len() > STEPS_LIMIT {
            return Err(refused(
                CLASS,
                format!("it must have at most {STEPS_LIMIT} parts, got {}", parts.len()),
            ));
        }
        let mut made = Vec::new();
        for &part in parts {
            let Some(&[name, part, _]) = self.graph.sequence(part) else {
                return Err(refused(CLASS, "its parts must be names, transformers and columns".to_owned()));
            };
            if self.graph.text(part) == Some("drop") {
                continue;
            }
            let indices = self.graph.text(name).and_then(|name| self.graph.entry(chosen, name));
            let indices = indices.and_then(|indices| step.indices(indices)).ok_or_else(|| {
                refused(CLASS, "the columns of each part must be known by their numbers".to_owned())
            })?;
            // A part without columns was never fitted.
            if !indices.is_empty() {
                made.extend(self.taken(part, self.chosen(&indices, columns)?, depth + 1)?);
            }
            within(CLASS, &made)?;
        }
        Ok(made)
    }

    fn chosen(&self, indices: &[usize], columns: &[Column]) -> Result<Vec<Column>> {
        let mut chosen = Vec::new();
        for &index in indices {
            let column = columns.get(index).ok_or(ModelError::Width {
                class: "ColumnTransformer",
                expected: columns.len(),
                got: index.saturating_add(1),
            })?;
            self.graph.budget().allocate(COLUMN_BYTES + OPERATION_BYTES * column.1.len())?;
            chosen.push(column.clone());
        }
        Ok(chosen)
    }
}

fn refused(class: &'static str, rule: String) -> ModelError {
    ModelError::Step { class, rule }
}

/// Append the steps of a pipeline to `steps`, with the steps of nested pipelines in their place. Any other
/// object is one step.
fn flatten(graph: &Graph<'_>, id: Id, steps: &mut Vec<Id>, depth: usize) -> Result<()> {
    graph.budget().work(STEP_WORK)?;
    let limit = depth > DEPTH_LIMIT || steps.len() >= STEPS_LIMIT;
    if limit {
        return Err(refused(
            "Pipeline",
            format!("it must have at most {STEPS_LIMIT} steps, {DEPTH_LIMIT} deep, got more"),
        ));
    }
    let Some(pipeline) = Attributes::of(graph, id, Class::Pipeline)? else {
        steps.push(id);
        return Ok(());
    };
    estimators(&pipeline, "steps")?.into_iter().try_for_each(|step| flatten(graph, step, steps, depth + 1))
}

/// The estimators of a list of pairs of names and estimators.
fn estimators(step: &Attributes<'_, '_>, list: &'static str) -> Result<Vec<Id>> {
    let pairs = step.list(list)?;
    if pairs.len() > STEPS_LIMIT {
        return Err(refused(
            "Pipeline",
            format!("it must have at most {STEPS_LIMIT} steps, got {}", pairs.len()),
        ));
    }
    let estimator = |&pair: &Id| match step.graph.sequence(pair) {
        Some(&[_, estimator]) => Ok(estimator),
        _ => Err(refused("Pipeline", "its steps must be pairs of a name and an estimator".to_owned())),
    };
    pairs.iter().map(estimator).collect()
}

fn is_passthrough(graph: &Graph<'_>, step: Id) -> bool {
    matches!(graph.get(step), Object::None) || graph.text(step) == Some("passthrough")
}

/// Append an operation to each column, made by `operation` from the column's number in `attribute`.
fn append(
    step: &Attributes<'_, '_>,
    attribute: &'static str,
    columns: &mut [Column],
    operation: fn(f64) -> Operation,
) -> Result<()> {
    step.graph.budget().allocate(OPERATION_BYTES * columns.len())?;
    let numbers = step.numbers(attribute, columns.len())?;
    columns.iter_mut().zip(numbers).for_each(|(column, number)| column.1.push(operation(number)));
    Ok(())
}

/// Check that there are not too many columns and operations.
fn within(class: &'static str, columns: &[Column]) -> Result<()> {
    let operations: usize = columns.iter().map(|column| column.1.len()).sum();
    let error = if columns.len() > COLUMNS_LIMIT as usize {
        PreprocessingError::Columns(columns.len())
    } else if operations > OPERATIONS_LIMIT {
        PreprocessingError::Operations(operations)
    } else {
        return Ok(());
    };
    Err(ModelError::Arithmetic { class, source: error })
}

fn sound(class: &'static str, columns: Vec<Column>) -> Result<Vec<Column>> {
    within(class, &columns)?;
    let numbers = columns.iter().flat_map(|column| &column.1).try_for_each(Operation::check);
    numbers.map_err(|source| ModelError::Arithmetic { class, source })?;
    Ok(columns)
}

/// `X -= mean_; X /= scale_`, each if its parameter is true.
fn affine(
    step: &Attributes<'_, '_>,
    [centered, scaled]: [&str; 2],
    [center, scale]: [&'static str; 2],
    mut columns: Vec<Column>,
) -> Result<Vec<Column>> {
    if step.flag(centered, true) {
        append(step, center, &mut columns, Operation::Subtract)?;
    }
    if step.flag(scaled, true) {
        append(step, scale, &mut columns, Operation::Divide)?;
    }
    sound(step.class(), columns)
}

/// `X /= scale_`, and from 1.9 on `clip` to [-1, 1].
fn max_abs(step: &Attributes<'_, '_>, mut columns: Vec<Column>) -> Result<Vec<Column>> {
    append(step, "scale_", &mut columns, Operation::Divide)?;
    if step.flag("clip", false) {
        clip(step, &mut columns, [-1.0, 1.0])?;
    }
    sound(step.class(), columns)
}

/// `X *= scale_; X += min_`, and `clip` to `feature_range`.
fn min_max(step: &Attributes<'_, '_>, mut columns: Vec<Column>) -> Result<Vec<Column>> {
    append(step, "scale_", &mut columns, Operation::Multiply)?;
    append(step, "min_", &mut columns, Operation::Add)?;
    if step.flag("clip", false) {
        const RANGE: &str = "feature_range";
        let id = step.get(RANGE)?;
        let ends = step.graph.sequence(id).map(|ends| ends.iter().map(|&end| step.value(RANGE, end)));
        let ends: Vec<f64> =
            ends.ok_or_else(|| step.wrong(RANGE, "two numbers", id))?.collect::<Result<_>>()?;
        let range = ends.try_into().map_err(|_| step.wrong(RANGE, "two numbers", id))?;
        clip(step, &mut columns, range)?;
    }
    sound(step.class(), columns)
}

fn clip(step: &Attributes<'_, '_>, columns: &mut [Column], range: [f64; 2]) -> Result<()> {
    step.graph.budget().allocate(OPERATION_BYTES * columns.len())?;
    for column in columns {
        column.1.push(Operation::Clip(range));
    }
    Ok(())
}

/// Fill missing cells with the column's statistic. A column without any cell to learn from is dropped.
fn imputed(step: &Attributes<'_, '_>, columns: Vec<Column>) -> Result<Vec<Column>> {
    if step.flag("add_indicator", false) {
        return Err(refused(step.class(), "add_indicator must be False, got True".to_owned()));
    }
    let missing = step.number("missing_values")?;
    step.graph.budget().allocate(OPERATION_BYTES * columns.len())?;
    let statistics = step.numbers("statistics_", columns.len())?;
    let kept = columns.into_iter().zip(statistics).filter(|(_, statistic)| !statistic.is_nan());
    let filled = kept.map(|(mut column, statistic)| {
        let is_nan = missing.is_nan();
        column.1.push(if is_nan {
            Operation::Fill(statistic)
        } else {
            Operation::Replace([missing, statistic])
        });
        column
    });
    sound(step.class(), filled.collect())
}

/// A `FunctionTransformer` without a function.
fn unchanged(step: &Attributes<'_, '_>, columns: Vec<Column>) -> Result<Vec<Column>> {
    match step.find("func") {
        Some(func) if !matches!(step.graph.get(func), Object::None) => {
            Err(refused(step.class(), "func must be None, got a function".to_owned()))
        }
        _ => Ok(columns),
    }
}
