"""Holds a source tree to the compile arrows of ARCHITECTURE.md.

    problems = check(root)      a sorted list of lines `path:line: what is wrong`

A file belongs to the layer with the longest matching folder below. A layer may include files of the
layers it names, and its own. Test files (*_test.cc, *_fuzz.cc, *_bench.cc, testing/, tests/) may also
use testing/ folders, files, clocks and randomness, but no other service's code.
"""

import os
import re

# layer: the layers whose files it may include. `proto:x` is code generated from protos/x.
LAYERS = {
    "base": [],
    "base/rpc": ["base", "proto:medidesk", "proto:google"],
    "safety": ["base"],
    "gateway/wa": ["base", "proto:whatsapp"],
    "gateway/device": ["base", "gateway/wa"],
    "gateway/journal": ["base", "gateway/wa", "gateway/device"],
    "gateway/net": ["base", "gateway/wa"],
    "gateway/bot": ["base", "safety", "gateway/wa"],
    "gateway": ["base", "base/rpc", "safety", "gateway/wa", "gateway/device", "gateway/journal", "gateway/net", "gateway/bot",
                "gateway/service", "proto:medidesk", "proto:google", "proto:whatsapp"],
    "gateway/service": ["base", "base/rpc", "safety", "gateway", "gateway/wa", "gateway/device", "gateway/journal", "gateway/net",
                        "gateway/bot", "proto:medidesk", "proto:google", "proto:whatsapp"],
    "assistant": ["base", "base/rpc", "safety", "proto:medidesk", "proto:google"],
    "store": ["base", "base/rpc", "proto:medidesk", "proto:google"],
    "admin": ["base", "base/rpc", "proto:medidesk", "proto:google"],
    "cli": ["base", "base/rpc", "gateway/device", "gateway/wa", "proto:medidesk", "proto:google"],
    "allinone": ["base", "base/rpc", "safety", "gateway", "gateway/service", "assistant", "store", "admin",
                 "proto:medidesk", "proto:google"],
    "tests": None,  # everything
}

# What comes from outside the repository: (what, pattern of the include, layers that may have it).
LIBRARIES = [
    ("gRPC", r"^(grpc|grpcpp)/", ["base/rpc", "gateway", "gateway/service", "assistant", "store", "admin", "cli", "allinone", "tests"]),
    ("libpqxx", r"^(pqxx/|libpq-fe\.h)", ["store", "tests"]),
    ("Asio and Beast", r"^boost/(asio|beast)", ["base", "base/rpc", "gateway", "gateway/net", "gateway/bot", "gateway/service",
                                                "assistant", "store", "admin", "cli", "allinone", "tests"]),
    ("spdlog (base/log.h is the way to log)", r"^spdlog/", ["base"]),
    ("protobuf", r"^google/protobuf/", ["base/rpc", "gateway", "gateway/wa", "gateway/service", "assistant", "store", "admin",
                                        "cli", "allinone", "tests"]),
    ("libsignal-protocol-c", r"^signal(_protocol|/)", ["gateway/wa", "tests"]),
]

# Text that must not stand in a layer's production code: (what, pattern, holds for, except for).
TEXTS = [
    ("a clock (pass the time in)", r"(steady_clock|system_clock|utc_clock|high_resolution_clock)::now\s*\(|\bclock_gettime\b|\btime\((nullptr|NULL|0)\)",
     ["gateway/wa"], []),
    ("randomness (pass the bytes in)", r"\bRAND_(bytes|priv_bytes)\b|\brandom_device\b|#include <random>|\bgetrandom\b|\bmt19937",
     ["gateway/wa"], []),
    ("a file (pass the bytes in)", r"#include <(fstream|filesystem)>|\bfopen\s*\(", ["gateway/wa"], []),
    ("the model API (it belongs to assistant/claude)", r"anthropic-version", None, ["assistant/claude/"]),
    ("a gRPC reactor (it belongs to base/rpc)", r":\s*(public\s+)?(::)?(grpc::)(experimental::)?\w+Reactor\b|\bnew\s+(::)?grpc::\w+Reactor\b",
     None, ["base/rpc/"]),
]

SOURCE = re.compile(r"\.(h|cc|cpp|hpp|inc)$")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
SKIPPED_FOLDERS = {"build", "var", ".git", "node_modules", "protos"}


def layer_of(path):
    folder = os.path.dirname(path)
    while folder:
        if folder in LAYERS:
            return folder
        folder = os.path.dirname(folder)
    return None


def is_test(path):
    return bool(re.search(r"_(test|fuzz|bench)\.cc$", path)) or "testing" in path.split("/")[:-1] or path.startswith("tests/")


def sources(root):
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name not in SKIPPED_FOLDERS and not name.startswith("."))
        for name in sorted(files):
            if SOURCE.search(name):
                yield os.path.relpath(os.path.join(folder, name), root)


def without_comments(line):
    return re.sub(r"//.*$", "", line)


def check_include(root, path, layer, quote, target):
    """What is wrong with this include, or None."""
    for what, pattern, allowed in LIBRARIES:
        if re.search(pattern, target):
            return None if layer in allowed else f"{layer} must not know {what}"
    if re.search(r"^(gtest|gmock|benchmark)/", target):
        return None if is_test(path) else "production code must not include a test library"
    if quote == "<":
        return None
    # A contract that only tests need stands beside its users, not under protos/.
    proto = re.sub(r"(\.grpc)?\.pb\.h$", ".proto", target)
    if os.path.isfile(os.path.join(root, proto)):
        target = proto
    generated = re.match(r"^(medidesk|whatsapp|google)/.+\.pb\.h$", target)
    if generated:
        theirs = "proto:" + generated[1]
    elif os.path.isfile(os.path.join(root, target)):
        theirs = layer_of(target)
        if theirs is None:
            return f"{target} belongs to no layer"
        if is_test(target) and not is_test(path):
            return f"production code must not include {target}"
    elif re.match(r"^(absl|google|boost)/", target):
        return None
    else:
        return f"{target} is no file of the repository (paths start at its root)"
    allowed = LAYERS[layer]
    if allowed is None or theirs == layer or theirs in allowed:
        return None
    return f"{layer} must not include {target}"


def check(root):
    problems = []
    for path in sources(root):
        layer = layer_of(path)
        if layer is None:
            problems.append(f"{path}:1: belongs to no layer; add its folder to tests/layering/layering.py")
            continue
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                found = INCLUDE.match(line)
                if found and (problem := check_include(root, path, layer, found[1], found[2])):
                    problems.append(f"{path}:{number}: {problem}")
                if is_test(path):
                    continue
                for what, pattern, layers, exceptions in TEXTS:
                    if (layers is None or layer in layers) and not any(path.startswith(folder) for folder in exceptions) \
                            and re.search(pattern, without_comments(line)):
                        problems.append(f"{path}:{number}: {layer} must not contain {what}")
    return sorted(problems)
