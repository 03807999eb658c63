"""What the machine can do: figures that tell a slow machine from a slow program."""

import os
import statistics
import subprocess
import tempfile
import time

# Two shared cores, nobody else at work: what the baseline answers with 16 callers, and the time of the
# loop below on the machine where it took its usual 1.4 ms with one caller.
REFERENCE_RPS = 1650.0
REFERENCE_LOOP_MS = 70.0

# Fixed work of the baseline's kind: strings, objects, JSON, a hash. CPU milliseconds, the best of five.
NODE_LOOP = """
const { createHash } = require("node:crypto");
const row = (_, i) => ({ id: i, question: "What about topic " + i + "?", answer: "x".repeat(200) });
const rows = Array.from({ length: 40 }, row);
function work() {
  let sum = 0;
  for (let i = 0; i < 2000; ++i) {
    const text = JSON.stringify({ i, rows });
    sum += JSON.parse(text).rows.length + createHash("sha256").update(text).digest()[0];
  }
  return sum;
}
work();
const times = [];
for (let i = 0; i < 5; ++i) {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  times.push((user + system) / 1000);
}
console.log(Math.min(...times));
"""


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown"


def node_loop_ms(node):
    done = subprocess.run([node, "-e", NODE_LOOP], check=True, capture_output=True, text=True, timeout=120)
    return float(done.stdout)


def sync_microseconds(folder, seconds):
    """Times of writing 8 KiB and fdatasync, in a file of `folder`'s disk: what each commit waits for."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        descriptor, page = file.fileno(), b"\x5a" * 8192
        os.posix_fallocate(descriptor, 0, 1 << 22)
        os.fsync(descriptor)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.monotonic()
            os.pwrite(descriptor, page, len(times) % 512 * 8192)
            os.fdatasync(descriptor)
            times.append((time.monotonic() - start) * 1e6)
    times.sort()
    return {"count": len(times), "median": round(statistics.median(times), 1),
            "p99": round(times[len(times) * 99 // 100], 1)}


def busy_seconds():
    """CPU seconds that anybody has used on this machine since its start, and those stolen by its host."""
    with open("/proc/stat", encoding="utf-8") as lines:
        ticks = [int(value) for value in lines.readline().split()[1:9]]
    user, nice, system, _, _, irq, softirq, steal = ticks
    hertz = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / hertz, steal / hertz
