"""Stands for a training in tests of the machinery around it: writes the history of a known curve, and goes on with it.

Only the standard library: it starts in a few milliseconds. Every epoch that it computes is noted in `computed.txt`.
While the file `FAKE_HOLD` is there, it waits after its fourth epoch.
"""

import os
import signal
import sys
import time
from pathlib import Path

values = dict(word[2:].split("=", 1) for word in sys.argv[1:] if word.startswith("--"))
run = Path(os.environ["MEDVISION_RUN"])
run.mkdir(exist_ok=True)
history, computed = run / "history.csv", run / "computed.txt"
asked: list[int] = []
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, _: asked.append(number))
if values.get("mistake") == "True":
    print("medvision: no such layer", flush=True)
    sys.exit(2)
rows = history.read_text().splitlines() if history.is_file() else ["epoch,val/score"]
top = 1 - (float(values["lr"]) - 0.3) ** 2
while len(rows) <= int(os.environ.get("FAKE_EPOCHS", "4")) and not asked:
    time.sleep(float(os.environ.get("FAKE_PAUSE", "0")))
    while len(rows) > 4 and Path(os.environ.get("FAKE_HOLD", "/nowhere")).exists() and not asked:
        time.sleep(0.01)
    epoch = len(rows) - 1
    rows.append(f"{epoch},{top * (1 - 0.5 ** (epoch + 1))}")
    history.with_suffix(".part").write_text("\n".join(rows) + "\n")
    history.with_suffix(".part").replace(history)
    with computed.open("a") as file:
        file.write(f"{epoch} {os.getpid()}\n")
if values.get("suicide") == "True" and len((run / "computed.txt").read_text().split()) <= 8:
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(130 if signal.SIGINT in asked else 0)
