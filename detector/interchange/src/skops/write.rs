//! A forest and its threshold in, a skops file out that scikit-learn opens as its own `IsolationForest`.
//!
//! Path lengths and depths, which scikit-learn computes from the trees when it fits and reads when it scores,
//! are written too. The ranges of the training rows are not: a row beyond them scores as one at the edge.

use std::io::{Cursor, Write};

use forest::tree::Node;
use forest::{Ensemble, Forest, Mode, average_path_length};
use serde_json::{Map, Value, json};
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, ZipWriter};

/// The scikit-learn version of the file. Version 1.3 and later open it, with a warning if it is another one.
const VERSION: &str = "1.9.1";

/// The numpy type of a node in scikit-learn's memory, which ends in seven bytes of padding.
const NODE: &str = "[('left_child', '<i8'), ('right_child', '<i8'), ('feature', '<i8'), ('threshold', '<f8'), \
    ('impurity', '<f8'), ('n_node_samples', '<i8'), ('weighted_n_node_samples', '<f8'), ('missing_go_to_left', '|u1'), \
    ('', '|V7')]";

/// Why a forest cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A split over several columns: scikit-learn's trees compare one column at a time.
    #[error("scikit-learn has no splits over several columns: train with extension 0 to export")]
    Planes,
    /// A mode other than Standard: the values of its leaves do not follow from depth and samples.
    #[error(
        "scikit-learn has forests of mode Standard alone, got a model in mode {0}: train in that mode to export"
    )]
    Mode(&'static str),
    /// The number of names differs from the forest's number of columns.
    #[error("columns must be as many as the forest's, {forest}, got {names}")]
    Columns {
        /// The number of columns of the forest.
        forest: usize,
        /// The number of names given.
        names: usize,
    },
    /// The zip cannot be written.
    #[error("the skops file cannot be written: {0}")]
    Zip(#[from] ZipError),
    /// The content of the zip cannot be written.
    #[error("the skops file cannot be written: {0}")]
    Io(#[from] std::io::Error),
}

/// Write a fitted `IsolationForest` with these columns, whose `offset_` is the negative threshold.
///
/// # Errors
/// An extended forest, one in another mode than [`Mode::Standard`], several forests, or a wrong number of
/// names.
///
/// ```
/// # use forest::{Ensemble, Params, Samples};
/// let samples = Samples::new(1, vec![0.1, 0.2, 0.3, 9.0]).expect("finite cells");
/// let ensemble = Ensemble::fit(&samples, &Params::default().into()).expect("a small forest");
/// let file = interchange::skops::write(&ensemble, 0.6, &["pressure".to_owned()]).expect("one name, one column");
/// assert_eq!(interchange::read(&file).expect("our own").columns, Some(vec!["pressure".to_owned()]));
/// ```
pub fn write(ensemble: &Ensemble, threshold: f64, columns: &[String]) -> Result<Vec<u8>, WriteError> {
    let forest = ensemble.single().ok_or(WriteError::Mode("Auto"))?;
    if forest.mode() != Mode::Standard {
        return Err(WriteError::Mode(forest.mode().name()));
    }
    if columns.len() != forest.columns() {
        return Err(WriteError::Columns { forest: forest.columns(), names: columns.len() });
    }
    let mut file = File { zip: ZipWriter::new(Cursor::new(Vec::new())), objects: 0 };
    let mut schema = file.forest(forest, threshold, columns)?;
    schema.insert("protocol".to_owned(), 2.into());
    schema.insert("_skops_version".to_owned(), "0.16.0".into());
    file.add("schema.json", Value::from(schema).to_string().as_bytes())?;
    Ok(file.zip.finish()?.into_inner())
}

type Result<T, E = WriteError> = std::result::Result<T, E>;

/// The zip that is being written.
struct File {
    zip: ZipWriter<Cursor<Vec<u8>>>,
    /// The number of objects so far: each object has its own number.
    objects: u64,
}

/// The arrays that scikit-learn stores for a tree.
struct Columns {
    nodes: Vec<u8>,
    depths: Vec<i64>,
    lengths: Vec<f64>,
}

impl File {
    fn add(&mut self, name: &str, content: &[u8]) -> Result<()> {
        self.zip.start_file(name, SimpleFileOptions::default())?;
        Ok(self.zip.write_all(content)?)
    }

    fn forest(&mut self, forest: &Forest, threshold: f64, columns: &[String]) -> Result<Map<String, Value>> {
        let (trees, width) = (forest.trees().len(), forest.columns() as i64);
        let sample_size = forest.sample_size();
        let all = self.array("<i8", &format!("({width},)"), (0..width).flat_map(i64::to_le_bytes))?;
        let seeds = self.array("<i8", &format!("({trees},)"), vec![0; 8 * trees])?;
        let (mut estimators, mut depths, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for tree in forest.trees() {
            let tree = Columns::of(tree.nodes())?;
            let count = tree.depths.len();
            depths.push(self.array(
                "<i8",
                &format!("({count},)"),
                tree.depths.iter().flat_map(|n| n.to_le_bytes()),
            )?);
            lengths.push(self.array(
                "<f8",
                &format!("({count},)"),
                tree.lengths.iter().flat_map(|n| n.to_le_bytes()),
            )?);
            estimators.push(self.estimator(forest, &tree, count)?);
        }
        let names = columns.iter().map(|name| self.plain(name.as_str())).collect();
        let names = self.names(names);
        let template = self.parameters(sample_size);
        let attributes = vec![
            ("estimator", self.plain(Value::Null)),
            ("n_estimators", self.plain(trees)),
            ("estimator_params", self.list("tuple", "TupleNode", Vec::new())),
            ("max_samples", self.plain(sample_size)),
            ("max_features", self.plain(1.0)),
            ("bootstrap", self.plain(false)),
            ("bootstrap_features", self.plain(false)),
            ("oob_score", self.plain(false)),
            ("warm_start", self.plain(false)),
            ("n_jobs", self.plain(Value::Null)),
            ("random_state", self.plain(Value::Null)),
            ("verbose", self.plain(0)),
            ("contamination", self.plain("auto")),
            ("feature_names_in_", names),
            ("n_features_in_", self.plain(width)),
            ("max_samples_", self.plain(sample_size)),
            ("_n_samples", self.plain(sample_size)),
            ("estimator_", self.object("ExtraTreeRegressor", "sklearn.tree._classes", template).into()),
            ("_max_samples", self.plain(sample_size)),
            ("_max_features", self.plain(width)),
            ("_sample_weight", self.plain(Value::Null)),
            ("estimators_", self.list("list", "ListNode", estimators)),
            ("estimators_features_", self.list("list", "ListNode", vec![all; trees])),
            ("_seeds", seeds),
            ("_average_path_length_per_tree", self.list("tuple", "TupleNode", lengths)),
            ("_decision_path_lengths", self.list("tuple", "TupleNode", depths)),
            ("offset_", self.plain(-threshold)),
            ("_sklearn_version", self.plain(VERSION)),
        ];
        Ok(self.object("IsolationForest", "sklearn.ensemble._iforest", attributes))
    }

    /// An `ExtraTreeRegressor` around its `Tree`.
    fn estimator(&mut self, forest: &Forest, tree: &Columns, count: usize) -> Result<Value> {
        let width = forest.columns();
        let nodes = self.array(NODE, &format!("({count},)"), tree.nodes.iter().copied())?;
        let values = self.array("<f8", &format!("({count}, 1, 1)"), vec![0; 8 * count])?;
        let outputs = self.array("<i8", "(1,)", 1_i64.to_le_bytes())?;
        let deepest = tree.depths.iter().max().map_or(0, |depth| depth - 1);
        let arguments = vec![self.plain(width), outputs, self.plain(1)];
        let arguments = self.list("tuple", "TupleNode", arguments);
        let state = vec![
            ("max_depth", self.plain(deepest)),
            ("node_count", self.plain(count)),
            ("nodes", nodes),
            ("values", values),
        ];
        let mut inside = self.object("Tree", "sklearn.tree._tree", state);
        inside.insert("__loader__".to_owned(), "TreeNode".into());
        inside.insert("__reduce__".to_owned(), json!({ "args": arguments }));
        let mut attributes = self.parameters(forest.sample_size());
        attributes.extend([
            ("n_features_in_", self.plain(width)),
            ("n_outputs_", self.plain(1)),
            ("max_features_", self.plain(1)),
            ("tree_", inside.into()),
        ]);
        Ok(self.object("ExtraTreeRegressor", "sklearn.tree._classes", attributes).into())
    }

    /// The parameters of the forest's trees.
    fn parameters(&mut self, sample_size: u32) -> Vec<(&'static str, Value)> {
        let deepest = sample_size.max(2).next_power_of_two().ilog2();
        vec![
            ("criterion", self.plain("squared_error")),
            ("splitter", self.plain("random")),
            ("max_depth", self.plain(deepest)),
            ("min_samples_split", self.plain(2)),
            ("min_samples_leaf", self.plain(1)),
            ("min_weight_fraction_leaf", self.plain(0.0)),
            ("max_features", self.plain(1)),
            ("max_leaf_nodes", self.plain(Value::Null)),
            ("random_state", self.plain(Value::Null)),
            ("min_impurity_decrease", self.plain(0.0)),
            ("class_weight", self.plain(Value::Null)),
            ("ccp_alpha", self.plain(0.0)),
            ("monotonic_cst", self.plain(Value::Null)),
            ("_sklearn_version", self.plain(VERSION)),
        ]
    }

    fn number(&mut self) -> u64 {
        self.objects += 1;
        self.objects
    }

    fn node(&mut self, class: &str, module: &str, loader: &str) -> Map<String, Value> {
        let number = self.number();
        let node = [
            ("__class__", class.into()),
            ("__module__", module.into()),
            ("__loader__", loader.into()),
            ("__id__", number.into()),
        ];
        node.map(|(key, value): (&str, Value)| (key.to_owned(), value)).into_iter().collect()
    }

    /// A plain value: JSON inside the JSON.
    fn plain(&mut self, value: impl Into<Value>) -> Value {
        let mut node = self.node("str", "builtins", "JsonNode");
        node.insert("content".to_owned(), value.into().to_string().into());
        node.insert("is_json".to_owned(), true.into());
        node.into()
    }

    fn list(&mut self, class: &str, loader: &str, parts: Vec<Value>) -> Value {
        let mut node = self.node(class, "builtins", loader);
        node.insert("content".to_owned(), parts.into());
        node.into()
    }

    fn object(&mut self, class: &str, module: &str, attributes: Vec<(&str, Value)>) -> Map<String, Value> {
        let types = attributes.iter().map(|_| self.node("str", "builtins", "TypeNode").into()).collect();
        let types = self.list("list", "ListNode", types);
        let mut dict = self.node("dict", "builtins", "DictNode");
        let content: Map<String, Value> =
            attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        dict.insert("content".to_owned(), content.into());
        dict.insert("key_types".to_owned(), types);
        let mut node = self.node(class, module, "ObjectNode");
        node.insert("content".to_owned(), dict.into());
        node
    }

    /// An array of Python texts, which is written into the schema itself.
    fn names(&mut self, names: Vec<Value>) -> Value {
        let length = self.plain(names.len());
        let shape = self.list("tuple", "TupleNode", vec![length]);
        let mut node = self.node("ndarray", "numpy", "NdArrayNode");
        node.insert("type".to_owned(), "json".into());
        node.insert("content".to_owned(), names.into());
        node.insert("shape".to_owned(), shape);
        node.into()
    }

    /// An array in a file of its own: numpy's format, version 1.
    fn array(&mut self, dtype: &str, shape: &str, data: impl IntoIterator<Item = u8>) -> Result<Value> {
        let dtype = if dtype.starts_with('[') { dtype.to_owned() } else { format!("'{dtype}'") };
        let header = format!("{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}");
        // The data begins at a multiple of 64 bytes, directly after a newline.
        let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
        let mut content = b"\x93NUMPY\x01\x00".to_vec();
        content.extend((length as u16).to_le_bytes());
        content.extend(format!("{header:<width$}\n", width = length - 1).bytes());
        content.extend(data);
        let mut node = self.node("ndarray", "numpy", "NdArrayNode");
        let name = format!("{}.npy", self.objects);
        self.add(&name, &content)?;
        node.insert("type".to_owned(), "numpy".into());
        node.insert("file".to_owned(), name.into());
        Ok(node.into())
    }
}

impl Columns {
    /// Create the arrays of a tree from its nodes in pre-order: children come after their parents.
    fn of(nodes: &[Node]) -> Result<Self> {
        let mut samples = vec![0_u32; nodes.len()];
        let mut depths = vec![1_i64; nodes.len()];
        for (at, node) in nodes.iter().enumerate() {
            if let Node::Split { left, right, .. } = *node {
                (depths[left as usize], depths[right as usize]) = (depths[at] + 1, depths[at] + 1);
            }
        }
        for (at, node) in nodes.iter().enumerate().rev() {
            samples[at] = match *node {
                Node::Split { left, right, .. } => {
                    samples[left as usize].saturating_add(samples[right as usize])
                }
                Node::Leaf { samples } => samples,
                Node::Plane { .. } => return Err(WriteError::Planes),
            };
        }
        let records = nodes.iter().zip(&samples).flat_map(|(node, &samples)| record(node, samples));
        let lengths = samples.iter().map(|&samples| average_path_length(samples)).collect();
        Ok(Self { nodes: records.collect(), depths, lengths })
    }
}

/// Encode a node in the layout of [`NODE`].
fn record(node: &Node, samples: u32) -> [u8; 64] {
    let (left, right, column, threshold) = match *node {
        Node::Split { column, threshold, left, right } => {
            (left.into(), right.into(), column.into(), threshold.into())
        }
        _ => (-1, -1, -2, -2.0),
    };
    let fields: [[u8; 8]; 8] = [
        i64::to_le_bytes(left),
        i64::to_le_bytes(right),
        i64::to_le_bytes(column),
        f64::to_le_bytes(threshold),
        f64::to_le_bytes(0.0),
        i64::to_le_bytes(samples.into()),
        f64::to_le_bytes(samples.into()),
        [0; 8],
    ];
    let mut record = [0; 64];
    record.as_chunks_mut::<8>().0.copy_from_slice(&fields);
    record
}
