// Sound and notification, made here and only if the shopper has allowed them.

let audio;

/** Let the page sound, which browsers allow only after a click or a key; answers whether it may now. */
export async function wake() {
  audio ??= new AudioContext();
  if (audio.state !== "running") await Promise.race([audio.resume(), new Promise((done) => { setTimeout(done, 300); })]);
  return audio.state === "running";
}

/** Three rising notes; answers whether they can be heard. */
export async function ring() {
  if (!await wake()) return false;
  [523, 659, 784].forEach((pitch, i) => {
    const [note, loud, at] = [audio.createOscillator(), audio.createGain(), audio.currentTime + i * 0.22];
    note.frequency.value = pitch;
    loud.gain.setValueAtTime(0.0001, at);
    loud.gain.exponentialRampToValueAtTime(0.25, at + 0.03);
    loud.gain.exponentialRampToValueAtTime(0.0001, at + 0.6);
    note.connect(loud).connect(audio.destination);
    note.start(at);
    note.stop(at + 0.65);
  });
  navigator.vibrate?.([200, 100, 200]);
  return true;
}

/** Ask whether the page may notify; answers so. */
export const mayNotify = async () => "Notification" in globalThis && await Notification.requestPermission() === "granted";

/** Notify, once for each kind; a click leads to the page. Answers whether the browser can. */
export function notify(title, body) {
  try {
    const notice = new Notification(title, { body, tag: "waitroom" });
    notice.addEventListener("click", () => { window.focus(); notice.close(); });
    return true;
  } catch { return false; } // some phones leave notifications to installed apps
}
