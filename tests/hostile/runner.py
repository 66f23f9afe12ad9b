#!/usr/bin/env python3
"""The tables in `cases/` in; each case run, measured and judged; the figures out:
`runner.py PROGRAM [fast] [NAME...]`.

Peak resident memory must stay within the case's limit. CPU seconds and other clients' p99 must stay within
twice their limits, because a machine that runs tests has other load. Exit code 1 if any case fails.
"""

import importlib
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from case import Command  # noqa: E402
from loopback import TooLate  # noqa: E402, where pod says it is
from pod import Failed, Pod, ReadinessLie  # noqa: E402

ENOUGH = 100  # latencies for a case to have a p99 of its own; other cases are judged together, by theme


class Figures:
    """The figures of the last line."""

    def __init__(self):
        self.cases = self.killed = self.lost_requests = self.readiness_lies = 0
        self.worst_rss_mib = self.worst_cpu_s = self.others_p99_ms = 0.0

    def line(self):
        return (
            f"figures: cases={self.cases} killed={self.killed} worst_rss_mib={self.worst_rss_mib:.1f} "
            f"worst_cpu_s={self.worst_cpu_s:.2f} others_p99_ms={self.others_p99_ms:.1f} "
            f"lost_requests={self.lost_requests} readiness_lies={self.readiness_lies}"
        )


def p99(latencies):
    return sorted(latencies)[min(len(latencies) - 1, int(len(latencies) * 0.99))]


class Runner:
    def __init__(self, program):
        from cases.pods import PODS

        self.program, self.specs, self.pods = program, PODS, {}
        self.figures, self.failures, self.pooled = Figures(), [], []

    def pod(self, name):
        """The pod of this name: started at its first use, and again if it has ended."""
        pod = self.pods.get(name)
        if pod and not pod.is_alive():
            pod.close()
            pod = None
        if not pod:
            pod = self.pods[name] = Pod(self.program, **self.specs[name]).until_serving()
        return pod

    def run(self, case):
        """Run a case, and print its line."""
        began, problem = time.monotonic(), ""
        self.figures.cases += 1
        usage, kills = None, 0
        try:
            if isinstance(case, Command):
                usage, kills, problem = case.run_command(self.program)
            elif case.pod is None:
                usage = self.account(case.run(self.program))
            else:
                usage, kills = self.on_pod(case)
        except (Failed, TooLate) as failed:
            problem = str(failed)
            self.figures.readiness_lies += isinstance(failed, ReadinessLie)
        except Exception:  # noqa: BLE001, a case that breaks has failed
            problem = traceback.format_exc(limit=3)
        self.figures.killed += kills
        problems = [problem] if problem else []
        if kills:
            problems.append("killed for its memory")
        if usage:
            problems += self.judge(case, usage)
        took = time.monotonic() - began
        cost = f"{usage.rss_mib:5.1f} MiB {usage.cpu_s:5.2f} s cpu" if usage else " " * 21
        print(f"{'FAIL' if problems else 'ok  '} {took:6.1f} s {cost}  {case.name}", flush=True)
        for each in problems:
            print(f"       {each}", flush=True)
        if problems:
            self.failures.append(case.name)

    def on_pod(self, case):
        pod = self.pod(case.pod)
        before = pod.cgroup.kills()
        pod.begin()
        try:
            self.account(case.run(pod))
            error = None
        except Exception as raised:  # noqa: BLE001, raised again below
            error = raised
        alive = pod.is_alive()
        usage, kills = pod.usage(), pod.cgroup.kills() - before
        if not alive and not kills:
            raise Failed(f"the detector ended with {pod.process.returncode}: {pod.last_log()}") from error
        if kills:
            self.figures.killed += kills
            raise Failed(f"killed for its memory: {error or ''}")
        if error:
            self.judge(case, usage)
            raise error
        return usage, kills

    def account(self, result):
        """Add the counts that a scenario may return to the figures; return the usage of its own pod, if there
        is one."""
        if isinstance(result, dict):
            self.figures.lost_requests += result.get("lost_requests", 0)
            self.figures.killed += result.get("killed", 0)
            return result.get("usage")
        return None

    def judge(self, case, usage):
        figures, problems = self.figures, []
        figures.worst_rss_mib = max(figures.worst_rss_mib, usage.rss_mib)
        figures.worst_cpu_s = max(figures.worst_cpu_s, usage.cpu_s)
        if usage.rss_mib > case.rss_mib:
            problems.append(f"expected at most {case.rss_mib:g} MiB resident, got {usage.rss_mib:.1f}")
        if usage.cpu_s > 2 * case.cpu_s:
            problems.append(f"expected at most {case.cpu_s:g} s of CPU, got {usage.cpu_s:.2f}")
        if len(usage.latencies) >= ENOUGH:
            problems += self.judge_latencies(usage.latencies, case.latency_ms)
        else:
            self.pooled += usage.latencies
        if usage.failed:
            problems.append(f"{len(usage.failed)} requests of other clients failed: {usage.failed[0]}")
        return problems

    def judge_latencies(self, latencies, limit):
        worst = p99(latencies)
        self.figures.others_p99_ms = max(self.figures.others_p99_ms, worst)
        return [f"expected other clients' p99 of {limit:g} ms, got {worst:.0f}"] if worst > 2 * limit else []

    def end_theme(self, theme):
        """Judge the p99 of a theme's short cases together, each of which has too few latencies."""
        if self.pooled and (problems := self.judge_latencies(self.pooled, 250.0)):
            print(f"FAIL {theme}: {problems[0]}", flush=True)
            self.failures.append(theme)
        self.pooled = []

    def close(self):
        for pod in self.pods.values():
            pod.close()


def tables():
    """The themes in order, each with its cases."""
    for file in sorted((HERE / "cases").glob("*.py")):
        if file.stem not in ("pods", "__init__"):
            yield file.stem, importlib.import_module(f"cases.{file.stem}").CASES


def main(program, *words):
    fast, names = "fast" in words, [word for word in words if word != "fast"]
    began, runner = time.monotonic(), Runner(str(Path(program).resolve()))
    try:
        for theme, cases in tables():
            chosen = [case for case in cases if not (fast and case.slow)]
            chosen = [case for case in chosen if not names or any(name in case.name or name == theme for name in names)]
            if chosen:
                print(f"-- {theme}", flush=True)
            for case in chosen:
                runner.run(case)
            runner.end_theme(theme)
    finally:
        runner.close()
    print(f"{len(runner.failures)} of {runner.figures.cases} failed in {time.monotonic() - began:.0f} s")
    print(runner.figures.line())
    return 1 if runner.failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
