#!/usr/bin/env bash
# av 18.1.0 (its FFmpeg): a WMA read back lacks its first 512 samples at 16 kHz and 2,048 at 44.1 kHz,
# without an error: two blocks are dropped where the same library's encoder puts one before the
# sound. With flags2=+skip_manual none is dropped.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet numpy==2.4.6 av==18.1.0
"$folder/env/bin/python" - <<'PYTHON'
import io, sys
import av
import numpy as np

wave = np.random.default_rng(0).normal(0, 0.1, 96000).astype(np.float32)
wave = np.convolve(wave, np.hanning(9) / 4, "same").astype(np.float32)

def written(rate):
    stream = io.BytesIO()
    with av.open(stream, "w", format="asf") as out:
        track = out.add_stream("wmav2", rate=rate, layout="mono")
        track.bit_rate = 64000
        frame = av.AudioFrame.from_ndarray(wave[None], "fltp", "mono")
        frame.sample_rate, frame.pts = rate, 0
        for ready in (frame, None):
            out.mux(track.encode(ready))
    return stream.getvalue()

def read(data, options):
    with av.open(io.BytesIO(data)) as source:
        source.streams.audio[0].codec_context.options = options
        return np.concatenate([f.to_ndarray()[0] for f in source.decode(audio=0)])

def first(found):
    """Where in the sound written the sound read begins (below 0: that much is put before it)."""
    size = 4 * len(wave)
    product = np.fft.rfft(wave, size) * np.fft.rfft(found, size).conj()
    place = int(np.fft.irfft(product).argmax())
    return place if place < size // 2 else place - size

print("av", av.__version__)
print("FFmpeg's libavcodec", ".".join(map(str, av.library_versions["libavcodec"])))
print("expected: no sample is lost: the sound read begins at sample 0 or before")
seen = []
for rate in (16000, 44100):
    data = written(rate)
    seen.append((first(read(data, {})), first(read(data, {"flags2": "+skip_manual"}))))
    print(f"{rate} Hz: begins at sample {seen[-1][0]}; with skip_manual at {seen[-1][1]}")
sys.exit(0 if seen == [(512, -512), (2048, -2048)] else 1)
PYTHON
