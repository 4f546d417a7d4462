# SPDX-License-Identifier: BSD-2-Clause
"""What a test is: a function with a name that is a sentence, and how it says no."""


class Failure(Exception):
    """The thing under test did not do what it must."""


class Skip(Exception):
    """The test cannot be run here; the text says why."""


class Case:
    def __init__(self, name, what, function, alone, timeout, default):
        self.name = name
        self.what = what  # one line for people
        self.function = function
        self.alone = alone  # so much traffic that nothing else should run beside it
        self.timeout = timeout
        self.default = default  # without, it runs only if it is asked for by name


CASES = []


def add(name, what, function, alone=False, timeout=60, default=True):
    CASES.append(Case(name, what, function, alone, timeout, default))


def case(what, alone=False, timeout=60):
    """Registers a function as the test of its own name."""

    def register(function):
        add(function.__name__, what, function, alone, timeout)
        return function

    return register


def check(condition, text):
    if not condition:
        raise Failure(text)


def equal(got, wanted, what):
    if got != wanted:
        raise Failure(f"{what}: got {got!r}, wanted {wanted!r}")
