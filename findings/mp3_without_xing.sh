#!/usr/bin/env bash
# soundfile 0.14.0 (libsndfile 1.2.2): a whole MP3 of variable rate whose first frame is no Xing frame
# (what an encoder writes to a pipe) ends early: the length is guessed from the first frames' rate.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet numpy==2.4.6 soundfile==0.14.0
"$folder/env/bin/python" - <<'PYTHON'
import io, sys
import numpy as np
import soundfile

time = np.arange(3 * 16000) / 16000
loud = np.random.default_rng(0).normal(0, 0.2, len(time))
soft = 0.1 * np.sin(2 * np.pi * 220 * time)
wave = np.concatenate([loud, soft, soft, soft])
stream = io.BytesIO()
soundfile.write(
    stream, wave, 16000, format="MP3", bitrate_mode="VARIABLE", compression_level=0.9
)
data = stream.getvalue()
tag = min(i for i in (data.find(b"Xing"), data.find(b"Info")) if i >= 0)
first = data.rfind(b"\xff", 0, tag)
while data[first + 1] < 0xE0:
    first = data.rfind(b"\xff", 0, first)
without = data[data.index(data[first : first + 2], tag + 4) :]
print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)
with_tag = len(soundfile.read(io.BytesIO(data))[0])
read = len(soundfile.read(io.BytesIO(without))[0])
print(f"expected: about {len(wave)} samples, with the Xing frame and without")
print(f"read: {with_tag} with it, {read} without")
sys.exit(0 if with_tag == len(wave) and read < 0.8 * len(wave) else 1)
PYTHON
