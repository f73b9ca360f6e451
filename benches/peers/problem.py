"""What both peers share: the numbers, the models' arrays, the tasks, the arguments, the clock and the answer.

The numbers come from a hash of seed and index, so that another language can compute the same ones. Images are NHWC,
convolution weights HWIO. A script calls `arguments` before it imports its framework, which looks at the cores and at
the environment when it starts, and `answer` at the end, which prints one line of JSON:

  engine, version, median_s, min_s, max_s, samples, first_call_s, compile_s, rss_mib, loss, norm

The first call is timed apart, the next ones warm up, then samples are taken for `--seconds`, 3 to 51 of them. Calls
that are quick are repeated within a sample until it lasts 5 ms. compile_s is the first call less the median, rss_mib
the peak of the whole process. The norm is that of the gradient, of the meta-gradient or of the Hessian-vector product;
of loss and meta-gradient the mean over the tasks is taken."""
import argparse
import json
import math
import os
import resource
import statistics
import sys
import time

import numpy as np

SAMPLE_SECONDS = 0.005
FEWEST, MOST = 3, 51
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 34), "MALLOC_ARENA_MAX": "1"}


def uniform(seed, *shape):
    """Numbers from [-1/2, 1/2)."""
    z = np.arange(math.prod(shape), dtype=np.uint32) * np.uint32(0x9E3779B9)
    z += np.uint32(seed * 0x85EBCA6B % 2**32)
    z ^= z >> 16
    z *= np.uint32(0x7FEB352D)
    z ^= z >> 15
    z *= np.uint32(0x846CA68B)
    z ^= z >> 16
    return ((z >> 8).astype(np.float32) / np.float32(2**24) - np.float32(0.5)).reshape(shape)


def spread(seed, variance, *shape):
    """Numbers with this variance. Their factor is rounded to float32 once."""
    return uniform(seed, *shape) * np.float32(math.sqrt(12 * variance))


def parameters(case):
    """The model's arrays; array k takes seed k + 1."""
    if case.model == "linear":
        return [spread(1, 1, case.dim)]
    if case.model == "two_layer":
        return [spread(1, 1 / case.dim, case.dim, case.neurons)]
    arrays, c_in = [], case.channels
    for seed in range(1, 13, 3):
        arrays.append(spread(seed, 2 / (9 * c_in), 3, 3, c_in, case.filters))
        arrays.append(1 + np.float32(0.2) * uniform(seed + 1, case.filters))
        arrays.append(np.float32(0.2) * uniform(seed + 2, case.filters))
        c_in = case.filters
    features = (case.side >> 4) ** 2 * case.filters
    arrays.append(spread(13, 1 / features, features, case.ways))
    arrays.append(np.float32(0.02) * uniform(14, case.ways))
    return arrays


def direction(case):
    """What the Hessian is multiplied by, in the order and the shapes of `parameters`."""
    return [uniform(501 + k, *array.shape) for k, array in enumerate(parameters(case))]


def tasks(case):
    """Of each task (support inputs, support targets, query inputs, query targets)."""
    support, query = case.ways * case.shots, case.ways * case.query
    if case.model != "conv4":
        support = query = case.examples
    seeds = range(1000, 1000 + 4 * case.tasks, 4)
    return [(*examples(case, seed, support), *examples(case, seed + 2, query)) for seed in seeds]


def examples(case, seed, count):
    if case.model != "conv4":
        return spread(seed, 1, count, case.dim), spread(seed + 1, 1, count)
    images = uniform(seed, count, case.side, case.side, case.channels) + np.float32(0.5)
    return images, np.arange(count, dtype=np.int32) // (count // case.ways)


def arguments(about, engines):
    """Reads the arguments and pins this process to as many cores as it may have threads."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=engines, required=True)
    parser.add_argument("--job", choices=["maml", "fomaml", "gradient", "hvp"], default="maml")
    parser.add_argument("--model", choices=["conv4", "two_layer", "linear"], default="conv4")
    counts = dict(side=28, channels=1, filters=64, ways=5, shots=1, query=15, tasks=16, inner=1)
    for name, count in dict(counts, dim=10, neurons=5, examples=500, threads=1).items():
        parser.add_argument(f"--{name}", type=positive, default=count)
    parser.add_argument("--alpha", type=float, default=0.05, help="step of the inner SGD")
    parser.add_argument("--seconds", type=float, default=5, help="how long to measure after warming up")
    parser.add_argument("--keep-memory", action="store_true", help="let glibc keep freed memory")
    case = parser.parse_args()
    if case.model == "conv4" and case.side < 16:
        parser.error(f"--side {case.side} leaves nothing after four poolings; give at least 16")
    # Otherwise glibc returns freed tensors to the kernel, and the next ones fault their pages in again.
    if case.keep_memory and any(os.environ.get(name) != value for name, value in KEEP_MEMORY.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **KEEP_MEMORY})
    cores = sorted(os.sched_getaffinity(0))
    if case.threads > len(cores):
        parser.error(f"--threads {case.threads} is more than this process has cores; give at most {len(cores)}")
    os.sched_setaffinity(0, cores[: case.threads])
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(case.threads)
    return case


def positive(text):
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; give a whole number from 1 on")
    return int(text)


def answer(case, version, call):
    """Measures `call`, which returns a loss and a list of arrays once they are computed, and prints the answer."""
    first, (loss, arrays) = clock(call, 1)
    norm = math.sqrt(sum(np.square(np.asarray(array), dtype=np.float64).sum() for array in arrays))
    samples = measure(call, case.seconds)
    median = statistics.median(samples)
    print(json.dumps(dict(
        engine=case.engine, version=version, median_s=median, min_s=min(samples), max_s=max(samples),
        samples=len(samples), first_call_s=first, compile_s=max(0.0, first - median),
        rss_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, loss=float(loss), norm=norm)))


def measure(call, seconds):
    repeats = 1
    while clock(call, repeats)[0] < SAMPLE_SECONDS:
        repeats *= 2
    samples, end = [], time.perf_counter() + seconds
    while len(samples) < FEWEST or len(samples) < MOST and time.perf_counter() < end:
        samples.append(clock(call, repeats)[0] / repeats)
    return samples


def clock(call, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        result = call()
    return time.perf_counter() - start, result
