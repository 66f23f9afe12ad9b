"""scikit-learn's own estimator checks, and tests of everything beyond its interface."""

import io
import json
import os
import pathlib
import pickle
import socket
import subprocess
import time
import urllib.request

import numpy
import pytest
from sklearn.base import clone
from sklearn.ensemble import IsolationForest as Reference
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from anomaly_operator import IsolationForest


needs_the_program = pytest.mark.skipif(not os.environ.get("DETECTOR"), reason="DETECTOR names the program")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@parametrize_with_checks([IsolationForest(n_estimators=20)])
def test_estimator_check(estimator, check):
    check(estimator)


def rows(count=2000, seed=0):
    cells = numpy.random.RandomState(seed).standard_normal((count, 3))
    cells[: count // 50] += 5
    return cells


def test_it_ranks_rows_as_scikit_learn_does():
    cells, truth = rows(), numpy.arange(2000) < 40
    ours = IsolationForest(random_state=1).fit(cells).score_samples(cells)
    theirs = Reference(random_state=1).fit(cells).score_samples(cells)
    assert roc_auc_score(truth, -ours) > 0.99
    assert numpy.corrcoef(ours, theirs)[0, 1] > 0.95


def test_contamination_is_the_share_that_is_called_anomalous():
    cells = rows()
    forest = IsolationForest(contamination=0.02, random_state=0).fit(cells)
    assert forest.offset_ == pytest.approx(numpy.percentile(forest.score_samples(cells), 2), abs=1e-15)
    assert (forest.predict(cells) == -1).sum() == 40


def test_threads_change_nothing():
    cells = rows()
    scores = [IsolationForest(n_jobs=n, random_state=3).fit(cells).score_samples(cells) for n in (1, 2, -1)]
    assert (scores[0] == scores[1]).all() and (scores[0] == scores[2]).all()


@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64])
def test_arrays_of_either_precision_and_order_score_the_same(dtype):
    cells = rows().astype(dtype)
    forest = IsolationForest(random_state=0).fit(cells)
    assert (forest.score_samples(numpy.asfortranarray(cells)) == forest.score_samples(cells)).all()
    assert (forest.score_samples(cells[::2]) == forest.score_samples(cells)[::2]).all()


def test_the_column_that_is_far_off_has_the_largest_share():
    forest = IsolationForest(random_state=0).fit(rows())
    shares = forest.explain([[0, 9, 0], [0, 0, -9]])
    assert shares.argmax(axis=1).tolist() == [1, 2]
    assert shares.sum(axis=1) == pytest.approx(1)


def test_trees_see_as_many_columns_as_max_features_says():
    cells = rows()
    for max_features, seen in ((2, 2), (0.4, 1), (1.0, 3)):
        trees = IsolationForest(max_features=max_features, random_state=0).fit(cells).to_sklearn().estimators_
        columns = [set(tree.tree_.feature[tree.tree_.feature >= 0]) for tree in trees]
        assert max(map(len, columns)) == seen
        assert set.union(*columns) == {0, 1, 2}
    with pytest.raises(ValueError, match="max_features must be at most the number of columns, 3, got 4"):
        IsolationForest(max_features=4).fit(cells)


def test_a_weight_counts_rows():
    cells = rows(300)
    weights = numpy.random.RandomState(0).randint(0, 3, 300)
    weighted = IsolationForest(random_state=0).fit(cells, sample_weight=weights)
    repeated = IsolationForest(random_state=0).fit(cells.repeat(weights, axis=0))
    assert (weighted.score_samples(cells) == repeated.score_samples(cells)).all()
    with pytest.raises(ValueError, match="sample_weight must be whole numbers.*got 0.5"):
        IsolationForest().fit(cells, sample_weight=numpy.full(300, 0.5))
    with pytest.raises(ValueError, match="got 0 for all|at least one non-zero"):
        IsolationForest().fit(cells, sample_weight=numpy.zeros(300))


@pytest.mark.parametrize("name", ["bootstrap", "warm_start"])
def test_what_the_forest_has_not_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be False, got True"):
        IsolationForest(**{name: True}).fit(rows())


def test_missing_cells_are_scored():
    cells = rows()
    cells[::5, 1] = numpy.nan
    scores = IsolationForest(random_state=0).fit(cells).score_samples(cells)
    assert numpy.isfinite(scores).all()


def test_a_forest_goes_to_scikit_learn_and_back():
    cells = rows()
    ours = IsolationForest(contamination=0.1, random_state=0).fit(cells)
    theirs = ours.to_sklearn()
    assert theirs.score_samples(cells) == pytest.approx(ours.score_samples(cells), abs=1e-12)
    assert (theirs.predict(cells) == ours.predict(cells)).mean() > 0.999  # a row on the threshold may go either way
    back = IsolationForest.from_sklearn(pickle.loads(pickle.dumps(theirs)))
    assert back.score_samples(cells) == pytest.approx(ours.score_samples(cells), abs=1e-12)


def test_a_pipeline_of_scikit_learn_predicts_the_same():
    cells = rows()
    cells[::7, 0] = numpy.nan
    theirs = make_pipeline(SimpleImputer(), StandardScaler(), Reference(contamination=0.05, random_state=0)).fit(cells)
    ours = IsolationForest.from_sklearn(theirs)
    assert (ours.predict(cells) == theirs.predict(cells)).all()
    assert ours.score_samples(cells) == pytest.approx(theirs.score_samples(cells), abs=1e-12)
    assert ours.explain(cells[:5]).shape == (5, 3)
    with pytest.raises(ValueError, match="steps before its forest"):
        ours.to_sklearn()


