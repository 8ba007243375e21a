// Sounds: a file's bytes to one channel at 16 kHz, as ser.audio makes it; what is odd about them.
// Browsers resample badly on their way (decodeAudioData from 44.1 to 16 kHz, Chromium 150: 5 dB down
// at 7 kHz, 8.2 kHz folded to 7.8 kHz at -13 dB), so files are decoded at their own rate.
(() => {
  'use strict';
  const page = globalThis.serPage ??= {};
  const RATE = 16000, LONGEST = 60;

  const word = (view, at) => String.fromCharCode(...[0, 1, 2, 3].map(k => view.getUint8(at + k)));

  // Samples of a chunk of a WAV file, of whole numbers or floats, by their number of bits.
  const READERS = {
    'int8': (v, at) => (v.getUint8(at) - 128) / 128,
    'int16': (v, at) => v.getInt16(at, true) / 32768,
    'int24': (v, at) => (v.getInt16(at + 1, true) * 256 + v.getUint8(at)) / 8388608,
    'int32': (v, at) => v.getInt32(at, true) / 2147483648,
    'float32': (v, at) => v.getFloat32(at, true),
    'float64': (v, at) => v.getFloat64(at, true),
  };

  // A WAV file: {rate, samples}, the mean of its channels; null where it is coded otherwise.
  function readWav(bytes) {
    const view = new DataView(bytes);
    if (view.byteLength < 44 || word(view, 0) !== 'RIFF' || word(view, 8) !== 'WAVE') return null;
    let format = null;
    for (let at = 12; at + 8 <= view.byteLength;) {
      const name = word(view, at), size = view.getUint32(at + 4, true), start = at + 8;
      if (name === 'fmt ' && start + 16 <= view.byteLength) {
        const bits = view.getUint16(start + 14, true);
        let code = view.getUint16(start, true);
        if (code === 0xfffe && size >= 26) code = view.getUint16(start + 24, true);
        format = {channels: view.getUint16(start + 2, true), rate: view.getUint32(start + 4, true),
          bytes: bits / 8, read: READERS[{1: 'int', 3: 'float'}[code] + bits]};
      } else if (name === 'data') {
        if (!format || !format.read || !format.channels || !format.rate) return null;
        const {channels, read} = format, step = channels * format.bytes;
        if (start + size > view.byteLength) throw new Error('the file is cut off: its header tells of more');
        const samples = new Float32Array(Math.floor(size / step));
        for (let n = 0; n < samples.length; n += 1) {
          let sum = 0;
          for (let c = 0; c < channels; c += 1) sum += read(view, start + n * step + c * format.bytes);
          samples[n] = sum / channels;
        }
        return {rate: format.rate, samples};
      }
      at = start + size + size % 2;
    }
    return null;
  }

  const find = (bytes, text, from = 0, to = bytes.length) => {
    for (let at = from; at + text.length <= to; at += 1) {
      let k = 0;
      while (k < text.length && bytes[at + k] === text.charCodeAt(k)) k += 1;
      if (k === text.length) return at;
    }
    return -1;
  };

  // Samples a second that a file of another kind tells of, 0 where it does not tell.
  function rateOf(buffer) {
    const view = new DataView(buffer), bytes = new Uint8Array(buffer);
    if (view.byteLength < 64) return 0;
    const start = word(view, 0);
    if (start === 'RIFF' && word(view, 8) === 'WAVE') {
      const at = find(bytes, 'fmt ', 12, 4096);
      return at < 0 ? 0 : view.getUint32(at + 12, true);
    }
    if (start === 'fLaC') return (view.getUint32(18) >>> 12) & 0xfffff;
    if (start === 'OggS') {
      const vorbis = find(bytes, '\x01vorbis', 0, 512);
      if (vorbis >= 0) return view.getUint32(vorbis + 12, true);
      return find(bytes, 'OpusHead', 0, 512) >= 0 ? 48000 : 0;
    }
    if (view.getUint32(0) === 0x1a45dfa3) return 48000; // WebM, as browsers record: Opus
    if (word(view, 4) === 'ftyp') {
      const at = find(bytes, 'mp4a', find(bytes, 'stsd'));
      return at < 0 ? 0 : view.getUint16(at + 28);
    }
    let at = 0;
    if (word(view, 0).startsWith('ID3')) {
      at = 10 + [6, 7, 8, 9].reduce((sum, k) => sum * 128 + bytes[k], 0);
    }
    for (; at + 4 <= bytes.length && at < 1e6; at += 1) { // the first header of an MP3 frame
      if (bytes[at] !== 255 || bytes[at + 1] < 0xe2) continue;
      const version = (bytes[at + 1] >> 3) & 3, which = (bytes[at + 2] >> 2) & 3;
      if (version === 1 || which === 3 || bytes[at + 2] >> 4 === 15) continue;
      return [44100, 48000, 32000][which] / {3: 1, 2: 2, 0: 4}[version];
    }
    return 0;
  }

  // A file's bytes: {wave, rate, seconds, told}, the wave at 16 kHz. Errors say what to do.
  async function decode(buffer) {
    let sound = readWav(buffer), told = '';
    if (!sound) {
      const told_rate = rateOf(buffer), rate = told_rate || 48000;
      if (rate < 3000 || rate > 768000) throw new Error(`a rate of ${rate} Hz is none of a voice`);
      const Context = globalThis.OfflineAudioContext;
      if (!Context) throw new Error('this browser decodes no sound but WAV files: save it as WAV');
      let decoded;
      try {
        decoded = await new Context(1, 1, rate).decodeAudioData(buffer);
      } catch {
        throw new Error('this browser cannot decode the file: save it as WAV, 16 bit');
      }
      const samples = new Float32Array(decoded.length), channels = decoded.numberOfChannels;
      for (let c = 0; c < channels; c += 1) {
        decoded.getChannelData(c).forEach((v, n) => { samples[n] += v / channels; });
      }
      sound = {rate, samples};
      if (!told_rate) told = 'The file does not tell its rate: the browser brought it to 48 kHz first.';
    }
    const seconds = sound.samples.length / sound.rate;
    if (!(seconds >= 0.025)) throw new Error('less than 25 ms of sound: too short for the network');
    if (seconds > LONGEST) {
      throw new Error(`${seconds.toFixed(0)} s are no utterance: cut out at most ${LONGEST} s`);
    }
    if (!sound.samples.every(Number.isFinite)) throw new Error('some samples are no numbers: export it again');
    return {wave: page.resample(sound.samples, sound.rate), rate: sound.rate, seconds, told};
  }

  // A WAV file, 16 bit, of a wave at 16 kHz.
  function encodeWav(wave) {
    const view = new DataView(new ArrayBuffer(44 + 2 * wave.length));
    const text = (at, s) => [...s].forEach((c, k) => view.setUint8(at + k, c.charCodeAt(0)));
    text(0, 'RIFF');
    view.setUint32(4, 36 + 2 * wave.length, true);
    text(8, 'WAVEfmt ');
    view.setUint32(16, 16, true);
    view.setUint16(20, 1, true);
    view.setUint16(22, 1, true);
    view.setUint32(24, RATE, true);
    view.setUint32(28, 2 * RATE, true);
    view.setUint16(32, 2, true);
    view.setUint16(34, 16, true);
    text(36, 'data');
    view.setUint32(40, 2 * wave.length, true);
    wave.forEach((v, n) => view.setInt16(44 + 2 * n,
      Math.max(-32768, Math.min(32767, Math.round(v * 32768))), true));
    return view.buffer;
  }

  // The wave of a WAV file in base64, as the chapters' Python packs clips.
  function unpackWav(packed) {
    const text = atob(packed), bytes = new Uint8Array(text.length);
    for (let k = 0; k < text.length; k += 1) bytes[k] = text.charCodeAt(k);
    return readWav(bytes.buffer).samples;
  }

  const peakOf = wave => wave.reduce((peak, v) => Math.max(peak, Math.abs(v)), 0);

  // The wave less a DC offset that ser.sound_quality would tell of; ser.predict hears it so too.
  function withoutOffset(wave) {
    const offset = wave.reduce((sum, v) => sum + v, 0) / wave.length;
    const moved = wave.map(v => v - offset);
    const power = moved.reduce((sum, v) => sum + v * v, 0) / wave.length;
    if (silent(wave)) return wave;
    return Math.abs(offset) > 0.008 || offset ** 2 > power * 10 ** -1.8 ? moved : wave;
  }

  // Nothing beyond ten steps of 16 bits: ser.sound_quality calls it silence.
  function silent(wave) {
    const offset = wave.reduce((sum, v) => sum + v, 0) / wave.length;
    return wave.every(v => Math.abs(v - offset) <= 10 / 32768);
  }

  // Sentences on why an answer is worth less than it looks; limits as ser.sound_quality has them.
  function notes(wave, [shortest, longest]) {
    const peak = peakOf(wave), seconds = wave.length / RATE, found = [];
    let flat = 0, run = 1;
    for (let n = 1; n <= wave.length; n += 1) {
      if (wave[n] === wave[n - 1] && Math.abs(wave[n]) >= 0.99 * peak) run += 1;
      else {
        if (run >= 3) flat += run;
        run = 1;
      }
    }
    if (silent(wave)) found.push('This is silence: there is no voice in it.');
    else if (peak < 0.01) found.push('Very quiet, peak below −40 dB: level is a cue the network uses.');
    else if (flat > 0.0005 * wave.length) {
      found.push('It is cut off at its peak, which sounds like effort: record it softer.');
    }
    if (seconds < 0.8 * shortest || seconds > 1.2 * longest) {
      found.push(`It lasts ${seconds.toFixed(1)} s; the network was trained on ` +
        `${shortest.toFixed(1)} to ${longest.toFixed(1)} s.`);
    }
    return found;
  }

  Object.assign(page, {decode, encodeWav, notes, rateOf, readWav, silent, unpackWav, withoutOffset});
})();
