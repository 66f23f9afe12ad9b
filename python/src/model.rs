//! A model as Python holds it: rows of `float32` or `float64` in, scores and shares out; bytes of an artifact in and out.

use std::borrow::Cow;

use forest::artifact::{Artifact, Greatest, Metadata, Scores, Training};
use forest::{Ensemble, EnsembleParams, Mode, Params, Samples};
use interchange::Preprocessing;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyType};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::value_error;
use crate::trees;

/// How a detector makes vectors of readings, as the artifact's metadata have it. Models of this package see
/// the readings themselves, after optional preprocessing.
#[derive(Serialize, Deserialize)]
struct Pipeline {
    features: Vec<String>,
    window: u32,
    lags: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preprocessing: Option<Preprocessing>,
    /// Set only in models that follow their sensors (`adaptation`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<serde_json::Value>,
}

impl Pipeline {
    fn as_they_are(preprocessing: Option<Preprocessing>) -> Self {
        Self { features: vec!["Value".to_owned()], window: 2, lags: 0, preprocessing, reference: None }
    }

    fn is_plain(&self) -> bool {
        self.features == ["Value"] && self.lags == 0 && self.reference.is_none()
    }
}

/// A forest with its preprocessing, threshold and columns. Immutable.
#[pyclass(frozen, module = "anomaly_operator._native")]
pub(crate) struct Model {
    artifact: Artifact,
    preprocessing: Option<Preprocessing>,
}

impl Model {
    fn new(artifact: Artifact) -> PyResult<Self> {
        let pipeline: Pipeline =
            serde_json::from_value(artifact.metadata.pipeline.clone()).map_err(value_error)?;
        if !pipeline.is_plain() {
            return Err(value_error(
                "the model must see readings as they are, got one of lags or other features: `detector score` makes its vectors",
            ));
        }
        Ok(Self { artifact, preprocessing: pipeline.preprocessing })
    }

    fn inputs(&self) -> usize {
        self.preprocessing.as_ref().map_or(self.artifact.ensemble.columns(), Preprocessing::inputs)
    }

    fn check(&self, columns: usize) -> PyResult<()> {
        let expected = self.inputs();
        if columns == expected {
            return Ok(());
        }
        Err(value_error(format!("rows must have {expected} columns, got {columns}")))
    }
}

/// Rows in single or double precision.
#[derive(FromPyObject)]
enum Rows<'py> {
    Single(PyReadonlyArray2<'py, f32>),
    Double(PyReadonlyArray2<'py, f64>),
}

impl Rows<'_> {
    fn columns(&self) -> usize {
        match self {
            Self::Single(rows) => rows.shape()[1],
            Self::Double(rows) => rows.shape()[1],
        }
    }
}

