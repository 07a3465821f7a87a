#!/usr/bin/python3
"""Writes torch_parity_gpt2.bin and torch_parity_modern.bin beside this file: logits, loss, gradients and ten AdamW
steps of two small decoders, computed by PyTorch in float64 and stored as float32.

    apt-get install python3-torch && tests/golden/make_torch_parity.py

A file is a sequence of records: name length (uint32), name, number of values (uint32), values (float32), little-endian.
Weights and tokens follow from formulas that tests/engine/models/torch_parity_test.cpp repeats.
"""
import math
import pathlib
import struct

import torch
import torch.nn.functional as F

SEQUENCES, TIME, VOCAB, WIDTH, HEADS, LAYERS = 3, 12, 37, 16, 4, 2
HEAD_DIM = WIDTH // HEADS
# Key biases have no gradient but rounding: this epsilon keeps AdamW from blowing it up.
LR, BETAS, EPSILON, WEIGHT_DECAY, CLIP, STEPS = 1e-3, (0.9, 0.95), 1e-4, 0.1, 1.0, 10
NORM_EPSILON = 1e-5


def mixed(i):
    """An integer hash, so that both programs draw the same numbers."""
    x = (i * 2654435761) & 0xFFFFFFFF
    x ^= x >> 15
    x = (x * 2246822519) & 0xFFFFFFFF
    return x ^ (x >> 13)


def weights(index, shape, mean, scale):
    count = math.prod(shape)
    draws = [mean + scale * (2 * mixed(1000003 * (index + 1) + i) / 2**32 - 1) for i in range(count)]
    # Both programs start from the float32 values.
    return torch.tensor(draws, dtype=torch.float32).double().reshape(shape).requires_grad_()


def tokens():
    draws = torch.tensor([mixed(77 + i) % VOCAB for i in range(SEQUENCES * (TIME + 1))])
    windows = draws.reshape(SEQUENCES, TIME + 1)
    return windows[:, :-1], windows[:, 1:]


