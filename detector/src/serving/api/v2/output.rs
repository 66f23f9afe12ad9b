//! The tensors that an answer can have: names, types and shapes, after those of alibi-detect.

use serde_json::{Value, json};

/// A tensor of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tensor {
    /// 1 where the row is anomalous, else 0.
    IsOutlier,
    /// The score.
    InstanceScore,
    /// The threshold: a score above it is anomalous.
    Threshold,
    /// The score on a scale where the threshold is 1.
    Severity,
    /// scikit-learn's label: -1 where the row is anomalous, else 1.
    Predict,
    /// The contribution of each sensor.
    FeatureScore,
}

/// A tensor of an answer, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Output {
    /// The tensor.
    pub(super) tensor: Tensor,
    /// Whether it follows the JSON as bytes.
    pub(super) binary: bool,
}

impl Output {
    /// The outputs of an answer if the request names none.
    pub(super) fn defaults(binary: bool) -> Vec<Self> {
        let tensors = [Tensor::IsOutlier, Tensor::InstanceScore, Tensor::Threshold];
        tensors.into_iter().map(|tensor| Self { tensor, binary }).collect()
    }

    /// All tensors that a request can name.
    pub(super) fn all() -> impl Iterator<Item = Tensor> {
        Tensor::ALL.into_iter()
    }
}

impl Tensor {
    /// All tensors.
    pub(super) const ALL: [Self; 6] = [
        Self::IsOutlier,
        Self::InstanceScore,
        Self::Threshold,
        Self::Severity,
        Self::Predict,
        Self::FeatureScore,
    ];

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::IsOutlier => "is_outlier",
            Self::InstanceScore => "instance_score",
            Self::Threshold => "threshold",
            Self::Severity => "severity",
            Self::Predict => "predict",
            Self::FeatureScore => "feature_score",
        }
    }

    /// The tensor of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tensor| tensor.name() == name)
    }

    /// Whether it needs explanations of the rows.
    pub(super) fn is_explained(self) -> bool {
        self == Self::FeatureScore
    }

    /// Whether its elements are whole numbers: INT64, where the others are FP64.
    pub(super) fn is_whole(self) -> bool {
        matches!(self, Self::IsOutlier | Self::Predict)
    }

    /// The type of its elements; both have eight bytes.
    pub(super) fn datatype(self) -> &'static str {
        if self.is_whole() { "INT64" } else { "FP64" }
    }

    /// Its shape, in any type of number, for this many rows and sensors.
    pub(super) fn shape<N: From<u8>>(self, rows: N, sensors: N) -> Vec<N> {
        match self {
            Self::Threshold => vec![1.into()],
            Self::FeatureScore => vec![rows, sensors],
            _ => vec![rows],
        }
    }

    /// Its description in the metadata of a model.
    pub(super) fn metadata(self, sensors: usize) -> Value {
        json!({ "name": self.name(), "datatype": self.datatype(), "shape": self.shape(json!(-1), json!(sensors)) })
    }
}
