"""Scores of a series' rows and a threshold in, the rows that raise an alarm out, by each rule. The same rules for every engine."""
import numpy as np

COOL_DOWN = 10  # readings
STEP = 0.05  # of severity
HALF_LIFE = 500  # readings


def each_row(scores, cut, highest):
    """Every row over the threshold raises an alarm."""
    return np.asarray(scores) > cut


def habituated(scores, cut, highest, cool_down=COOL_DOWN, step=STEP, half_life=HALF_LIFE):
    """The rule of `alarm` with `coolDown` and `habituation`. The severity is 1 at the threshold `cut` and 2
    at `highest`, the highest possible score. Consecutive rows over the threshold raise one alarm: at the
    first row, outside of the cool-down, by which their highest severity is over 1 plus the bar."""
    scores = np.asarray(scores, float)
    alarms = np.zeros(len(scores), bool)
    bar, raised, until, last = 0.0, 0, -cool_down, -2
    worst, alarmed = 0.0, False
    for row in np.flatnonzero(scores > cut):
        if row != last + 1:
            worst, alarmed = 0.0, False
        last = row
        worst = max(worst, (scores[row] - cut) / (highest - cut))
        if not alarmed:
            height = bar * 2 ** ((raised - row) / half_life)
            if worst <= height or row - until < cool_down:
                continue
            alarms[row] = alarmed = True
            bar, raised = height + step, row
        until = row
    return alarms
