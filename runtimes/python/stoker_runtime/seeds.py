"""Random generators: what forked processes must not share.

Python itself seeds the functions of `random` anew after a fork, and `os.urandom`, `secrets` and
`uuid4` ask the kernel. The rest is done here.
"""

import contextlib
import os
import random
import sys
import weakref

# Of a seed that numpy took from the system: 128 bits. What a program chooses is shorter.
CHOSEN_BITS = 64

# Generators made while the handler was imported, without a seed of the program's own choice.
_unseeded = weakref.WeakSet()
# The same once all is imported: a list, as a forked process copies what it goes through.
_generators = []
# The same of numpy, as far as they are kept in modules.
_numpy_generators = []


@contextlib.contextmanager
def watching():
    """Notes generators that are made meanwhile."""
    original = random.Random.seed

    def seed(self, a=None, version=2):
        original(self, a, version)
        if a is None:
            _unseeded.add(self)
        else:
            # Chosen by the program: without forking too, all instances would go the same way.
            _unseeded.discard(self)

    random.Random.seed = seed
    try:
        yield
    finally:
        random.Random.seed = original
        _generators.extend(weakref.ref(generator) for generator in _unseeded)


def note_numpy():
    """Notes numpy's generators that modules keep."""
    kind = getattr(sys.modules.get("numpy.random"), "Generator", None)
    if kind is None:
        return
    for module in list(sys.modules.values()):
        for value in list(getattr(module, "__dict__", {}).values()):
            # Not `isinstance`, which asks proxies what they stand for.
            if type(value) is kind:
                source = value.bit_generator
                entropy = getattr(getattr(source, "seed_seq", None), "entropy", None)
                if isinstance(entropy, int) and entropy.bit_length() > CHOSEN_BITS:
                    _numpy_generators.append(source)


def reseed():
    """Gives this process random numbers of its own."""
    for reference in _generators:
        generator = reference()
        if generator is not None:
            generator.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    for source in _numpy_generators:
        source.state = type(source)().state
    ssl = sys.modules.get("ssl")
    if ssl is not None:
        ssl.RAND_add(os.urandom(32), 32.0)
    uuid = sys.modules.get("uuid")
    if uuid is not None:
        # Of `uuid1`, which counts on from it.
        uuid._last_timestamp = None
