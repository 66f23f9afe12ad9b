//! `detector inspect`: a model in; its description as JSON, or one of its trees, out.

use std::path::PathBuf;

use clap::Args;
use forest::Forest;
use forest::artifact::FORMAT;
use forest::tree::Tree;
use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;

use super::model_file::{self, ModelFileError};
use crate::cli::stdout::{self, StdoutError};
use crate::cli::tree_text::{self, TreeFormat};
use crate::model::model::Model;

/// Print a description of a model as JSON, or one of its trees.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The model, as `train` writes it
    #[arg(value_name = "MODEL")]
    model: PathBuf,

    /// Print the tree with this number instead, counted from 0: its splits, and the number of rows in each
    /// leaf
    #[arg(long, value_name = "N")]
    tree: Option<usize>,

    /// The format of the tree
    #[arg(long, value_enum, default_value_t, requires = "tree")]
    format: TreeFormat,
}

/// The description of a model that is printed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Description<'a> {
    digest: &'a str,
    bytes: usize,
    /// The newest file format that this program reads. The file has this format or an earlier one.
    format: u32,
    columns: &'a [String],
    pipeline: &'a serde_json::Value,
    mode: &'static str,
    trees: usize,
    /// The sample size of the first member.
    sample_size: u32,
    /// The forests that score together, where there are several (mode Auto).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<Member>,
    /// Why the mode Auto chose these forests.
    #[serde(skip_serializing_if = "Option::is_none")]
    choice: Option<&'a str>,
    threshold: f64,
    samples: u64,
    /// The time of the newest training reading. Absent where readings had no times, and for an imported
    /// model.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_end_time: Option<String>,
    origin: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipe: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_alerts_per_day: Option<f64>,
    /// The reasons why the model's verdicts may not be trusted.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

/// A forest of an ensemble.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    mode: &'static str,
    trees: usize,
    sample_size: u32,
    /// The most columns that one of its splits looks at.
    columns_at_once: usize,
}

impl Member {
    fn of(forest: &Forest) -> Self {
        let planes = forest.trees().iter().flat_map(Tree::planes);
        Self {
            mode: forest.mode().name(),
            trees: forest.trees().len(),
            sample_size: forest.sample_size(),
            columns_at_once: planes.map(|plane| plane.terms.len()).max().unwrap_or(1),
        }
    }
}

/// Why a model cannot be inspected.
#[derive(Debug, Error)]
pub enum InspectError {
    /// The model has no tree of this number.
    #[error("--tree must be less than the number of trees, {trees}, got {got}")]
    NoTree {
        /// The number of trees in the model.
        trees: usize,
        /// The requested tree.
        got: usize,
    },
    /// The file cannot be read, or holds no model.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// The description cannot be printed.
    #[error(transparent)]
    Stdout(#[from] StdoutError),
}

/// Print the description of a model, or one of its trees.
///
/// # Errors
/// The file cannot be read, holds no model, or cannot be printed.
pub fn run(args: &InspectArgs) -> Result<(), InspectError> {
    let model = model_file::model(&args.model)?;
    let text = match args.tree {
        None => description(&model),
        Some(number) => tree(&model, number, args.format)?,
    };
    Ok(stdout::print(text.trim_end())?)
}

fn tree(model: &Model, number: usize, format: TreeFormat) -> Result<String, InspectError> {
    let mut trees = model.ensemble().members().iter().flat_map(Forest::trees);
    let missing = InspectError::NoTree { trees: model.trees(), got: number };
    let tree = trees.nth(number).ok_or(missing)?;
    let names = tree_text::columns(model.sensors(), model.recipe());
    Ok(match format {
        TreeFormat::Text => tree_text::text(tree, &names),
        TreeFormat::Dot => tree_text::dot(tree, &names),
    })
}

fn description(model: &Model) -> String {
    let (ensemble, metadata) = (model.ensemble(), model.metadata());
    let first = &ensemble.members()[0];
    let members: Vec<Member> = ensemble.members().iter().map(Member::of).collect();
    let members = if members.len() > 1 { members } else { Vec::new() };
    let description = Description {
        digest: model.digest(),
        bytes: model.bytes().len(),
        format: FORMAT,
        columns: &metadata.columns,
        pipeline: &metadata.pipeline,
        mode: if members.is_empty() { first.mode().name() } else { "Auto" },
        trees: ensemble.total_trees(),
        sample_size: first.sample_size(),
        members,
        choice: metadata.training.choice.as_deref(),
        threshold: metadata.threshold,
        samples: metadata.training.samples,
        data_end_time: Some(model.data_end_time())
            .filter(|time| *time != Timestamp::UNIX_EPOCH)
            .map(|time| time.to_string()),
        origin: &metadata.training.origin,
        recipe: metadata.recipe.as_deref(),
        expected_alerts_per_day: metadata.training.expected_alerts_per_day,
        warnings: &metadata.training.warnings,
    };
    serde_json::to_string_pretty(&description).expect("numbers and strings are JSON")
}
