// A headless Chromium driven over its debugging pipe: no packages, no port, no network.
import {spawn} from "node:child_process";
import {existsSync, mkdtempSync, rmSync} from "node:fs";
import {tmpdir} from "node:os";
import {delimiter, join} from "node:path";

const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
  "--disable-dev-shm-usage", "--mute-audio", "--remote-debugging-pipe"];

export function findChromium() {
  for (const folder of (process.env.PATH || "").split(delimiter)) {
    for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
      if (existsSync(join(folder, name))) return join(folder, name);
    }
  }
  return undefined;
}

export class Browser {
  #process; #profile; #next = 1; #waiting = new Map(); #buffer = ""; #session;
  consoleLines = [];  // what the page wrote or threw
  requests = [];      // every address the page asked for

  static async launch(program) {
    const browser = new Browser();
    await browser.#start(program);
    return browser;
  }

  async #start(program) {
    this.#profile = mkdtempSync(join(tmpdir(), "loglog-chromium-"));
    this.#process = spawn(program, [...flags, `--user-data-dir=${this.#profile}`, "--window-size=1200,900", "about:blank"],
      {stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"]});
    this.#process.stdio[4].setEncoding("utf8");
    this.#process.stdio[4].on("data", text => this.#receive(text));
    this.#process.stdio[3].on("error", () => {});
    this.#process.on("exit", () => {
      for (const {reject} of this.#waiting.values()) reject(new Error("chromium ended"));
      this.#waiting.clear();
    });
    const {targetInfos} = await this.#send("Target.getTargets");
    const page = targetInfos.find(target => target.type === "page");
    const {sessionId} = await this.#send("Target.attachToTarget", {targetId: page.targetId, flatten: true});
    this.#session = sessionId;
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await this.call(`${domain}.enable`);
  }

  #receive(text) {
    this.#buffer += text;
    for (let end = this.#buffer.indexOf("\0"); end >= 0; end = this.#buffer.indexOf("\0")) {
      const message = JSON.parse(this.#buffer.slice(0, end));
      this.#buffer = this.#buffer.slice(end + 1);
      if (message.id) {
        const {resolve, reject} = this.#waiting.get(message.id);
        this.#waiting.delete(message.id);
        if (message.error) reject(new Error(message.error.message)); else resolve(message.result);
      } else {
        this.#note(message);
      }
    }
  }

  #note({method, params}) {
    if (method === "Runtime.consoleAPICalled") {
      this.consoleLines.push(`${params.type}: ${params.args.map(a => a.value ?? a.description).join(" ")}`);
    } else if (method === "Runtime.exceptionThrown") {
      this.consoleLines.push(`exception: ${params.exceptionDetails.exception?.description ?? params.exceptionDetails.text}`);
    } else if (method === "Log.entryAdded") {
      this.consoleLines.push(`${params.entry.level}: ${params.entry.text}`);
    } else if (method === "Network.requestWillBeSent") {
      this.requests.push(params.request.url);
    }
  }

  #send(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, {resolve, reject});
      this.#process.stdio[3].write(JSON.stringify({id, method, params, sessionId}) + "\0");
    });
  }

  call(method, params) { return this.#send(method, params, this.#session); }

  async evaluate(expression) {
    const {result, exceptionDetails} = await this.call("Runtime.evaluate",
      {expression, returnByValue: true, awaitPromise: true});
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  async waitFor(expression, milliseconds = 30000) {
    for (const end = Date.now() + milliseconds; Date.now() < end;) {
      if (await this.evaluate(expression)) return;
      await new Promise(resolve => setTimeout(resolve, 50));
    }
    throw new Error(`not so within ${milliseconds} ms: ${expression}\n${this.consoleLines.join("\n")}`);
  }

  async movePointer(x, y) { await this.call("Input.dispatchMouseEvent", {type: "mouseMoved", x, y}); }

  async close() {
    const gone = new Promise(resolve => this.#process.once("exit", resolve));
    this.#send("Browser.close").catch(() => {});
    const impatience = setTimeout(() => this.#process.kill("SIGKILL"), 5000);
    await gone;
    clearTimeout(impatience);
    rmSync(this.#profile, {recursive: true, force: true, maxRetries: 5});
  }
}
