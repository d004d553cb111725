// How fast bytes go, and how many files at once make them go faster.
const WINDOW = 5000; // ms: shorter jumps about, longer tells of a line that has changed
const LEAST = 2;
const MOST = 4; // of the six connections a browser opens to a host; the page's own life needs the others

export class Gauge {
  constructor() {
    this.seen = [];
  }

  note(bytes, now = performance.now()) {
    this.seen.push([now, bytes]);
    while (this.seen.length > 2 && now - this.seen[0][0] > WINDOW) this.seen.shift();
  }

  get speed() {
    if (this.seen.length < 2) return 0;
    const [[began, before], [ended, after]] = [this.seen[0], this.seen.at(-1)];
    return ended - began < 400 ? 0 : Math.max(0, (after - before) / ((ended - began) / 1000));
  }
}

// One more at a time as long as that pays, one less when it has got slower.
export class Pace {
  constructor() {
    this.atOnce = LEAST + 1;
    this.last = 0;
  }

  adapt(speed) {
    if (speed > this.last * 1.1) this.atOnce = Math.min(MOST, this.atOnce + 1);
    else if (speed < this.last * 0.7) this.atOnce = Math.max(LEAST, this.atOnce - 1);
    this.last = speed;
    return this.atOnce;
  }
}
