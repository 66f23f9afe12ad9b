"""Answers that schemathesis gets in; a line `METHOD PATH STATUS` for each different one, in the file
$STATUSES, out."""

import os

import schemathesis

SEEN = set()


@schemathesis.hook
def after_call(context, case, response):
    if response.request.method != case.operation.method.upper():
        return  # a method that the route does not have
    seen = (case.operation.method.upper(), case.operation.path, response.status_code)
    if seen not in SEEN:
        SEEN.add(seen)
        with open(os.environ["STATUSES"], "a") as file:
            print(*seen, file=file)
