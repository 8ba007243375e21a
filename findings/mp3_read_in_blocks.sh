#!/usr/bin/env bash
# soundfile 0.14.0 (libsndfile 1.2.2): an MP3 of few bits, of variable or constant rate, read block by
# block, is not the sound that one call reads (libmpg123 complains on stderr). A FLAC is.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet numpy==2.4.6 soundfile==0.14.0
"$folder/env/bin/python" - <<'PYTHON'
import io, sys
import numpy as np
import soundfile

time = np.arange(6 * 16000) / 16000
phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * time)) / 16000
wave = 0.1 * sum(np.sin(k * phase) / k for k in range(1, 12))
wave = wave * (0.55 + 0.45 * np.sin(8 * np.pi * time))
wave += np.random.default_rng(0).normal(0, 0.02, len(wave))
print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)

def worst(**how):
    stream = io.BytesIO()
    soundfile.write(stream, wave, 16000, **how)
    whole = soundfile.SoundFile(io.BytesIO(stream.getvalue())).read()
    sound, blocks = soundfile.SoundFile(io.BytesIO(stream.getvalue())), []
    while len(block := sound.read(4000)):
        blocks.append(block)
    return float(np.abs(np.concatenate(blocks)[: len(whole)] - whole).max())

variable = worst(format="MP3", bitrate_mode="VARIABLE", compression_level=0.9)
constant = worst(format="MP3", bitrate_mode="CONSTANT", compression_level=0.9)
many = worst(format="MP3", bitrate_mode="CONSTANT", compression_level=0.1)
flac = worst(format="FLAC")
print("expected: blocks of 4,000 samples, put together, are what one call reads")
print(f"largest difference: variable MP3 {variable:.3f}, constant at 24 kbit/s {constant:.3f},")
print(f"constant at 144 kbit/s {many:.0e}, FLAC {flac:.0e}")
sys.exit(0 if min(variable, constant) > 0.005 and many < 1e-5 and flac == 0 else 1)
PYTHON
