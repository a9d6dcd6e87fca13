// In rooms that ask for work before a join: a worker does it beside the page, which goes on counting down meanwhile.

const doing = { entropy: null, work: null };

/** The work for a join with this entropy, done once. Nothing where it cannot be done here; trouble on the way throws. */
export async function work(base, entropy) {
  if (doing.entropy !== entropy) Object.assign(doing, { entropy, work: haveDone(base, entropy) });
  try {
    const done = await doing.work;
    if (!done) doing.entropy = null;
    return done;
  } catch (error) {
    doing.entropy = null; // the next time it is tried again
    throw error;
  }
}

function haveDone(base, entropy) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(`${base}/worker.js`);
    const end = (settle) => (event) => { worker.terminate(); settle(event); };
    worker.onmessage = end(({ data }) => (data.trouble ? reject(new Error(data.trouble)) : resolve(data.work)));
    worker.onerror = end(() => reject(new Error("the worker did not start")));
    worker.postMessage({ base, entropy });
  });
}