def test_a_forest_that_has_learned_from_missing_cells_is_warned_of():
    cells = rows()
    holed = cells.copy()
    holed[::3, 0] = numpy.nan
    theirs = Reference(random_state=0).fit(holed)
    with pytest.warns(UserWarning, match="trained with missing values"):
        ours = IsolationForest.from_sklearn(theirs)
    assert ours.score_samples(cells) == pytest.approx(theirs.score_samples(cells), abs=1e-12)
    assert numpy.corrcoef(ours.score_samples(holed), theirs.score_samples(holed))[0, 1] > 0.8


def test_what_cannot_be_imported_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="must hold an IsolationForest"):
        IsolationForest.from_sklearn({"model": 1})
    (tmp_path / "text").write_text("no model")
    with pytest.raises(ValueError, match="a model"):
        IsolationForest.load(tmp_path / "text")


def test_a_saved_model_opens_again_with_its_names(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows(), columns=["heat", "load", "flow"])
    forest = IsolationForest(contamination=0.1, random_state=0).fit(frame)
    forest.save(tmp_path / "model")
    again = IsolationForest.load(tmp_path / "model")
    assert again.feature_names_in_.tolist() == ["heat", "load", "flow"]
    assert (again.predict(frame) == forest.predict(frame)).all()


def test_the_worked_example_of_the_documentation_runs(tmp_path, monkeypatch):
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    page = (pathlib.Path(__file__).parents[2] / "docs/examples/from-a-notebook.md").read_text()
    blocks = [block.split("```")[0] for block in page.split("```python\n")[1:]]
    assert len(blocks) == 4
    names = {}
    for block in blocks:
        exec(block, names)
    assert (tmp_path / "pump.model").stat().st_size > 1000


def test_copies_and_clones_are_what_they_are():
    forest = IsolationForest(n_estimators=7, random_state=0).fit(rows())
    assert clone(forest).get_params() == forest.get_params()
    assert (pickle.loads(pickle.dumps(forest)).score_samples(rows()) == forest.score_samples(rows())).all()


def until(condition):
    """Call `condition` until it raises no OSError, for at most 60 s, and return its result."""
    end = time.monotonic() + 60
    while True:
        try:
            return condition()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


@needs_the_program
def test_the_program_serves_a_saved_model(tmp_path):
    cells = rows(300)
    forest = IsolationForest(contamination=0.1, random_state=0).fit(cells)
    forest.save(tmp_path / "model")
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    command = [os.environ["DETECTOR"], "serve", "model", "--predict-address", addresses[0], "--metrics-address", addresses[1]]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        try:
            until(lambda: urllib.request.urlopen(f"http://{addresses[1]}/readyz"))
            question = json.dumps({"instances": cells.tolist()}).encode()
            with urllib.request.urlopen(f"http://{addresses[0]}/predict", question) as answer:
                predictions = json.load(answer)["predictions"]
            assert [row["anomaly"] for row in predictions] == (forest.predict(cells) == -1).astype(int).tolist()
            with urllib.request.urlopen(f"http://{addresses[1]}/model") as answer:
                served = IsolationForest.load(io.BytesIO(answer.read()))
            assert (served.score_samples(cells) == forest.score_samples(cells)).all()
        finally:
            program.terminate()


@needs_the_program
def test_the_program_scores_a_saved_model_the_same(tmp_path):
    cells = rows(300)
    pipeline = make_pipeline(StandardScaler(), Reference(contamination=0.05, random_state=0)).fit(cells)
    for name, forest in {
        "own": IsolationForest(contamination=0.1, random_state=0).fit(cells),
        "pipeline": IsolationForest.from_sklearn(pipeline),
    }.items():
        forest.save(tmp_path / name)
        table = "x0,x1,x2\n" + "".join(",".join(map(repr, row)) + "\n" for row in cells.tolist())
        (tmp_path / "rows.csv").write_text(table)
        command = [os.environ["DETECTOR"], "score", "--model", name, "--input", "rows.csv", "--output", "scores.csv"]
        subprocess.run(command, cwd=tmp_path, check=True)
        lines = [line.split(",") for line in (tmp_path / "scores.csv").read_text().splitlines()]
        score, anomaly = lines[0].index("score"), lines[0].index("anomaly")
        assert [float(line[score]) for line in lines[1:]] == pytest.approx(-forest.score_samples(cells), abs=1e-12)
        assert [int(line[anomaly]) for line in lines[1:]] == (forest.predict(cells) == -1).astype(int).tolist()


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), RobustScaler(), MaxAbsScaler()])
def test_a_scaler_of_a_column_without_variance_predicts_the_same(scaler):
    cells = rows()
    cells[:, 1], cells[:, 2] = 3.5, 0
    theirs = make_pipeline(scaler, Reference(contamination=0.05, random_state=0)).fit(cells)
    ours = IsolationForest.from_sklearn(theirs)
    asked = numpy.concatenate([cells, cells + [0, 1e-3, -1e-3]])
    assert (ours.predict(asked) == theirs.predict(asked)).all()
    assert ours.score_samples(asked) == pytest.approx(theirs.score_samples(asked), abs=1e-12)