class Model:
    """Parameters by name in loglog's order, and the forward pass."""

    def __init__(self, modern):
        self.modern = modern
        self.kv_heads = 2 if modern else HEADS
        self.parameters = {}
        hidden = 48 if modern else 4 * WIDTH
        qkv = (HEADS + 2 * self.kv_heads) * HEAD_DIM
        self.add("token_embedding", (VOCAB, WIDTH), 0, 0.5)
        if not modern:
            self.add("position_embedding", (TIME, WIDTH), 0, 0.5)
        for layer in range(LAYERS):
            block = f"blocks.{layer}."
            self.add_norm(block + "attention_norm")
            self.add_linear(block + "attention.qkv", qkv, WIDTH)
            self.add_linear(block + "attention.out", WIDTH, HEADS * HEAD_DIM)
            if modern:
                self.add(block + "attention.query_norm.gain", (HEAD_DIM,), 1, 0.2)
                self.add(block + "attention.key_norm.gain", (HEAD_DIM,), 1, 0.2)
            self.add_norm(block + "mlp_norm")
            self.add_linear(block + "mlp.up", hidden * (2 if modern else 1), WIDTH)
            self.add_linear(block + "mlp.down", WIDTH, hidden)
        self.add_norm("final_norm")
        if modern:
            self.add("head", (VOCAB, WIDTH), 0, 0.5)

    def add(self, name, shape, mean, scale):
        self.parameters[name] = weights(len(self.parameters), shape, mean, scale)

    def add_norm(self, name):
        self.add(name + ".gain", (WIDTH,), 1, 0.2)
        if not self.modern:
            self.add(name + ".bias", (WIDTH,), 0, 0.2)

    def add_linear(self, name, rows, columns):
        self.add(name + ".weight", (rows, columns), 0, 0.4)
        if not self.modern:
            self.add(name + ".bias", (rows,), 0, 0.2)

    def norm(self, name, x):
        gain = self.parameters[name + ".gain"]
        if self.modern:
            return gain * x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + NORM_EPSILON)
        return F.layer_norm(x, (WIDTH,), gain, self.parameters[name + ".bias"], NORM_EPSILON)

    def linear(self, name, x):
        return F.linear(x, self.parameters[name + ".weight"], self.parameters.get(name + ".bias"))

    @staticmethod
    def rotate(x):
        half = HEAD_DIM // 2
        frequency = 10000.0 ** (-2 * torch.arange(half, dtype=torch.float64) / HEAD_DIM)
        angle = torch.arange(TIME, dtype=torch.float64)[:, None] * frequency
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)

    def attention(self, block, x):
        sizes = [HEADS * HEAD_DIM, self.kv_heads * HEAD_DIM, self.kv_heads * HEAD_DIM]
        q, k, v = (
            part.reshape(SEQUENCES, TIME, -1, HEAD_DIM).transpose(1, 2)
            for part in self.linear(block + "attention.qkv", x).split(sizes, -1)
        )
        if self.modern:
            q = self.norm(block + "attention.query_norm", q)
            k = self.norm(block + "attention.key_norm", k)
            q, k = self.rotate(q), self.rotate(k)
            k, v = (part.repeat_interleave(HEADS // self.kv_heads, 1) for part in (k, v))
        scores = q @ k.transpose(-1, -2) / math.sqrt(HEAD_DIM)
        scores = scores.masked_fill(torch.ones(TIME, TIME).triu(1).bool(), float("-inf"))
        mixed_values = (scores.softmax(-1) @ v).transpose(1, 2).reshape(SEQUENCES, TIME, -1)
        return self.linear(block + "attention.out", mixed_values)

    def mlp(self, block, x):
        up = self.linear(block + "mlp.up", x)
        if self.modern:
            gate, value = up.chunk(2, -1)
            return self.linear(block + "mlp.down", F.silu(gate) * value)
        inner = math.sqrt(2 / math.pi) * (up + 0.044715 * up**3)
        return self.linear(block + "mlp.down", 0.5 * up * (1 + torch.tanh(inner)))

    def logits(self, inputs):
        h = self.parameters["token_embedding"][inputs]
        if not self.modern:
            h = h + self.parameters["position_embedding"]
        for layer in range(LAYERS):
            block = f"blocks.{layer}."
            h = h + self.attention(block, self.norm(block + "attention_norm", h))
            h = h + self.mlp(block, self.norm(block + "mlp_norm", h))
        head = self.parameters["head" if self.modern else "token_embedding"]
        return self.norm("final_norm", h) @ head.T


def write(file, name, tensor):
    values = tensor.detach().float().reshape(-1).tolist()
    file.write(struct.pack(f"<I{len(name)}sI", len(name), name.encode(), len(values)))
    file.write(struct.pack(f"<{len(values)}f", *values))


def record(name, modern):
    model = Model(modern)
    inputs, targets = tokens()
    decayed = [p for p in model.parameters.values() if p.dim() == 2]
    others = [p for p in model.parameters.values() if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0}]
    optimizer = torch.optim.AdamW(groups, lr=LR, betas=BETAS, eps=EPSILON)
    with open(pathlib.Path(__file__).parent / f"torch_parity_{name}.bin", "wb") as file:
        losses, norms = [], []
        for step in range(STEPS):
            optimizer.zero_grad()
            logits = model.logits(inputs)
            loss = F.cross_entropy(logits.reshape(-1, VOCAB), targets.reshape(-1))
            loss.backward()
            losses.append(loss.detach())
            if step == 0:
                write(file, "logits", logits)
                for key, parameter in model.parameters.items():
                    write(file, "gradient " + key, parameter.grad)
            norms.append(torch.nn.utils.clip_grad_norm_(model.parameters.values(), CLIP))
            optimizer.step()
        write(file, "losses", torch.stack(losses))
        write(file, "gradient_norms", torch.stack(norms))
        for key, parameter in model.parameters.items():
            write(file, "final " + key, parameter)


record("gpt2", modern=False)
record("modern", modern=True)
