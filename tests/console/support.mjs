// What the tests share: projects of the running server, and visitors of its console in a browser.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before } from "node:test";
import { promisify } from "node:util";

const require = createRequire(`${process.env.CONSOLE_PACKAGES}/`);
const { chromium } = require("playwright-core");
const axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");

/** The address of the server. */
export const URL_OF_SERVER = process.env.CONSOLE_URL;

/** Whether the pictures are to be made again. */
export const UPDATES = Boolean(process.env.UPDATE_SNAPSHOTS);

/** How a page may look: the options of a browser's context for each. */
export const LOOKS = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  "forced colours": { forcedColors: "active" },
  "320 px": { viewport: { width: 320, height: 640 } },
  "200 % text": { textZoom: 2 },
};

/** What axe checks: WCAG 2.2 A and AA, and best practice. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CONSOLE_CHROMIUM });
});
after(() => browser?.close());

/** A project that no other test has, with a token that acts for it. */
export class Project {
  static async create(name, role = "member") {
    const id = `${name}-${randomUUID().slice(0, 8)}`;
    return new Project(id, await token(id, role));
  }

  constructor(id, token) {
    this.id = id;
    this.token = token;
  }

  /** The same project, by someone with another role. */
  async as(role) {
    return new Project(this.id, await token(this.id, role));
  }

  /** Calls the API, and returns the body of the response. */
  async call(method, path, body) {
    const response = await fetch(URL_OF_SERVER + path, {
      method,
      headers: { "x-auth-token": this.token, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return text && JSON.parse(text);
  }

  /** Registers an image. Returns its id. */
  async image(name, details = {}) {
    return (await this.call("POST", "/v2/images", { name, ...details })).id;
  }

  /** Shares images with projects, and waits for the end of the job. */
  async share(images, projects) {
    const ids = projects.map((project) => project.id ?? project);
    const { job_id: job } = await this.call("POST", "/v1/cloudimages/members", { images, projects: ids });
    const ended = await this.call("GET", `/v1/${this.id}/jobs/${job}?wait=20`);
    assert.ok(["SUCCESS", "FAIL"].includes(ended.status), JSON.stringify(ended));
    return job;
  }

  /** Enters the project into the directory under these names. */
  async enter(account, project) {
    const admin = await new Project("ops", await token("ops", "admin"));
    await admin.call("PUT", `/v1/tenants/${this.id}`, { account, project, region: "eu-de" });
  }
}

async function token(project, role) {
  const { IMAGESHARE, IMAGESHARE_DATA } = process.env;
  const options = ["token", "--project", project, "--role", role, "--data", IMAGESHARE_DATA];
  return (await promisify(execFile)(IMAGESHARE, options)).stdout.trim();
}

/** Runs a test in a page of its own, signed in for a project unless that is null. Fails if the page reports any problem. */
export async function visit(project, options, test) {
  const { textZoom = 1, ...context } = options;
  const own = await browser.newContext({ baseURL: URL_OF_SERVER, reducedMotion: "reduce", ...context });
  own.setDefaultTimeout(60_000);
  try {
    const url = context.baseURL ?? URL_OF_SERVER;
    if (project) await own.addCookies([{ name: "imageshare", value: project.token, url }]);
    const page = await own.newPage();
    const problems = watch(page);
    if (textZoom !== 1) {
      const session = await own.newCDPSession(page);
      await session.send("Page.setFontSizes", { fontSizes: { standard: 16 * textZoom, fixed: 13 * textZoom } });
    }
    await test(page, problems);
    assert.deepEqual(problems, []);
  } finally {
    await own.close();
  }
}

/** The problems of a page: violations of its policy, errors of its script, requests that failed. */
function watch(page) {
  const problems = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`script: ${error}`));
  page.on("requestfailed", (request) => {
    // A form that is answered by a file to save ends its own navigation.
    if (request.failure()?.errorText !== "net::ERR_ABORTED") problems.push(`failed: ${request.url()}`);
  });
  return problems;
}

/** Takes the report of an error page out of the problems of a page. */
export function expectError(problems, status) {
  const reports = problems.splice(0);
  assert.equal(reports.length, 1, reports.join("\n"));
  assert.match(reports[0], new RegExp(`status of ${status}`));
}

/** Asserts that axe finds nothing on a page, and that it needs no sideways scrolling. */
export async function expectAccessible(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(
    (values) => globalThis.axe.run(document, { runOnly: { type: "tag", values }, resultTypes: ["violations"] }),
    RULES,
  );
  const found = violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html}`));
  assert.deepEqual(found, [], where);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(overflow, 0, `${where}: it is ${overflow} px too wide`);
}

/** A visitor with a mouse. */
const mouse = () => ({
  press: (locator) => locator.click(),
  check: (locator) => locator.check(),
  choose: (locator) => locator.check(),
  fill: (locator, text) => locator.fill(text),
});

/** A visitor with a keyboard alone. */
const keyboard = (page) => ({
  async press(locator) {
    await tabTo(page, locator);
    await page.keyboard.press("Enter");
  },
  async check(locator) {
    await tabTo(page, locator);
    await page.keyboard.press("Space");
    assert.ok(await locator.isChecked());
  },
  async choose(locator) {
    await chooseByArrows(page, locator);
  },
  async fill(locator, text) {
    await tabTo(page, locator);
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type(text);
  },
});

/** The ways in which each journey is made: how, the options of the browser's context, and who acts. */
export const hands = [
  ["with a mouse", {}, mouse],
  ["without script", { javaScriptEnabled: false }, mouse],
  ["by keyboard alone", {}, keyboard],
];

/** Chooses a radio button: the key Tab leads to its group, and an arrow to it. */
async function chooseByArrows(page, locator) {
  await tabTo(page, locator);
  for (let presses = 0; presses < 20 && !(await locator.isChecked()); presses += 1) {
    const isFocused = await locator.evaluate((element) => element === document.activeElement);
    await page.keyboard.press(isFocused ? "Space" : "ArrowDown");
  }
  assert.ok(await locator.isChecked());
}

/** Moves the focus with the key Tab until it is on the element, or on a radio button of its group. */
export async function tabTo(page, locator) {
  await locator.waitFor();
  for (let presses = 0; presses < 200; presses += 1) {
    const isThere = await locator.evaluate((element) => {
      const { activeElement } = document;
      const isOfGroup = element.type === "radio" && activeElement.type === "radio" && activeElement.name === element.name;
      return activeElement === element || isOfGroup;
    });
    if (isThere) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`the key Tab does not lead to ${locator}`);
}
