// The microphone, plain: gain control, noise suppression and echo cancellation are asked off, and
// what the browser did is read back. Nothing is sent anywhere.
(() => {
  'use strict';
  const page = globalThis.serPage ??= {};
  const ASKED = {autoGainControl: 'gain control', noiseSuppression: 'noise suppression',
    echoCancellation: 'echo cancellation'};
  const LONGEST = 9, EVERY = 250, SHORTEST = 8000;
  const OTHERS = 'A file and the built-in sounds work all the same.';
  const REASONS = {
    NotAllowedError: 'The microphone was not allowed.',
    NotFoundError: 'There is no microphone.',
    NotReadableError: 'The microphone is in use by another program.',
  };

  // Hands on blocks of samples as they come, the mean of the channels.
  const WORKLET = `registerProcessor('ser-blocks', class extends AudioWorkletProcessor {
    constructor() { super(); this.block = new Float32Array(2048); this.filled = 0; }
    process([channels]) {
      if (!channels.length) return true;
      for (let n = 0; n < channels[0].length; n += 1) {
        let sum = 0;
        for (const channel of channels) sum += channel[n];
        this.block[this.filled++] = sum / channels.length;
        if (this.filled === this.block.length) {
          this.port.postMessage(this.block.slice());
          this.filled = 0;
        }
      }
      return true;
    }
  });`;

  // What the browser did of what was asked, in a sentence.
  function readBack(settings) {
    const state = {on: [], off: [], untold: []};
    for (const [key, name] of Object.entries(ASKED)) {
      state[settings[key] === undefined ? 'untold' : settings[key] ? 'on' : 'off'].push(name);
    }
    const parts = [];
    if (state.off.length) parts.push(`off: ${state.off.join(', ')}`);
    if (state.on.length) parts.push(`still on: ${state.on.join(', ')}, so level and pauses are not as spoken`);
    if (state.untold.length) parts.push(`not told: ${state.untold.join(', ')}`);
    const rate = settings.sampleRate ? `, at ${settings.sampleRate} Hz` : '';
    return `All three were asked off; the browser says ${parts.join('; ')}${rate}.`;
  }

  // Starts to listen: {told, stop}. block(samples, rate) is called with what comes.
  // Errors are sentences for the reader.
  async function listen(block) {
    if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia || !globalThis.AudioWorkletNode) {
      throw new Error(`This browser gives this page no microphone. ${OTHERS}`);
    }
    const wanted = Object.fromEntries(Object.keys(ASKED).map(key => [key, false]));
    let stream, context;
    const stop = () => {
      if (stream) stream.getTracks().forEach(track => track.stop());
      if (context) context.close();
    };
    try {
      stream = await navigator.mediaDevices.getUserMedia({audio: wanted});
      const settings = stream.getAudioTracks()[0].getSettings();
      context = new AudioContext(settings.sampleRate ? {sampleRate: settings.sampleRate} : {});
      // A blob's address is refused on a page that was opened as a file (Chromium 156); this is not.
      await context.audioWorklet.addModule(`data:text/javascript,${encodeURIComponent(WORKLET)}`);
      const node = new AudioWorkletNode(context, 'ser-blocks');
      node.port.onmessage = message => block(message.data, context.sampleRate);
      context.createMediaStreamSource(stream).connect(node);
      await context.resume();
      return {told: readBack(settings), stop};
    } catch (error) {
      stop();
      const reason = REASONS[error.name] || `The microphone cannot be used (${error.name}).`;
      throw new Error(`${reason} ${OTHERS}`);
    }
  }

  let running = null, asking = false;

  // Lets a button record a sentence: it begins at one press and ends at the next, after nine seconds,
  // or where another button of the page begins. begun(told), soFar(wave) four times a second,
  // done(wave, told) and failed(sentence) hear of it; refusal() may forbid it by a sentence.
  function recorder(button, {begun, done, failed, soFar = null, refusal = () => ''}) {
    const name = button.textContent;
    let stop = null;

    function show(text) {
      button.textContent = text;
      button.setAttribute('aria-pressed', String(text !== name));
    }

    async function start() {
      const wave = new Float32Array(LONGEST * page.RATE);
      let filled = 0, resampler = null, next = 0, opened = null;
      const end = () => {
        stop = running = null;
        show(name);
        opened.stop();
        if (filled) done(wave.slice(0, filled), opened.told);
        else failed('Nothing came from the microphone.');
      };
      const block = (samples, rate) => {
        if (!stop) return;
        resampler ??= new page.Resampler(rate, page.RATE);
        const part = (rate === page.RATE ? samples : resampler.push(samples)).subarray(0, wave.length - filled);
        wave.set(part, filled);
        filled += part.length;
        if (filled === wave.length) end();
        else if (soFar && filled >= SHORTEST && performance.now() >= next) {
          const before = performance.now();
          soFar(wave.subarray(0, filled));
          next = performance.now() + Math.max(EVERY, 2 * (performance.now() - before));
        }
      };
      asking = true; // a disabled button would lose the keyboard's focus
      try {
        opened = await page.listen(block);
        stop = running = end;
        show('Stop');
        begun(`Listening, for at most ${LONGEST} s. ${opened.told}`);
      } catch (error) {
        failed(error.message);
      }
      asking = false;
    }

    button.addEventListener('click', () => {
      if (stop) return stop();
      if (asking) return undefined;
      const no = refusal();
      if (no) return failed(no);
      if (running) running();
      return start();
    });
  }

  Object.assign(page, {listen, readBack, recorder});
})();