fn in_threads<T: Send>(threads: usize, task: impl FnOnce() -> T + Send) -> PyResult<T> {
    if threads == 0 {
        return Ok(task()); // rayon's own pool
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(value_error)?;
    Ok(pool.install(task))
}

/// The cells of an array in C order, without a copy.
fn cells<'a, T: numpy::Element>(rows: &'a PyReadonlyArray2<'_, T>) -> PyResult<&'a [T]> {
    rows.as_slice().map_err(|_| value_error("rows must be contiguous in C order"))
}

#[pymethods]
impl Model {
    /// Grow a forest. As in scikit-learn, the offset is the quantile of these rows' scores that
    /// `contamination` gives, and -0.5 without it.
    #[staticmethod]
    #[pyo3(signature = (rows, trees, sample_size, max_features, extension_level, mode, seed, contamination, columns, threads))]
    #[expect(clippy::too_many_arguments, reason = "parameters of fit")]
    fn fit(
        py: Python<'_>,
        rows: PyReadonlyArray2<'_, f32>,
        trees: u32,
        sample_size: u32,
        max_features: u32,
        extension_level: u32,
        mode: &str,
        seed: u64,
        contamination: Option<f64>,
        columns: Vec<String>,
        threads: usize,
    ) -> PyResult<Self> {
        let width = rows.shape()[1];
        let cells: Vec<f64> = cells(&rows)?.iter().map(|&cell| cell.into()).collect();
        let samples = Samples::with_missing(width, cells).map_err(value_error)?;
        let params = Params::new(trees, sample_size, extension_level, seed).map_err(value_error)?;
        let params = in_mode(params.with_columns_per_tree(max_features), mode)?;
        py.detach(|| {
            in_threads(threads, || {
                let ensemble = Ensemble::fit(&samples, &params).map_err(value_error)?;
                let artifact = trained(ensemble, &samples, seed, contamination, columns)?;
                Self::new(artifact)
            })?
        })
    }

    /// Read a model: the bytes of an artifact, or a file of another system: scikit-learn (pickle, joblib,
    /// skops) or ONNX.
    #[classmethod]
    fn from_bytes(_: &Bound<'_, PyType>, bytes: &[u8]) -> PyResult<Self> {
        if bytes.get(8) != Some(&b'{') && interchange::is_known(bytes) {
            let imported = interchange::read(bytes).map_err(value_error)?;
            let inputs = imported.inputs();
            let columns =
                imported.columns.unwrap_or_else(|| (0..inputs).map(|at| format!("x{at}")).collect());
            let training = Training {
                samples: imported.ensemble.members()[0].sample_size().into(),
                trained_at: EPOCH.to_owned(),
                origin: imported.origin,
                warnings: imported.warnings,
                ..Training::default()
            };
            let pipeline = pipeline(imported.preprocessing)?;
            let metadata = Metadata {
                columns,
                pipeline,
                threshold: imported.threshold,
                training,
                ..Metadata::default()
            };
            return Self::new(Artifact { ensemble: imported.ensemble, metadata, scores: None });
        }
        Self::new(Artifact::from_bytes(bytes).map_err(value_error)?)
    }

    /// The bytes of the artifact.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.artifact.to_bytes().map_err(value_error)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let bytes = slf.get().to_bytes(slf.py())?;
        Ok((slf.get_type().getattr("from_bytes")?, (bytes,)))
    }

    /// The paper's score of each row, in (0, 1], higher is more anomalous. Rows of `float32` are not copied,
    /// except where the model has preprocessing, which computes in double precision.
    fn scores<'py>(
        &self,
        py: Python<'py>,
        rows: Rows<'py>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        self.check(rows.columns())?;
        let cells_of_rows: Cow<[f32]> = match (&rows, &self.preprocessing) {
            (Rows::Single(rows), None) => cells(rows)?.into(),
            (Rows::Single(rows), Some(_)) => {
                let rows: Vec<f64> = cells(rows)?.iter().map(|&cell| cell.into()).collect();
                self.preprocessed(&rows).into()
            }
            (Rows::Double(rows), _) => self.preprocessed(cells(rows)?).into(),
        };
        let scores =
            py.detach(|| in_threads(threads, || self.artifact.ensemble.scores_of_cells(&cells_of_rows)))?;
        Ok(scores.into_pyarray(py))
    }

    /// The contribution of each column to each row's score: shares of 0 or more that add up to 1 in each row.
    fn explain<'py>(
        &self,
        py: Python<'py>,
        rows: PyReadonlyArray2<'py, f64>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        self.check(rows.shape()[1])?;
        let (count, width) = (rows.shape()[0], rows.shape()[1]);
        let rows = cells(&rows)?;
        let ensemble = &self.artifact.ensemble;
        let shares = py.detach(|| {
            in_threads(threads, || {
                let cells_of_rows = self.preprocessed(rows);
                let mut shares = vec![0.0; rows.len()];
                let places = shares.par_chunks_mut(width).zip(cells_of_rows.par_chunks(ensemble.columns()));
                places.with_min_len(16).for_each(|(place, row)| {
                    for (column, share) in ensemble.contributions(row).into_iter().enumerate() {
                        let source = self.preprocessing.as_ref().map_or(column, |steps| steps.source(column));
                        place[source] += share;
                    }
                });
                shares
            })
        })?;
        shares.into_pyarray(py).reshape([count, width])
    }

    /// The trees as scikit-learn's node arrays.
    fn trees(&self, py: Python<'_>) -> PyResult<Vec<Py<PyDict>>> {
        let forest = self.artifact.ensemble.single();
        let forest = forest.filter(|forest| forest.mode() == Mode::Standard);
        trees::of(py, forest.ok_or_else(|| value_error("scikit-learn has forests of mode Standard alone"))?)
    }

    /// The number of cells in a row.
    #[getter]
    fn columns(&self) -> usize {
        self.inputs()
    }

    /// The names of the columns, in order.
    #[getter]
    fn names(&self) -> Vec<String> {
        self.artifact.metadata.columns.clone()
    }

    /// The threshold: a score above it is anomalous.
    #[getter]
    fn threshold(&self) -> f64 {
        self.artifact.metadata.threshold
    }

    /// The number of rows that each tree was grown from.
    #[getter]
    fn sample_size(&self) -> u32 {
        self.artifact.ensemble.members()[0].sample_size()
    }

    /// The number of trees of all members.
    #[getter]
    fn total_trees(&self) -> usize {
        self.artifact.ensemble.total_trees()
    }

    /// Whether rows are preprocessed before the forest sees them.
    #[getter]
    fn has_steps(&self) -> bool {
        self.preprocessing.is_some()
    }

    /// Reasons why its scores may differ from those of the system that trained it, or be unreliable.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.artifact.metadata.training.warnings.clone()
    }

    /// The origin of the model: `trained`, or the program that wrote an imported file.
    #[getter]
    fn origin(&self) -> String {
        self.artifact.metadata.training.origin.clone()
    }
}

