// The microphone, plain: gain control, noise suppression and echo cancellation are asked off, and
// what the browser did is read back. Nothing is sent anywhere.
(() => {
  'use strict';
  const page = globalThis.serPage ??= {};
  const ASKED = {autoGainControl: 'gain control', noiseSuppression: 'noise suppression',
    echoCancellation: 'echo cancellation'};
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

  Object.assign(page, {listen, readBack});
})();
