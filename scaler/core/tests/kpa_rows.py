#!/usr/bin/env python3
"""Rows of what Knative's pod autoscaler answers, made from its formulas and from nothing of ours.

    python3 scaler/core/tests/kpa_rows.py > scaler/core/tests/kpa_rows.csv

Every case is one revision: settings, then questions in the order of time, with what the autoscaler
remembers in between. The formulas and their order are those of knative/serving,
pkg/autoscaler/scaling/autoscaler.go (`Scale`) and pkg/reconciler/autoscaling/kpa/scaler.go
(`handleScaleToZero`, `applyBounds`):

    target  = max(0.01, total * utilization)
    R       = max(1, ready); up = ceil(rate_up * R); down = floor(R / rate_down)
    stable  = ceil(average over the stable window / target), panic likewise, each within [down, up]
    activation scale raises what is not zero
    panic begins, or begins anew, if ceil(panic average / target) / R >= threshold, and ends when
    that was last so more than a stable window ago; in panic the largest answer since it began
    counts; an autoscaler that finds more than one instance at its beginning begins in panic
    the scale-down delay takes the largest answer within it
    zero only when the revision was empty for the stable window and then for the longer one of grace
    period and retention
    at least min and, until as many were ready once, the initial scale; at most max
"""

import math
import random
import sys

SETTINGS = [
    "total", "utilization", "up", "down", "threshold", "window", "delay", "grace", "retention",
    "activation", "min", "max", "initial",
]
QUESTION = ["at_ms", "ready", "stable", "panic", "empty_ms"]
ANSWER = ["stable_count", "panic_count", "panicking", "desired"]

DEFAULTS = {
    "total": 100, "utilization": 70, "up": 1000, "down": 2, "threshold": 200, "window": 60,
    "delay": 0, "grace": 30, "retention": 0, "activation": 1, "min": 0, "max": 1000, "initial": 0,
}


class Autoscaler:
    def __init__(self, settings, ready, now):
        self.settings = settings
        self.panic_time = now if ready > 1 else None
        self.max_panic = ready
        self.wanted = []
        self.initialized = False

    def scale(self, now, ready, stable_average, panic_average, empty):
        s = self.settings
        target = max(0.01, s["total"] * (s["utilization"] / 100))
        pods = max(1, ready)
        up = math.ceil(s["up"] * pods)
        down = math.floor(pods / s["down"])
        stable_count = math.ceil(stable_average / target)
        panic_count = math.ceil(panic_average / target)

        def within(count):
            count = min(max(count, down), up)
            if s["activation"] > 1 and 0 < count < s["activation"]:
                count = s["activation"]
            return count

        over = panic_count / pods >= s["threshold"] / 100
        if over:
            self.panic_time = now
        elif self.panic_time is not None and self.panic_time + s["window"] * 1000 < now:
            self.panic_time = None
            self.max_panic = 0
        desired = within(stable_count)
        if self.panic_time is not None:
            desired = max(desired, within(panic_count), self.max_panic)
            self.max_panic = desired
        if s["delay"] > 0:
            # What was wanted counts for less than the delay.
            self.wanted = [(t, n) for t, n in self.wanted if now - t < s["delay"] * 1000]
            self.wanted.append((now, min(desired, s["max"])))
            desired = max(desired, max(n for _, n in self.wanted))
        wait = (s["window"] + max(s["grace"], s["retention"])) * 1000
        if desired == 0 and ready > 0 and empty < wait:
            desired = 1
        self.initialized = self.initialized or ready >= min(s["initial"], s["max"])
        floor = s["min"]
        if not self.initialized:
            floor = max(floor, min(s["initial"], s["max"]))
        desired = min(max(desired, floor), s["max"])
        return stable_count, panic_count, int(self.panic_time is not None), desired


def any_settings(draw):
    settings = dict(DEFAULTS)
    some = lambda name, values: settings.update({name: draw.choice(values)}) if draw.random() < 0.5 else None
    some("total", [1, 1, 2, 10, 100, 0.004])
    some("utilization", [100, 50, 85])
    some("up", [1.1, 2, 10])
    some("down", [1.5, 4])
    some("threshold", [110, 150, 400])
    some("window", [6, 20, 120])
    some("delay", [2, 10, 45])
    some("grace", [0, 5])
    some("retention", [10, 60])
    some("activation", [2, 5])
    some("max", [3, 8, 40])
    settings["min"] = min(draw.choice([0, 0, 0, 1, 3]), settings["max"])
    settings["initial"] = min(draw.choice([0, 0, 1, 4]), settings["max"])
    settings["activation"] = min(settings["activation"], settings["max"])
    return settings


def case(draw, settings):
    now, ready, empty_since = 1_000_000, draw.choice([0, 0, 1, 2, 7]), 1_000_000
    scaler = Autoscaler(settings, ready, now)
    target = max(0.01, settings["total"] * (settings["utilization"] / 100))
    level = draw.choice([0, 0.4, 1, 3, 12]) * target
    for _ in range(draw.randint(4, 14)):
        level = max(0, level * draw.choice([0, 0.5, 1, 1, 1, 1.6, 4]))
        if draw.random() < 0.15:
            level = draw.choice([0, 0.4, 1, 3, 12]) * target
        # Not on a boundary, where the last bit of a product would decide.
        stable = round(level * draw.uniform(0.3, 1.2), 4)
        panic = round(level, 4)
        if stable > 0 or panic > 0:
            empty_since = now
        question = [now, ready, stable, panic, now - empty_since]
        yield question, scaler.scale(*question)
        desired = scaler_answer(scaler, question)
        ready = draw.choice([desired, desired, ready, (ready + desired) // 2])
        now += draw.choice([2_000, 2_000, 2_000, 1_000, 7_000, 30_000, 61_000])


def scaler_answer(scaler, question):
    """What is ready next follows the load, not the answer, so that cases stay independent of it."""
    target = max(0.01, scaler.settings["total"] * (scaler.settings["utilization"] / 100))
    return min(math.ceil(question[2] / target), scaler.settings["max"])


def main():
    draw = random.Random(20)
    print("case," + ",".join(SETTINGS + QUESTION + ANSWER))
    for number in range(120):
        settings = dict(DEFAULTS) if number % 4 == 0 else any_settings(draw)
        for question, answer in case(draw, settings):
            cells = [number] + [settings[name] for name in SETTINGS] + question + list(answer)
            print(",".join(str(cell) for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
