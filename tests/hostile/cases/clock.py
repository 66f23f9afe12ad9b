"""Changes of the wall clock while the detector runs, by libfaketime. The monotonic clock does not change."""

import time

from case import Scenario
from cases.pods import PODS
from pod import Pod, check, until

HOUR = 3600


def verdicts(pod):
    return pod.metric("anomaly_verdicts_total")


def is_open(pod, what):
    """Check that the detector makes three more verdicts, and is ready."""
    before = verdicts(pod)
    until(lambda: verdicts(pod) >= before + 3, f"three verdicts {what}", 20)
    check(pod.ready()[0], f"not ready {what}: {pod.ready()[1]}")


def newest(pod):
    return pod.metric("anomaly_sensor_last_reading_timestamp_seconds")


def set_by(*seconds):
    """Set the clock to each of these offsets from the real time, in seconds, one after another."""

    def do(program):
        with Pod(program, **PODS["plain"], clock=0, prober=False) as pod:
            pod.until_serving()
            is_open(pod, "at first")
            for each in seconds:
                pod.set_clock(each)
                is_open(pod, f"after the clock was set to {each:+d} s")
                off = newest(pod) - time.time() - each
                check(abs(off) < 10, f"readings are {off:.0f} s off the clock at {each:+d} s")
            return {"killed": pod.cgroup.kills()}

    return do


def gap_is_counted(program):
    with Pod(program, **PODS["plain"], clock=0, prober=False) as pod:
        pod.until_serving()
        is_open(pod, "at first")
        pod.set_clock(HOUR)
        is_open(pod, "after an hour forward")
        skipped = pod.metric("anomaly_instants_skipped_total")
        check(3400 <= skipped <= 3700, f"expected about 3600 skipped instants, got {skipped:g}")


def end_of_time(program):
    """The last minutes that a timestamp can hold, and what comes after them."""
    last = 253402207200  # 9999-12-30T22:00:00Z
    ahead = last - int(time.time()) - 20
    with Pod(program, **PODS["plain"], clock=ahead, prober=False) as pod:
        pod.until_serving()
        is_open(pod, "in the year 9999")
        time.sleep(25)
        check(pod.is_alive(), f"the detector ended: {pod.last_log()}")
        check("panicked" not in (pod.path / "log").read_text(), "there was a panic")
        check(pod.ask("/predict", b'{"value":0.5}').status == 200, "no predictions after the end of time")


CASES = [
    Scenario(name="an hour back", pod=None, do=set_by(-HOUR), slow=True),
    Scenario(name="an hour back, and right again", pod=None, do=set_by(-HOUR, 0), slow=True),
    Scenario(name="an hour forward, and right again", pod=None, do=set_by(HOUR, 0), slow=True),
    Scenario(name="a day back, two forward", pod=None, do=set_by(-24 * HOUR, 24 * HOUR), slow=True),
    Scenario(name="three seconds back, three forward", pod=None, do=set_by(-3, 3), slow=True),
    Scenario(name="a minute back and forth", pod=None, do=set_by(-60, 60, -60, 0), slow=True),
    Scenario(name="an hour forward is counted", pod=None, do=gap_is_counted, slow=True),
    Scenario(name="the year 9999", pod=None, do=end_of_time, slow=True),
]
