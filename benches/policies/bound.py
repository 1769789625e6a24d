"""What no policy can do that does not know which calls will come.

Calls at random times are a trap for every policy: it may know all rates, and learns of a call when it comes.
Here is a bound from below on the instance-seconds of any such policy, whatever it knows of rates, for which in
expectation at most one call in a hundred waits longer than `wait`, where a start takes `start` > `wait`.

Concurrency 1. A call that comes at `t` is in time only if an instance takes it by `t + wait`, and that was asked
for by `u = t + wait - start`, so it is among the `N(u)` that are alive at `u`. Calls that come between `u` and `t`
and are not over at `t` each keep one of these; how many of them there are, `M`, does not depend on what is
known at `u`. So it is in time only if `M < N(u)`, or if a call ends between `t` and `t + wait`:

    P(in time) <= E[P(M < N)] + P(a call ends in (t, t + wait])       and      P(in time) <= P(N >= 1)

The mean of `N` is the cost. What it buys is the concave hull of `P(M < n)`, plus the second term, which is at most
the rate times `wait`. Buying where it is worth most until 99 of 100 calls are paid for gives the least cost;
functions and times of day with few calls may be given up, as only the calls of all functions together are
counted. Nothing is charged for starts, stops and learning.

That forgets calls which are in service at `u` already. Where calls are few, this tells more (`idle`): the one that
comes must find an instance without a call, or one that gets rid of its call within `wait`; calls at random see what
holds on the average of time; and calls in service have instances too. So with `a` for the share of the time in
which there is an idle one

    P(in time) <= a + rate * wait      and      cost >= a * time + sum of the service times
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

# Of calls that may be late.
LATE = 0.01
# Larger numbers of instances are not told apart.
MOST = 200
# As `lab/src/make.rs` has it.
SWING, BURST_SHARE, BURST_FACTOR, BURST_MEAN_S = 0.8, 0.25, 10.0, 35.0

# So much coverage per instance-second, for so many instance-seconds.
Offer = tuple[float, float]


class Service(Protocol):
    """Service times in seconds."""

    mean: float

    def mean_up_to(self, most: float) -> float:
        """The mean of what is at most `most` of each."""


# Calls per second, for how many seconds, and how long they take.
Load = tuple[float, float, Service]


class Lognormal:
    """Service times, by median in seconds and the standard deviation of the logarithm."""

    def __init__(self, median: float, sigma: float) -> None:
        self.mu, self.sigma = math.log(median), sigma
        self.mean = median * math.exp(sigma * sigma / 2)

    def mean_up_to(self, most: float) -> float:
        score = (math.log(most) - self.mu) / self.sigma
        return self.mean * normal(score - self.sigma) + most * (1 - normal(score))


class Quantiles:
    """Service times by shares in [0, 1] and what they do not exceed, even in between."""

    def __init__(self, quantiles: list[tuple[float, float]]) -> None:
        self.quantiles = quantiles
        self.mean = self.mean_up_to(math.inf)

    def mean_up_to(self, most: float) -> float:
        total = 0.0
        for (from_share, least), (to_share, longest) in zip(self.quantiles, self.quantiles[1:]):
            steps = 20
            for step in range(steps):
                time = least + (longest - least) * (step + 0.5) / steps
                total += (to_share - from_share) / steps * min(time, most)
        return total


def normal(score: float) -> float:
    return (1 + math.erf(score / math.sqrt(2))) / 2


def least(loads: Iterable[Load], start: float, wait: float) -> float:
    """Instance-seconds for Poisson calls: the higher one of both bounds."""
    loads = list(loads)
    return max(poisson(loads, start, wait), idle(loads, wait))


def idle(loads: Iterable[Load], wait: float) -> float:
    """The bound by the time in which an instance idles."""
    offers: list[Offer] = []
    needed = served = 0.0
    for rate, seconds, service in loads:
        calls = rate * seconds
        needed += (1 - LATE - rate * wait) * calls
        served += service.mean * calls
        offers.append((rate, seconds))
    return served + buy(offers, needed)


def poisson(loads: Iterable[Load], start: float, wait: float) -> float:
    """The bound by the calls that come while an instance starts."""
    offers: list[Offer] = []
    calls = 0.0
    for rate, seconds, service in loads:
        busy = service.mean_up_to(start - wait)
        calls += rate * seconds
        line = coverage(rate * busy, rate * wait)
        for (x0, y0), (x1, y1) in zip(line, line[1:]):
            offers.append((rate * (y1 - y0) / (x1 - x0), (x1 - x0) * seconds))
    return buy(offers, (1 - LATE) * calls)


def coverage(mean: float, credit: float) -> list[tuple[float, float]]:
    """The most calls in time by the mean number of instances, as corners of a concave line: `M` is Poisson."""
    chance = math.exp(-mean)
    points, covered = [(0.0, 0.0)], 0.0
    for count in range(1, MOST):
        covered = min(covered + chance, 1.0)
        chance *= mean / count
        points.append((float(count), covered))
        while len(points) > 2 and slope(points[-3], points[-2]) <= slope(points[-2], points[-1]):
            del points[-2]
        if covered >= 1 - 1e-9:
            break
    # At most as many as have an instance at all, and at most all.
    line = [(0.0, 0.0)]
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        y0, y1 = y0 + credit, y1 + credit
        steep = (y1 - y0) / (x1 - x0)
        if line[-1] == (0.0, 0.0) and steep < 1:
            cross = (y0 - steep * x0) / (1 - steep)
            if 0 < cross and x0 <= cross <= x1:
                line.append((min(cross, 1.0), min(cross, 1.0)))
        if y1 >= 1:
            if line[-1][1] < 1:
                line.append((max(x0 + (1 - y0) / steep, 1.0), 1.0))
            break
        if x1 > line[-1][0] and y1 > line[-1][1]:
            line.append((x1, y1))
    return line


def slope(one: tuple[float, float], other: tuple[float, float]) -> float:
    return (other[1] - one[1]) / (other[0] - one[0])


def minutes(counts: Iterable[tuple[int, Service]], start: float, wait: float) -> float:
    """Instance-seconds where the number of calls in each minute is known ahead, and their times are at random.

    As above, with `r` calls left of the minute at `u`: each comes in the next second with a chance of `1 / (60 -
    u)`, and each of the others is in service then with a chance of `busy` times that.
    """
    steps = 240
    width = 60.0 / steps
    offers: list[Offer] = []
    needed = 0.0
    alike: dict[tuple[int, Service], int] = {}
    for minute in counts:
        alike[minute] = alike.get(minute, 0) + 1
    for (count, service), times in alike.items():
        busy = service.mean_up_to(start - wait)
        needed += times * count * (1 - LATE) - times * count * (count - 1) * wait / 60
        for step in range(steps if count else 0):
            passed = (step + 0.5) / steps
            left_s = 60.0 * (1 - passed)
            other = min(busy / left_s, 1.0)
            for left in range(1, count + 1):
                gone = count - left
                chance = math.comb(count, gone) * passed**gone * (1 - passed) ** left
                for held in range(left):
                    among = math.comb(left - 1, held) * other**held * (1 - other) ** (left - 1 - held)
                    offers.append((left / left_s * among, chance * width * times))
    return buy(offers, needed)


def buy(offers: list[Offer], needed: float) -> float:
    """The least cost of so many calls."""
    cost = 0.0
    for worth, seconds in sorted(offers, reverse=True):
        if needed <= 0 or worth <= 0:
            break
        part = min(1.0, needed / (worth * seconds))
        cost += part * seconds
        needed -= part * worth * seconds
    return cost


def calls_per_minute(sample: Path) -> list[tuple[int, Service]]:
    """Of all functions and minutes of a day of the Azure Functions trace of 2019, with their durations."""
    prefix = "percentile_Average_"
    services: dict[str, Service] = {}
    with (sample / "durations.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            shares = ((name, millis) for name, millis in row.items() if name.startswith(prefix))
            quantiles = [(float(name[len(prefix) :]) / 100, float(millis) / 1000) for name, millis in shares]
            services[row["HashFunction"]] = Quantiles(sorted(quantiles))
    found = []
    with (sample / "invocations.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            service = services[row["HashFunction"]]
            found += [(int(count), service) for name, count in row.items() if name.isdigit() and int(count) > 0]
    return found


def of_minutes(counts: Iterable[tuple[int, Service]]) -> list[Load]:
    """Calls at the rate of their minute, as if nobody knew that there are no more than that."""
    return [(count / 60, 60.0, service) for count, service in counts]


def zipf(functions: int, rate: float) -> list[float]:
    """The rates of the functions that `stoker simulate --make` makes up."""
    weights = [1 / (index + 1) for index in range(functions)]
    return [rate * weight / sum(weights) for weight in weights]


def steady(functions: int, rate: float, seconds: float, service: Service) -> list[Load]:
    return [(each, seconds, service) for each in zipf(functions, rate)]


def diurnal(functions: int, rate: float, seconds: float, service: Service) -> list[Load]:
    """By quarters of an hour from midnight on, with and without a burst."""
    found = []
    width, burst = 900.0, BURST_SHARE * BURST_MEAN_S / 3600
    for each in zipf(functions, rate):
        for quarter in range(int(seconds / width)):
            now = (quarter + 0.5) * width
            by_day = each * (1 - SWING * math.cos(math.tau * now / 86_400))
            found.append((by_day, width * (1 - burst), service))
            found.append((by_day * BURST_FACTOR, width * burst, service))
    return found
