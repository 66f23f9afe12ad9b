"""`POST /predict {"value":0.95}` in, `{"anomaly":0}` out, by scikit-learn's forest of the same size under Flask and under FastAPI."""

import numpy
from sklearn.ensemble import IsolationForest

FOREST = IsolationForest(n_estimators=100, max_samples=256, contamination=0.02, random_state=0)
FOREST.fit(numpy.random.default_rng(0).uniform(0, 1, (1000, 1)))


def anomaly(value):
    return int(FOREST.predict([[float(value)]])[0] == -1)


def flask():
    from flask import Flask, jsonify, request

    app = Flask("flask")
    app.post("/predict")(lambda: jsonify(anomaly=anomaly(request.get_json()["value"])))
    return app


def fastapi():
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Question(BaseModel):
        value: float

    app = FastAPI()

    @app.post("/predict")
    def predict(question: Question):
        return {"anomaly": anomaly(question.value)}

    return app