impl Model {
    /// Preprocess rows, and convert them to single precision, as the forest sees them.
    fn preprocessed(&self, rows: &[f64]) -> Vec<f32> {
        match &self.preprocessing {
            Some(steps) => steps.apply(rows).into_iter().map(|cell| cell as f32).collect(),
            None => rows.iter().map(|&cell| cell as f32).collect(),
        }
    }
}

const EPOCH: &str = "1970-01-01T00:00:00Z";

fn pipeline(preprocessing: Option<Preprocessing>) -> PyResult<serde_json::Value> {
    serde_json::to_value(Pipeline::as_they_are(preprocessing)).map_err(value_error)
}

fn in_mode(params: Params, mode: &str) -> PyResult<EnsembleParams> {
    if mode == "Auto" {
        return Ok(EnsembleParams::Auto(params));
    }
    let known = Mode::ALL.into_iter().find(|known| known.name() == mode);
    let mode = known
        .ok_or_else(|| value_error(format!("mode must be Standard, Auto or a research mode, got {mode}")))?;
    Ok(params.with_mode(mode).into())
}

/// Make the artifact of a forest that was grown over these rows. It has the rows' scores, so that another
/// threshold can be chosen later.
fn trained(
    ensemble: Ensemble,
    samples: &Samples,
    seed: u64,
    contamination: Option<f64>,
    columns: Vec<String>,
) -> PyResult<Artifact> {
    let [seen, unseen] = ensemble.training_scores(samples, seed);
    let threshold = contamination.map_or(0.5, |share| -percentile(&seen, share));
    let training = Training {
        samples: samples.len() as u64,
        trained_at: EPOCH.to_owned(),
        origin: "trained".to_owned(),
        choice: ensemble.choice(samples),
        central_ranges: samples.central_ranges(),
        warnings: samples.warnings(|column| columns[column].clone()),
        ..Training::default()
    };
    let metadata =
        Metadata { columns, pipeline: pipeline(None)?, threshold, training, ..Metadata::default() };
    let scores = Scores { seen: Greatest::of(&seen), unseen: Greatest::of(&unseen), seconds_apart: None };
    Ok(Artifact { ensemble, metadata, scores: Some(scores) })
}

/// `numpy.percentile(-scores, 100 * share)`.
fn percentile(scores: &[f64], share: f64) -> f64 {
    let mut rising: Vec<f64> = scores.iter().map(|score| -score).collect();
    rising.sort_unstable_by(f64::total_cmp);
    let at = share * (rising.len() - 1) as f64;
    let (below, weight) = (at.floor() as usize, at.fract());
    let above = (below + 1).min(rising.len() - 1);
    let (low, high) = (rising[below], rising[above]);
    // numpy's `lerp`, which is exact at both ends.
    if weight < 0.5 { low + (high - low) * weight } else { high - (high - low) * (1.0 - weight) }
}
