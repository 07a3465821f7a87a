"""Times causal softmax attention in PyTorch, forward and backward: the yardstick of scripts/bench-attention-peers.

Scores, mask, softmax and weighted sum as separate operations, which is what PyTorch 1.13 has. Prints one JSON object:
seconds (median), peak resident memory.
"""

import argparse
import json
import math
import resource
import statistics
import time

import torch
import torch.nn.functional as F


def main():
    parser = argparse.ArgumentParser()
    for name in ("time", "heads", "head-dim", "threads", "repeats"):
        parser.add_argument(f"--{name}", type=int, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    shape = (1, arguments.heads, arguments.time, arguments.head_dim)
    q, k, v = (torch.randn(shape, requires_grad=True) for _ in range(3))
    upstream = torch.randn(shape)
    mask = torch.triu(torch.ones(arguments.time, arguments.time, dtype=torch.bool), 1)
    seconds = []
    for _ in range(1 + arguments.repeats):
        q.grad = k.grad = v.grad = None
        start = time.perf_counter()
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(arguments.head_dim)
        mixed = F.softmax(scores.masked_fill(mask, float("-inf")), dim=-1) @ v
        mixed.backward(upstream)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({
        "seconds": statistics.median(seconds[1:]),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "median_of": arguments.repeats,
        "version": torch.__version__,
    }))


main()
